// Package load calls a log function from several goroutines: as often as was
// said, as fast as it goes and with nothing else around the calls; or at a steady
// rate, timing each call, those included that never return.
package load

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Call logs one entry, the seq-th of a worker.
type Call func(worker, seq int)

// Flood makes n calls from so many goroutines, and returns when all have
// returned and how long that took.
func Flood(workers, n int, call Call) time.Duration {
	var group sync.WaitGroup
	begin := time.Now()
	for w := range workers {
		mine := n / workers
		if w < n%workers {
			mine++
		}
		group.Go(func() {
			for seq := range mine {
				call(w, seq)
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}

// Steady is a load for a time, mostly at a steady rate.
type Steady struct {
	workers  int
	rate     int
	duration time.Duration
	call     Call
	begin    time.Time
	group    sync.WaitGroup
	each     []worker
}

// worker is one goroutine's.
type worker struct {
	calls atomic.Int64 // that have returned

	// mu is for the end, when a call may still be under way and return any moment.
	// Taking it is not in the time of a call.
	mu     sync.Mutex
	inCall time.Duration // when the call under way began; negative: none
	times  *hdrhistogram.Histogram
	due    *hdrhistogram.Histogram

	_ [64]byte // the next worker's are in another cache line
}

func (w *worker) begins(at time.Duration) {
	w.mu.Lock()
	w.inCall = at
	w.mu.Unlock()
}

// returned notes a call; every is the time between two of a worker's.
func (w *worker) returned(took, every time.Duration) {
	w.mu.Lock()
	w.inCall = -1
	_ = w.times.RecordValue(int64(took))
	_ = w.due.RecordCorrectedValue(int64(took), int64(every))
	w.mu.Unlock()
	w.calls.Add(1)
}

// newHistogram returns one for up to ten minutes, to three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute), 3)
}

// StartSteady begins to make rate calls a second from so many goroutines, for a
// time. What could not be called when it was due, because a call took long, is
// made up for as fast as it goes. A rate that is not positive is as fast as it goes;
// then no call is due, and corrected figures are as the others.
func StartSteady(workers, rate int, duration time.Duration, call Call) *Steady {
	s := &Steady{workers: workers, rate: rate, duration: duration, call: call, each: make([]worker, workers)}
	for i := range s.each {
		s.each[i].times, s.each[i].due, s.each[i].inCall = newHistogram(), newHistogram(), -1
	}
	s.begin = time.Now()
	for w := range s.each {
		s.group.Go(func() { s.work(w) })
	}
	return s
}

// every is the time between two calls of a worker.
func (s *Steady) every() time.Duration {
	if s.rate <= 0 {
		return 0
	}
	return time.Duration(float64(s.workers) / float64(s.rate) * float64(time.Second))
}

func (s *Steady) work(w int) {
	me, every := &s.each[w], s.every()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	n := 0
	for {
		now := time.Since(s.begin)
		if now >= s.duration {
			return
		}
		due := n + 64
		if s.rate > 0 {
			due = int(now.Seconds() * float64(s.rate) / float64(s.workers))
		}
		for ; n < due; n++ {
			began := time.Since(s.begin)
			if began >= s.duration {
				return
			}
			me.begins(began)
			began = time.Since(s.begin)
			s.call(w, n)
			me.returned(time.Since(s.begin)-began, every)
		}
		if s.rate > 0 {
			<-tick.C
		}
	}
}

// Latency sums up what calls took.
type Latency struct {
	Calls int64
	// Of the calls as they were made.
	P50, P90, P99, P999, P9999, Max time.Duration
	// Corrected has for each call that held up its goroutine those too which could
	// not be made meanwhile, with what was left of the time (HdrHistogram's
	// correction for co-ordinated omission): what callers see who come at the rate
	// whatever happens.
	Corrected Quantiles
	// Stuck is how many calls had not returned at the end; their time so far is in
	// all figures.
	Stuck int
}

// Quantiles are some of a histogram.
type Quantiles struct{ P50, P90, P99, P999, P9999 time.Duration }

// Wait waits for the end of the load, and for calls under way at most as long as
// grace after it; it returns what was measured. Workers whose calls do not return
// are left behind.
func (s *Steady) Wait(grace time.Duration) Latency {
	ended := make(chan struct{})
	go func() {
		s.group.Wait()
		close(ended)
	}()
	limit := time.NewTimer(time.Until(s.begin.Add(s.duration + grace)))
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
	}
	return s.latency()
}

// Calls is how many calls have returned.
func (s *Steady) Calls() int {
	n := int64(0)
	for i := range s.each {
		n += s.each[i].calls.Load()
	}
	return int(n)
}

func (s *Steady) latency() Latency {
	times, due, stuck := newHistogram(), newHistogram(), 0
	for i := range s.each {
		me := &s.each[i]
		me.mu.Lock()
		times.Merge(me.times)
		due.Merge(me.due)
		if me.inCall >= 0 {
			stuck++
			took := time.Since(s.begin) - me.inCall
			_ = times.RecordValue(int64(took))
			_ = due.RecordCorrectedValue(int64(took), int64(s.every()))
		}
		me.mu.Unlock()
	}
	of := func(h *hdrhistogram.Histogram, q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return Latency{
		Calls: times.TotalCount(), Stuck: stuck,
		P50: of(times, 50), P90: of(times, 90), P99: of(times, 99), P999: of(times, 99.9), P9999: of(times, 99.99),
		Max: time.Duration(times.Max()),
		Corrected: Quantiles{
			P50: of(due, 50), P90: of(due, 90), P99: of(due, 99), P999: of(due, 99.9), P9999: of(due, 99.99),
		},
	}
}
