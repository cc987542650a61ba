package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// broker is a Kafka broker inside this program, reached over TCP on loopback.
// It can be made to look stopped: its connections break and new ones are
// refused, while what it has stored stays.
type broker struct {
	cluster *kfake.Cluster
	gate    *gate
}

func startBroker() (*broker, error) {
	g := &gate{conns: make(map[net.Conn]struct{})}
	g.changed.L = &g.mu
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(g.listen))
	if err != nil {
		return nil, err
	}
	return &broker{cluster: c, gate: g}, nil
}

func (b *broker) addrs() []string { return b.cluster.ListenAddrs() }

func (b *broker) state() string {
	if b.gate.isShut() {
		return "broker DOWN"
	}
	return "broker up"
}

// outage stops the broker at the given time from now, for as long as said or
// until ctx ends. When it returns the broker is up.
func (b *broker) outage(ctx context.Context, at, length time.Duration) error {
	if !wait(ctx, at) {
		return nil
	}
	b.gate.shut()
	wait(ctx, length)
	return b.gate.reopen()
}

func (b *broker) close() { b.cluster.Close() }

// wait waits, and reports false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// gate is a net.Listener that can be shut and opened again on the same port
// without its user noticing more than broken connections.
type gate struct {
	addr net.Addr // set by listen

	mu      sync.Mutex
	changed sync.Cond
	inner   net.Listener // nil while it is shut
	closed  bool
	conns   map[net.Conn]struct{}
}

// listen is net.Listen for one listener.
func (g *gate) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	g.addr, g.inner = l.Addr(), l
	return g, nil
}

// Addr is the same address, open or shut.
func (g *gate) Addr() net.Addr { return g.addr }

// Accept waits for a connection, and for the gate to be open.
func (g *gate) Accept() (net.Conn, error) {
	for {
		inner := g.opened()
		if inner == nil {
			return nil, net.ErrClosed
		}
		c, err := inner.Accept()
		switch conn := g.admit(inner, c); {
		case conn != nil:
			return conn, nil
		case err != nil && !g.replaced(inner):
			return nil, err
		}
	}
}

// opened waits until the gate is open; nil when it is closed for good.
func (g *gate) opened() net.Listener {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.inner == nil && !g.closed {
		g.changed.Wait()
	}
	return g.inner
}

// admit keeps track of a connection, and refuses one that was accepted in the
// moment in which the gate was shut.
func (g *gate) admit(inner net.Listener, c net.Conn) net.Conn {
	if c == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inner != inner {
		_ = c.Close() // nobody has used it
		return nil
	}
	g.conns[c] = struct{}{}
	return &gateConn{Conn: c, gate: g}
}

func (g *gate) replaced(inner net.Listener) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inner != inner
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inner == nil
}

// shut breaks all connections; new ones are refused by the system.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inner != nil {
		_ = g.inner.Close() // nothing was written to it
		g.inner = nil
	}
	for c := range g.conns {
		_ = c.Close() // to break it is what it is for
	}
	clear(g.conns)
}

// reopen listens on the old port. While it was free somebody's connection may
// have taken it, hence the patience.
func (g *gate) reopen() error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		l, err := net.Listen(g.addr.Network(), g.addr.String())
		if err == nil {
			return g.use(l)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the embedded broker could not come back: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (g *gate) use(l net.Listener) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return l.Close()
	}
	g.inner = l
	g.changed.Broadcast()
	return nil
}

// Close ends Accept for good.
func (g *gate) Close() error {
	g.shut()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.changed.Broadcast()
	return nil
}

// gateConn leaves the gate's list when it is closed.
type gateConn struct {
	net.Conn
	gate *gate
}

func (c *gateConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c.Conn)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
