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
	from   time.Duration // when it was due (see dueTimes); negative: at no time, and it counts as it was made
	begun  int           // calls, that under way included
	ended  bool          // and those that were due and not made are in due
	times  *hdrhistogram.Histogram
	due    *hdrhistogram.Histogram

	_ [64]byte // the next worker's are in another cache line
}

func (w *worker) begins(at, from time.Duration) {
	w.mu.Lock()
	w.inCall, w.from = at, from
	w.begun++
	w.mu.Unlock()
}

// returned notes the call under way, which began at a time and ended at another.
func (w *worker) returned(began, end time.Duration) {
	w.mu.Lock()
	w.inCall = -1
	_ = w.times.RecordValue(int64(end - began))
	if w.from >= 0 {
		began = w.from
	}
	_ = w.due.RecordValue(int64(max(0, end-began)))
	w.mu.Unlock()
	w.calls.Add(1)
}

// dueTimes is when the calls of a worker are due. The first is due after one
// interval.
type dueTimes struct {
	every time.Duration
	// slept and woke are the last time in which the worker had nothing to do. It
	// wakes a moment after a call is due, which is not what is measured.
	slept, woke time.Duration
}

// by is how many calls are due by then.
func (d dueTimes) by(now time.Duration) int { return int(now / d.every) }

// from is when the n-th call, counted from 0, was due: where the worker slept then,
// when it woke up, and else, when a call before held it up, by the rate.
func (d dueTimes) from(n int) time.Duration {
	at := time.Duration(n+1) * d.every
	if at >= d.slept && at < d.woke {
		return d.woke
	}
	return at
}

// missed records for each call from the n-th on that was due before the end, and
// has not been made, how long ago that was.
func (d dueTimes) missed(h *hdrhistogram.Histogram, n int, end, now time.Duration) {
	for ; n < d.by(end); n++ {
		if from := d.from(n); from < end { // else it came due while the worker slept through the end
			_ = h.RecordValue(int64(now - from))
		}
	}
}

// newHistogram returns one for up to ten minutes, to three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute), 3)
}

// StartSteady begins to make rate calls a second from so many goroutines, for a
// time. What could not be called when it was due, because a call took long, is
// made up for as fast as it goes. A rate that is not positive is as fast as it goes;
// then no call is due before it is made, and corrected figures are as the others.
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

// every is the time between two calls of a worker; 0: none is due.
func (s *Steady) every() time.Duration {
	if s.rate <= 0 {
		return 0
	}
	return max(1, time.Duration(float64(s.workers)/float64(s.rate)*float64(time.Second)))
}

func (s *Steady) work(w int) {
	if s.rate > 0 {
		s.atRate(w)
		return
	}
	me := &s.each[w]
	for n := 0; ; n++ {
		began := time.Since(s.begin)
		if began >= s.duration {
			return
		}
		me.begins(began, -1)
		began = time.Since(s.begin)
		s.call(w, n)
		me.returned(began, time.Since(s.begin))
	}
}

func (s *Steady) atRate(w int) {
	me, times := &s.each[w], dueTimes{every: s.every()}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	n := 0
	for {
		now := time.Since(s.begin)
		if now >= s.duration {
			me.mu.Lock()
			times.missed(me.due, n, s.duration, now)
			me.ended = true
			me.mu.Unlock()
			return
		}
		if n >= times.by(now) {
			times.slept = now
			<-tick.C
			times.woke = time.Since(s.begin)
			continue
		}
		me.begins(now, times.from(n))
		now = time.Since(s.begin)
		s.call(w, n)
		me.returned(now, time.Since(s.begin))
		n++
	}
}

// Latency sums up what calls took.
type Latency struct {
	Calls int64
	// Of the calls as they were made.
	P50, P90, P99, P999, P9999, Max time.Duration
	// Corrected are the times from when a call was due until it returned, each call
	// once, those which have not returned, or were due and not made, with the time so far:
	// what callers see who come at the rate whatever happens.
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

// histograms are those of all workers, with what is not over at a time.
func (s *Steady) histograms(now time.Duration) (times, due *hdrhistogram.Histogram, stuck int) {
	times, due = newHistogram(), newHistogram()
	for i := range s.each {
		me := &s.each[i]
		me.mu.Lock()
		times.Merge(me.times)
		due.Merge(me.due)
		if me.inCall >= 0 {
			stuck++
			_ = times.RecordValue(int64(max(0, now-me.inCall)))
			from := me.from
			if from < 0 {
				from = me.inCall
			}
			_ = due.RecordValue(int64(max(0, now-from)))
		}
		if s.rate > 0 && !me.ended {
			dueTimes{every: s.every()}.missed(due, me.begun, s.duration, now)
		}
		me.mu.Unlock()
	}
	return times, due, stuck
}

func (s *Steady) latency() Latency {
	times, due, stuck := s.histograms(time.Since(s.begin))
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
