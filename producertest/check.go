package producertest

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka"
)

const (
	// slack is what a busy machine may add to what has to happen at once.
	slack = 2 * time.Second
	// step is how much of a time limit one look takes off, see awaited.
	step = 10 * time.Millisecond
	// closeGrace is by how much Close may outlast its context.
	closeGrace = 100 * time.Millisecond
	// patience is for what has to happen and has no bound in the contract.
	patience = 20 * time.Second

	shortDelivery = 2 * time.Second
	// closeDelivery is longer than a Close with little time, and all slack.
	closeDelivery = 8 * time.Second
	longDelivery  = 20 * time.Second
)

// reportGrace is by how much an outcome may come after DeliveryTimeout.
// goneWithin is how long goroutines may take to end after Close. The suite's own
// tests, of clients that never report and never end, have less patience.
var (
	reportGrace = 10 * time.Second
	goneWithin  = 5 * time.Second
)

// check is one case at work: its broker, its producers and what it found.
type check struct {
	t testing.TB // for the harness alone
	h Harness
	b Broker

	mu        sync.Mutex
	failures  []string
	facts     []Fact
	errs      []error // told to the ErrorHandler
	producers []*subject
	batches   []*batch
	seq       int // names the records

	news chan struct{} // one signal: errs has grown
}

// maxFailures bounds the report of one case.
const maxFailures = 10

func (c *check) errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) < maxFailures {
		c.failures = append(c.failures, fmt.Sprintf(format, args...))
	}
}

func (c *check) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.failures) > 0
}

func (c *check) fatalf(format string, args ...any) {
	c.errorf(format, args...)
	panic(stopCase{})
}

func (c *check) fact(name, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts = append(c.facts, Fact{Name: name, Value: fmt.Sprintf(format, args...)})
}

// set makes a fault, or ends the case as skipped.
func (c *check) set(f Fault) {
	if err := c.b.Set(f); err != nil {
		if skip := cannot(f, err); skip != nil {
			panic(skip)
		}
		c.fatalf("harness: Set(%v): %v", f, err)
	}
}

func (c *check) heal() {
	if err := c.b.Heal(); err != nil {
		c.fatalf("harness: Heal: %v", err)
	}
}

// stored reads a topic back.
func (c *check) stored(topic string) []Message {
	got, err := c.b.Stored(topic)
	if err != nil {
		c.fatalf("harness: Stored(%q): %v", topic, err)
	}
	return got
}

// within calls f and waits for its end, for so long and some slack. If f panics or
// does not return, in which case it keeps its goroutine, the case ends there.
func (c *check) within(limit time.Duration, what string, f func()) time.Duration {
	begin := time.Now()
	returned := false
	if !awaited(c.async(what, func() { f(); returned = true }), limit+slack) {
		c.fatalf("%s has not returned after %v", what, time.Since(begin).Round(step))
	}
	if !returned {
		panic(stopCase{})
	}
	return time.Since(begin)
}

// awaited waits until done is closed, but not for longer than limit. It waits in
// steps and counts each in full and no more, however late it is woken: while the
// machine has no time for this goroutine, it has none for the producer's.
func awaited(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(step)
	defer timer.Stop()
	for left := limit; left > 0; left -= step {
		select {
		case <-done:
			return true
		case <-timer.C:
			timer.Reset(step)
		}
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// async calls f; the channel is closed when it has returned.
func (c *check) async(what string, f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				c.errorf("%s panicked: %v\n%s", what, v, debug.Stack())
			}
		}()
		f()
	}()
	return done
}

// handle is the ErrorHandler.
func (c *check) handle(err error) {
	c.mu.Lock()
	c.errs = append(c.errs, err)
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// awaitError waits for an error at the handler of which is is true.
func (c *check) awaitError(limit time.Duration, is func(error) bool) bool {
	timeout := time.After(limit)
	for {
		c.mu.Lock()
		errs := append([]error(nil), c.errs...)
		c.mu.Unlock()
		for _, err := range errs {
			if is(err) {
				return true
			}
		}
		select {
		case <-c.news:
		case <-timeout:
			return false
		}
	}
}

// subject is a producer under test.
type subject struct {
	c        *check
	p        zapkafka.Producer
	limits   zapkafka.Limits
	overhead zapkafka.Overhead
	started  bool
}

// limits are what producers are started with, unless a case is about limits.
func limits(delivery time.Duration) zapkafka.Limits {
	return zapkafka.Limits{Records: 20000, Bytes: 32 << 20, RecordBytes: 900_000, DeliveryTimeout: delivery}
}

// fresh returns a producer that is not started.
func (c *check) fresh() *subject {
	p := c.h.NewProducer(c.t, c.b)
	if p == nil {
		c.fatalf("harness: NewProducer returned nil")
	}
	return &subject{c: c, p: p}
}

// start returns a producer that is started and, at the end of the case, closed.
func (c *check) start(l zapkafka.Limits) *subject {
	s := c.fresh()
	s.limits = l
	var err error
	c.within(0, "Start", func() { s.overhead, err = s.p.Start(l, c.handle) })
	if err != nil {
		c.fatalf("Start(%+v) failed: %v", l, err)
	}
	s.started = true
	c.mu.Lock()
	c.producers = append(c.producers, s)
	c.mu.Unlock()
	return s
}

// started returns a producer that has delivered something.
func (c *check) started(l zapkafka.Limits) *subject {
	s := c.start(l)
	s.warm()
	return s
}

// warm has the producer deliver some records, so that it is connected and knows
// the topic. With a short DeliveryTimeout the first may fail: what a client does
// for the first time takes its time on a busy machine.
func (s *subject) warm() {
	for deadline := time.Now().Add(patience); ; {
		b := s.c.batch(20, nil)
		s.produce(b)
		b.wantReported()
		n, err := b.failed()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.c.fatalf("the broker has been there for %v, and records fail: %v", patience, err)
		}
	}
}

// produce hands a batch over, in one call that must return at once.
func (s *subject) produce(b *batch) {
	s.c.within(s.limits.DeliveryTimeout, "Produce", func() { s.produceWith(context.Background(), b) })
}

// produceWith hands a batch over, in one call, and takes the slice back.
func (s *subject) produceWith(ctx context.Context, b *batch) {
	records := b.handOver(s.limits)
	s.p.Produce(ctx, records)
	for i := range records {
		records[i] = nil
	}
}

// close closes the producer with a context that is done after limit, and returns
// by how much it missed that.
func (s *subject) close(limit time.Duration) (late time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	took := s.c.within(limit+closeGrace, fmt.Sprintf("Close with a context of %v", limit), func() { err = s.p.Close(ctx) })
	if err != nil {
		// The contract leaves open what cannot be closed.
		s.c.fact("Close's error", "%v", err)
	}
	return took - limit
}

// finish ends the case: whatever it was about, no record may be left without its
// one outcome.
func (c *check) finish() {
	if err := c.b.Heal(); err != nil {
		c.errorf("harness: Heal: %v", err)
	}
	c.mu.Lock()
	producers, batches := c.producers, c.batches
	c.mu.Unlock()
	limit := 2 * time.Second
	if c.failed() {
		limit = 100 * time.Millisecond // there is nothing to wait for
	}
	for _, s := range producers {
		s := s
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		if !awaited(c.async("Close", func() { _ = s.p.Close(ctx) }), limit+closeGrace+slack) {
			c.errorf("Close with a context of %v, at the end of the case, has not returned after %v", limit, limit+closeGrace+slack)
		}
		cancel()
	}
	for _, b := range batches {
		b.settle()
	}
}

// contextDone returns a context that is done.
func contextDone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
