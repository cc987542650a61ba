package kfakebroker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka/producertest"
)

// network is what lies between the brokers and their sockets. It makes those
// faults that a client sees on its connections; no proxy is needed, so the
// addresses that brokers advertise are the ones that are disturbed.
type network struct {
	mu        sync.Mutex
	changed   *sync.Cond // fault, closed, or a connection's closed
	fault     producertest.Fault
	closed    bool
	listeners []*listener
	conns     map[*conn]struct{}
}

func newNetwork() *network {
	n := &network{conns: make(map[*conn]struct{})}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// listen is for kfake.ListenFn. The port is ours to choose: below the range from
// which systems give ports to outgoing connections, so that it is free again
// after a fault.
func (n *network) listen(_, _ string) (net.Listener, error) {
	var lastErr error
	for range 200 {
		inner, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if err != nil {
			lastErr = err
			continue
		}
		l := &listener{n: n, inner: inner, addr: inner.Addr()}
		n.mu.Lock()
		n.listeners = append(n.listeners, l)
		n.mu.Unlock()
		return l, nil
	}
	return nil, lastErr
}

// set makes a fault, 0 for none.
func (n *network) set(f producertest.Fault) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = f
	for c := range n.conns {
		// One that has swallowed requests cannot go on: its next answer would be
		// taken for that to the first of them.
		if f == producertest.Refused || f == 0 && c.mute {
			c.closeLocked()
		}
	}
	var err error
	for _, l := range n.listeners {
		if f == producertest.Refused {
			l.stopLocked()
		} else if e := l.restartLocked(); e != nil {
			err = e
		}
	}
	n.changed.Broadcast()
	return err
}

func (n *network) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, l := range n.listeners {
		l.stopLocked()
	}
	for c := range n.conns {
		c.closeLocked()
	}
	n.changed.Broadcast()
}

// listener accepts connections, and while they are refused does not exist for
// anybody but the broker.
type listener struct {
	n      *network
	addr   net.Addr
	inner  net.Listener // nil while connections are refused; guarded by n.mu
	closed bool         // guarded by n.mu
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) stopLocked() {
	if l.inner != nil {
		_ = l.inner.Close()
		l.inner = nil
	}
}

// restartLocked listens on the same port again.
func (l *listener) restartLocked() error {
	if l.inner != nil || l.closed || l.n.closed {
		return nil
	}
	var err error
	for range 50 {
		if l.inner, err = net.Listen("tcp", l.addr.String()); err == nil {
			return nil
		}
		l.inner = nil
		<-time.After(20 * time.Millisecond) // somebody else's for a moment
	}
	return err
}

// current waits until there is something to accept from.
func (l *listener) current() net.Listener {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	for l.inner == nil && !l.closed && !l.n.closed {
		l.n.changed.Wait()
	}
	return l.inner
}

// Accept ends with an error only when the broker ends.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner := l.current()
		if inner == nil {
			return nil, net.ErrClosed
		}
		raw, err := inner.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			continue
		}
		if c := l.n.add(raw); c != nil {
			return c, nil
		}
	}
}

func (l *listener) Close() error {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	l.closed = true
	l.stopLocked()
	l.n.changed.Broadcast()
	return nil
}

// add makes a connection one of the network's; nil when it is not to be.
func (n *network) add(raw net.Conn) *conn {
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(16 << 10) // so that windows fill soon
	}
	c := &conn{Conn: raw, n: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.fault == producertest.Refused {
		_ = raw.Close()
		return nil
	}
	n.conns[c] = struct{}{}
	return c
}

// conn is the broker's end of a connection. It knows where requests begin and
// of which kind they are.
type conn struct {
	net.Conn
	n *network

	// Guarded by n.mu.
	mute   bool // it has swallowed a request, and goes on doing so
	closed bool

	// Those of the one goroutine that reads.
	header  []byte // the begin of a request, read and not handed out yet
	missing int    // bytes of the request that come after
}

const (
	headerBytes = 6 // size (4), key (2)
	keyProduce  = 0
)

func (c *conn) closeLocked() {
	if !c.closed {
		c.closed = true
		delete(c.n.conns, c)
		_ = c.Conn.Close()
		c.n.changed.Broadcast()
	}
}

func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.closeLocked()
	return nil
}

// pass waits while the network is stalled. It says whether what is read, or
// written, is to be swallowed.
func (c *conn) pass() (swallow bool, err error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for c.n.fault == producertest.Stalled && !c.closed {
		c.n.changed.Wait()
	}
	if c.closed {
		return false, net.ErrClosed
	}
	if c.n.fault == producertest.Mute {
		c.mute = true
	}
	return c.mute, nil
}

// produced says what becomes of a produce request that begins.
func (c *conn) produced() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	switch c.n.fault {
	case producertest.ClosesConnections:
		c.closeLocked()
		return net.ErrClosed
	case producertest.MuteOnProduce:
		c.mute = true
	}
	return nil
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		if n := copy(p, c.header); n > 0 {
			c.header = c.header[n:]
			return n, nil
		}
		swallow, err := c.pass()
		if err != nil {
			return 0, err
		}
		if swallow {
			_, err := io.Copy(io.Discard, c.Conn)
			return 0, errors.Join(net.ErrClosed, err)
		}
		if c.missing == 0 {
			if err := c.begin(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := c.Conn.Read(p[:min(len(p), c.missing)])
		c.missing -= n
		if swallow, passErr := c.pass(); swallow || passErr != nil {
			continue // a fault came while we waited
		}
		return n, err
	}
}

// begin reads the begin of the next request.
func (c *conn) begin() error {
	header := make([]byte, headerBytes)
	if _, err := io.ReadFull(c.Conn, header); err != nil {
		return err
	}
	if swallow, err := c.pass(); swallow || err != nil {
		return err
	}
	if binary.BigEndian.Uint16(header[4:]) == keyProduce {
		if err := c.produced(); err != nil {
			return err
		}
		if swallow, err := c.pass(); swallow || err != nil {
			return err
		}
	}
	c.header, c.missing = header, int(binary.BigEndian.Uint32(header))-(headerBytes-4)
	return nil
}

// Write swallows answers of a mute broker. What MuteOnProduce leaves unanswered
// has not reached the broker, so its answers are those to earlier requests.
func (c *conn) Write(p []byte) (int, error) {
	c.n.mu.Lock()
	for c.n.fault == producertest.Stalled && !c.closed {
		c.n.changed.Wait()
	}
	closed, mute := c.closed, c.n.fault == producertest.Mute
	c.mute = c.mute || mute
	c.n.mu.Unlock()
	switch {
	case closed:
		return 0, net.ErrClosed
	case mute:
		return len(p), nil
	}
	return c.Conn.Write(p)
}
