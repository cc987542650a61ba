//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

// patience is how long a test waits for something that has to happen.
const patience = 20 * time.Second

const topic = "logs"

// limits are what the tests start producers with, unless they are about limits.
func limits(delivery time.Duration) zapkafka.Limits {
	return zapkafka.Limits{Records: 1 << 20, Bytes: 1 << 30, RecordBytes: 900_000, DeliveryTimeout: delivery}
}

// mockCluster starts librdkafka's own brokers in this process, with the topic
// made.
func mockCluster(t testing.TB, brokers int) *kafka.MockCluster {
	t.Helper()
	c, err := kafka.NewMockCluster(brokers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.CreateTopic(topic, 12, 1); err != nil {
		t.Fatal(err)
	}
	return c
}

func servers(c *kafka.MockCluster) []string { return strings.Split(c.BootstrapServers(), ",") }

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

// wait waits for an error with the text.
func (l *errorLog) wait(t testing.TB, text string) error {
	t.Helper()
	timeout := time.After(patience)
	for {
		for _, err := range l.all() {
			if strings.Contains(err.Error(), text) {
				return err
			}
		}
		select {
		case <-l.news:
		case <-timeout:
			t.Fatalf("no error at the handler with %q, got %v", text, l.all())
		}
	}
}

// start returns a producer that is started and will be closed.
func start(t testing.TB, brokers []string, l zapkafka.Limits, log *errorLog, config *kafka.ConfigMap) *Producer {
	t.Helper()
	p, err := New(brokers, config)
	if err != nil {
		t.Fatal(err)
	}
	if log == nil {
		log = newErrorLog()
	}
	if _, err := p.Start(l, log.handle); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(ctxDone(t)); err != nil {
			t.Errorf("Close: %v", err)
		}
		await(t, p.freed, "the client is freed")
	})
	return p
}

// ctxDone returns a context that is done.
func ctxDone(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func await(t testing.TB, ch <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("waited %v until %s", patience, what)
	}
}

// onlyClient returns the client that the producer has built.
func onlyClient(t testing.TB, p *Producer) *client {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.clients {
		return c
	}
	t.Fatal("the producer has no client")
	return nil
}

// outcomes counts what becomes of records.
type outcomes struct {
	mu   sync.Mutex
	left int
	done chan struct{} // closed when left is 0
	errs []error
	last time.Time
}

// records makes n records with the outcomes to come.
func records(n int, value func(i int) []byte) ([]*zapkafka.Record, *outcomes) {
	o := &outcomes{left: n, done: make(chan struct{}), errs: make([]error, n)}
	rs := make([]*zapkafka.Record, n)
	for i := range rs {
		var r *zapkafka.Record
		r = zapkafka.NewRecord(topic, value(i), func(err error) {
			// From here the memory is ours again: whoever still reads it is
			// found by the race detector.
			for j := range r.Value {
				r.Value[j] = 'X'
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

func (o *outcomes) wantFailed(t testing.TB, target error) {
	t.Helper()
	o.wait(t, patience)
	for i, err := range o.errs {
		if !errors.Is(err, target) {
			t.Fatalf("record %d: got %v, want %v", i, err, target)
		}
	}
}

func numbered(i int) []byte { return fmt.Appendf(nil, "entry %07d", i) }

// listener is a broker that takes connections and does as conn says, which is
// to close them.
func listener(t testing.TB, conn func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			group.Go(func() {
				conn(c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return l.Addr().String()
}
