package kafkago

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that has to happen.
const patience = 20 * time.Second

const logs = "logs"

// limits are what the tests start producers with, unless they are about limits.
func limits(delivery time.Duration) zapkafka.Limits {
	return zapkafka.Limits{Records: 1 << 20, Bytes: 1 << 30, RecordBytes: 900_000, DeliveryTimeout: delivery}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// errorLog is an ErrorHandler that remembers.
type errorLog struct {
	mu   sync.Mutex
	errs []error
	news chan struct{}
}

func newErrorLog() *errorLog { return &errorLog{news: make(chan struct{}, 1)} }

func (l *errorLog) handle(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
	signal(l.news)
}

func (l *errorLog) all() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]error(nil), l.errs...)
}

// wait waits for an error of which is is true.
func (l *errorLog) wait(t testing.TB, what string, is func(error) bool) error {
	t.Helper()
	timeout := time.After(patience)
	for {
		for _, err := range l.all() {
			if is(err) {
				return err
			}
		}
		select {
		case <-l.news:
		case <-timeout:
			t.Fatalf("no error at the handler: want %s, got %v", what, l.all())
		}
	}
}

// start returns a producer that is started and will be closed.
func start(t testing.TB, brokers []string, l zapkafka.Limits, log *errorLog, config *Config) *Producer {
	t.Helper()
	p, err := New(brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	var report zapkafka.ErrorHandler
	if log != nil {
		report = log.handle
	}
	if _, err := p.Start(l, report); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// outcomes counts what becomes of records.
type outcomes struct {
	mu    sync.Mutex
	left  int
	done  chan struct{} // closed when left is 0
	errs  []error
	calls []int
	last  time.Time
}

// records makes n records with the given values and the outcomes to come.
func records(n int, value func(i int) []byte) ([]*zapkafka.Record, *outcomes) {
	o := &outcomes{left: n, done: make(chan struct{}), errs: make([]error, n), calls: make([]int, n)}
	rs := make([]*zapkafka.Record, n)
	for i := range rs {
		var r *zapkafka.Record
		r = zapkafka.NewRecord(logs, value(i), func(err error) {
			// From here the memory is ours again: whoever still reads it is
			// found by the race detector.
			for j := range r.Value {
				r.Value[j] = 'X'
			}
			for j := range r.Key {
				r.Key[j] = 'X'
			}
			o.set(i, err)
		})
		rs[i] = r
	}
	return rs, o
}

func (o *outcomes) set(i int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errs[i] = err
	o.calls[i]++
	o.last = time.Now()
	if o.left--; o.left == 0 {
		close(o.done)
	}
}

func (o *outcomes) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.left
}

// wait waits until each record has an outcome.
func (o *outcomes) wait(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case <-o.done:
	case <-time.After(within):
		// Whoever comes late finds both: that all are there is what counts.
		if n := o.pending(); n > 0 {
			t.Fatalf("%d records without an outcome after %v", n, within)
		}
	}
}

// failed returns how many records failed, and one of the errors.
func (o *outcomes) failed() (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.errs {
		if e != nil {
			n, err = n+1, e
		}
	}
	return n, err
}

func (o *outcomes) wantAcked(t testing.TB) {
	t.Helper()
	o.wait(t, patience)
	if n, err := o.failed(); n > 0 {
		t.Fatalf("%d records failed: %v", n, err)
	}
}

func (o *outcomes) wantFailed(t testing.TB, within time.Duration, target error) {
	t.Helper()
	o.wait(t, within)
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, err := range o.errs {
		if err == nil || target != nil && !errors.Is(err, target) {
			t.Fatalf("record %d: got %v, want %v", i, err, target)
		}
	}
}

func numbered(i int) []byte { return fmt.Appendf(nil, "entry %07d", i) }

func ctxDone() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}
