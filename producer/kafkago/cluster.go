package kafkago

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// alertTTL is MetadataTTL while something fails: a new leader is known after
	// half of it on average.
	alertTTL = 2 * time.Second
	// calmAfter is for how long nothing must have failed before leaders are asked
	// for seldom again.
	calmAfter = 30 * time.Second
	// quietTimeout ends reads and writes for which the client sets no deadline,
	// which are those of a SASL handshake (kafka-go v0.4.51, transport.go,
	// connGroup.connect: the deadline is taken off before authenticateSASL).
	quietTimeout = 10 * time.Second
)

// cluster is the kafka.RoundTripper below the client: one kafka.Transport after
// the other. A Transport routes by the metadata that it polls, and neither its
// topics nor how often it polls can be changed once it is in use; nor can it be
// told that a leader has moved (kafka-go v0.4.51, transport.go,
// connPool.discover). So it is replaced when a topic is added, and when
// something begins to fail or has not failed for a while. Requests under way end
// on the Transport on which they began.
type cluster struct {
	settings *kafka.Transport
	life     context.Context

	mu       sync.Mutex
	closed   bool
	topics   []string
	current  *kafka.Transport
	alert    bool      // current polls often
	troubled time.Time // when something failed last
	calm     *time.Timer
	conns    map[*conn]struct{}
}

var _ kafka.RoundTripper = (*cluster)(nil)

func newCluster(life context.Context, settings *kafka.Transport) *cluster {
	return &cluster{settings: settings, life: life, conns: make(map[*conn]struct{})}
}

// RoundTrip implements kafka.RoundTripper.
func (c *cluster) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	t := c.transport()
	if t == nil {
		return nil, errClosed
	}
	resp, err := t.RoundTrip(ctx, addr, req)
	c.mu.Lock()
	retired := t != c.current
	c.mu.Unlock()
	if retired {
		// Again: this request may have begun after the Transport was retired, and
		// made it start anew.
		t.CloseIdleConnections()
	}
	return resp, err
}

// transport returns the Transport for the next request, nil after close.
func (c *cluster) transport() *kafka.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	alert := !c.troubled.IsZero() && time.Since(c.troubled) < calmAfter
	if c.current == nil || c.alert != alert {
		c.alert = alert
		c.replaceLocked()
	}
	return c.current
}

func (c *cluster) replaceLocked() {
	if c.current != nil {
		c.current.CloseIdleConnections()
	}
	t := settings(c.settings)
	t.Dial = c.dial
	t.Context = c.life
	t.MetadataTopics = slices.Clone(c.topics)
	if c.alert && t.MetadataTTL > alertTTL {
		t.MetadataTTL = alertTTL
	}
	c.current = t
}

// add makes the topic one of those whose leaders are known.
func (c *cluster) add(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.topics = append(c.topics, topic)
	if c.current != nil && !c.closed {
		c.replaceLocked()
	}
}

// trouble makes the cluster look for new leaders.
func (c *cluster) trouble() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.troubled = time.Now()
	switch {
	case c.closed:
	case c.calm == nil:
		// Without it a client that has nothing to send would poll on.
		c.calm = time.AfterFunc(calmAfter, func() { c.transport() })
	default:
		c.calm.Reset(calmAfter)
	}
}

// close cuts every connection. The goroutines of the client end with them.
func (c *cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.calm != nil {
		c.calm.Stop()
	}
	if c.current != nil {
		c.current.CloseIdleConnections()
		c.current = nil
	}
	for k := range c.conns {
		_ = k.Conn.Close()
	}
}

func (c *cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := c.settings.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext // within DialTimeout: ctx has it
	}
	nc, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	k := &conn{Conn: nc, cluster: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = nc.Close()
		return nil, errClosed
	}
	c.conns[k] = struct{}{}
	return k, nil
}

// conn is a connection that close can find, and that is never without a
// deadline.
type conn struct {
	net.Conn
	cluster *cluster
}

func (k *conn) Close() error {
	k.cluster.mu.Lock()
	delete(k.cluster.conns, k)
	k.cluster.mu.Unlock()
	return k.Conn.Close()
}

func (k *conn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		t = time.Now().Add(quietTimeout)
	}
	return k.Conn.SetDeadline(t)
}
