package franz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that has to happen.
const patience = 20 * time.Second

const topic = "logs"

// limits are what the tests start producers with, unless they are about limits.
func limits(delivery time.Duration) zapkafka.Limits {
	return zapkafka.Limits{Records: 1 << 20, Bytes: 1 << 30, RecordBytes: 900_000, DeliveryTimeout: delivery}
}

// network stands between a producer and its brokers and can be disturbed. Its
// dialer is an option for the producer; every broker gets a proxy of its own on
// loopback.
type network struct {
	t  testing.TB
	mu sync.Mutex
	on *sync.Cond

	frozen  bool
	hangUp  bool
	closed  bool
	proxies map[string]net.Listener // by the broker's address
	conns   map[net.Conn]bool
	group   sync.WaitGroup
	dials   atomic.Int64
}

func newNetwork(t testing.TB) *network {
	n := &network{t: t, proxies: make(map[string]net.Listener), conns: make(map[net.Conn]bool)}
	n.on = sync.NewCond(&n.mu)
	t.Cleanup(n.close)
	return n
}

// dialer is the option that leads the producer through the network.
func (n *network) dialer() kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		n.dials.Add(1)
		addr, err := n.proxy(host)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, network, addr)
	})
}

func (n *network) proxy(host string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.proxies[host]; l != nil {
		return l.Addr().String(), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	n.proxies[host] = l
	n.group.Go(func() { n.accept(l, host) })
	return l.Addr().String(), nil
}

func (n *network) accept(l net.Listener, host string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !n.add(c) {
			return
		}
		n.group.Go(func() {
			if !n.thawed() { // a frozen broker's kernel takes connections
				return
			}
			b, err := net.Dial("tcp", host)
			if err != nil || !n.add(b) {
				c.Close()
				return
			}
			n.group.Go(func() { n.pipe(c, b) })
			n.pipe(b, c)
		})
	}
}

func (n *network) add(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hangUp {
		c.Close()
		return !n.closed
	}
	if n.closed {
		c.Close()
		return false
	}
	n.conns[c] = true
	return true
}

// thawed waits until the network is not frozen; false when it is closed.
func (n *network) thawed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.frozen && !n.closed {
		n.on.Wait()
	}
	return !n.closed
}

func (n *network) pipe(dst, src net.Conn) {
	defer dst.Close()
	defer src.Close()
	buf := make([]byte, 64<<10)
	for n.thawed() {
		k, err := src.Read(buf)
		if err != nil || !n.thawed() {
			return
		}
		if _, err := dst.Write(buf[:k]); err != nil {
			return
		}
	}
}

// freeze makes the brokers mute: connections stand and can be made, and nobody
// reads or writes. As a process that was stopped with SIGSTOP.
func (n *network) freeze() { n.setFrozen(true) }
func (n *network) thaw()   { n.setFrozen(false) }

func (n *network) setFrozen(frozen bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = frozen
	n.on.Broadcast()
}

// hangingUp makes every connection end as soon as it is made, as behind a proxy
// without a broker.
func (n *network) hangingUp(yes bool) {
	n.mu.Lock()
	n.hangUp = yes
	n.mu.Unlock()
	n.cut()
}

// awaitDials waits for more connections to have been asked for.
func (n *network) awaitDials(more int64) {
	n.t.Helper()
	want := n.dials.Load() + more
	for deadline := time.Now().Add(patience); n.dials.Load() < want; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatal("no new connection was asked for")
		}
	}
}

// cut closes every connection; new ones can be made.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
	}
	clear(n.conns)
}

func (n *network) close() {
	n.mu.Lock()
	n.closed = true
	n.on.Broadcast()
	for _, l := range n.proxies {
		l.Close()
	}
	n.mu.Unlock()
	n.cut()
	n.group.Wait()
}

// newCluster starts a broker in this process, with the topic made.
func newCluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, topic)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
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
func start(t testing.TB, brokers []string, l zapkafka.Limits, log *errorLog, opts ...kgo.Opt) *Producer {
	t.Helper()
	p, err := New(brokers, opts...)
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
			// Hundreds of thousands of records take their time on a busy machine;
			// that Close is in time otherwise has tests of its own.
			t.Logf("Close: %v", err)
			deadline := time.After(patience)
			for tick := time.NewTicker(time.Millisecond); p.inflight.Load() > 0; {
				select {
				case <-tick.C:
				case <-deadline:
					t.Errorf("%d records are not reported %v after Close", p.inflight.Load(), patience)
					return
				}
			}
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
		r = zapkafka.NewRecord(topic, value(i), func(err error) {
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

// warmUp has records delivered, however long the client takes to connect on a busy
// machine: for what comes next the delivery timeout may be short.
func warmUp(t testing.TB, p *Producer) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		rs, o := records(1000, numbered)
		p.Produce(t.Context(), rs)
		o.wait(t, patience)
		n, err := o.failed()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d records failed: %v", n, err)
		}
	}
}

func numbered(i int) []byte { return fmt.Appendf(nil, "entry %07d", i) }

// stored reads n records of the topic back.
func stored(t testing.TB, c *kfake.Cluster, n int) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n {
		fs := cl.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			t.Fatalf("reading back: %d of %d records: %v", len(got), n, err)
		}
		got = append(got, fs.Records()...)
	}
	return got
}

// muteBroker accepts connections, reads, and never answers.
func muteBroker(t testing.TB) string {
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
			group.Go(func() { _, _ = io.Copy(io.Discard, c) })
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

func ctxDone() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}
