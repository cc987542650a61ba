// Package load logs entries from several goroutines, at a steady rate or as
// fast as it goes, and times each call.
package load

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka/integration/ids"
)

// Plan says what is logged.
type Plan struct {
	Workers   int // goroutines
	Rate      int // entries a second, all workers together; 0: as fast as it goes
	PerWorker int // entries of each worker; 0: until Stop
	FirstSeq  int // the sequence number of each worker's first entry
	Padding   int // bytes of padding in each entry

	FirstWorker int         // the number of the first worker
	Keys        []zap.Field // entry n has also the field n modulo their number; none: none
	// Begun, unless nil, has a number for each worker, which becomes that of the
	// entries that the worker has begun to log, FirstSeq not included.
	Begun []int64
}

// Run is a load under way.
type Run struct {
	plan   Plan
	logger *zap.Logger
	begin  time.Time
	stop   chan struct{}
	halt   sync.Once
	group  sync.WaitGroup
	logged atomic.Int64
	hold   atomic.Pointer[hold]
	counts []int
	calls  []*hdrhistogram.Histogram // since the last Lap
	laps   []*hdrhistogram.Histogram // before it
}

// Result is what was logged.
type Result struct {
	Counts  []int                   // entries of each worker
	Calls   *hdrhistogram.Histogram // durations of the calls, in nanoseconds
	Elapsed time.Duration
}

// Total is the number of entries.
func (r Result) Total() int {
	n := 0
	for _, c := range r.Counts {
		n += c
	}
	return n
}

// NewHistogram returns one for durations up to a minute, to three digits.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(time.Minute), 3)
}

// New prepares a load: what it needs of memory is allocated here.
func New(logger *zap.Logger, plan Plan) *Run {
	r := &Run{plan: plan, logger: logger, stop: make(chan struct{}), counts: make([]int, plan.Workers)}
	for range plan.Workers {
		r.calls = append(r.calls, NewHistogram())
		r.laps = append(r.laps, NewHistogram())
	}
	return r
}

// Start begins to log.
func (r *Run) Start() *Run {
	r.begin = time.Now()
	for w := range r.plan.Workers {
		r.group.Go(func() { r.work(w) })
	}
	return r
}

// Logged is the number of entries so far.
func (r *Run) Logged() int { return int(r.logged.Load()) }

// Wait waits for the end of a load that ends by itself.
func (r *Run) Wait() Result {
	r.group.Wait()
	result := Result{Counts: r.counts, Calls: NewHistogram(), Elapsed: time.Since(r.begin)}
	for w, h := range r.calls {
		result.Calls.Merge(h)
		result.Calls.Merge(r.laps[w])
	}
	return result
}

// Stop ends the load after the calls that are under way.
func (r *Run) Stop() Result {
	r.halt.Do(func() { close(r.stop) })
	return r.Wait()
}

// Await waits until n more entries have been logged.
func (r *Run) Await(ctx context.Context, n int) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for until := r.Logged() + n; r.Logged() < until; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// work logs what is due and waits for more to be. What could not be logged in
// its time, because a call took long, is made up for.
func (r *Run) work(w int) {
	padding := zap.String("p", strings.Repeat("x", r.plan.Padding))
	var tick *time.Ticker
	if r.plan.Rate > 0 {
		tick = time.NewTicker(time.Millisecond)
		defer tick.Stop()
	}
	n := 0
	defer func() { r.counts[w] = n }()
	for {
		due := n + 64
		if tick != nil {
			due = int(time.Since(r.begin).Seconds() * float64(r.plan.Rate) / float64(r.plan.Workers))
		}
		for ; n < due; n++ {
			if r.plan.PerWorker > 0 && n == r.plan.PerWorker || r.stopped() {
				return
			}
			r.pause()
			r.call(w, r.plan.FirstSeq+n, padding)
		}
		if tick == nil {
			continue
		}
		select {
		case <-tick.C:
		case <-r.stop:
			return
		}
	}
}

// hold is a break that all workers take.
type hold struct {
	parked  sync.WaitGroup
	release chan struct{}
}

// Hold calls f while no worker is inside a call. The load must not end meanwhile.
func (r *Run) Hold(f func()) {
	h := &hold{release: make(chan struct{})}
	h.parked.Add(r.plan.Workers)
	r.hold.Store(h)
	h.parked.Wait()
	r.hold.Store(nil)
	f()
	close(h.release)
}

// Lap returns the durations of the calls since the last one, or since the start.
// f, unless nil, is called while no worker is inside a call.
func (r *Run) Lap(f func()) *hdrhistogram.Histogram {
	lap := NewHistogram()
	r.Hold(func() {
		for w, h := range r.calls {
			lap.Merge(h)
			r.laps[w].Merge(h)
			h.Reset()
		}
		if f != nil {
			f()
		}
	})
	return lap
}

// pause takes part in a break if there is one.
func (r *Run) pause() {
	if h := r.hold.Load(); h != nil {
		h.parked.Done()
		<-h.release
	}
}

func (r *Run) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// call logs one entry with five fields.
func (r *Run) call(w, seq int, padding zap.Field) {
	worker, number := ids.ID{Worker: r.plan.FirstWorker + w, Seq: seq}.Fields()
	if r.plan.Begun != nil {
		atomic.StoreInt64(&r.plan.Begun[w], int64(seq-r.plan.FirstSeq+1))
	}
	key := zap.Skip()
	if n := len(r.plan.Keys); n > 0 {
		key = r.plan.Keys[seq%n]
	}
	begin := time.Now()
	r.logger.Info("load", worker, number, zap.Int("a", seq&7), zap.Bool("b", true), padding, key)
	_ = r.calls[w].RecordValue(int64(time.Since(begin)))
	r.logged.Add(1)
}
