package ibmsarama

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

var errCut = errors.New("ibmsarama: the connections were closed on purpose, to get back records whose time is over")

// dialer is what sarama's Net.Proxy.Dialer and ours have in common
// (golang.org/x/net/proxy.Dialer).
type dialer interface {
	Dial(network, addr string) (net.Conn, error)
}

// wire is the dialer of one client. It knows the connections that it made and
// can cut them all: a closed socket is the only thing that makes sarama let go of
// a message before its time-outs have run out.
//
// sarama puts TLS and SASL on top of what the dialer returns (sarama/broker.go,
// Broker.Open), so one dialer serves every kind of listener.
type wire struct {
	next     dialer
	timeout  time.Duration   // for dialling
	greeting time.Duration   // for the first answer
	life     context.Context // ended by cut
	end      context.CancelFunc
	shunned  *shunned // nil: nobody is

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// newWire dials as the configuration says, through the user's own dialer if there
// is one.
func newWire(c *sarama.Config) *wire {
	w := &wire{timeout: c.Net.DialTimeout, greeting: c.Net.ReadTimeout, conns: make(map[net.Conn]struct{})}
	w.life, w.end = context.WithCancel(context.Background())
	if c.Net.Proxy.Enable && c.Net.Proxy.Dialer != nil {
		w.next = c.Net.Proxy.Dialer
	} else {
		w.next = &plainDialer{w: w, Dialer: net.Dialer{Timeout: c.Net.DialTimeout, KeepAlive: c.Net.KeepAlive, LocalAddr: c.Net.LocalAddr}}
	}
	return w
}

// plainDialer is the dialer that sarama would use, with an end.
type plainDialer struct {
	w *wire
	net.Dialer
}

func (d *plainDialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(d.w.life, network, addr)
}

// Dial returns when there is a connection, the time for dialling is over, or the
// wire is cut. A user's dialer may go on for as long as it likes; what it returns
// too late is closed.
func (w *wire) Dial(network, addr string) (net.Conn, error) {
	if err := w.shunned.refused(addr); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(w.life, w.timeout+time.Second) // a dialer's own error says more
	type result struct {
		conn net.Conn
		err  error
	}
	// Room for one: nobody may be waiting any more.
	got := make(chan result, 1)
	go func() {
		defer cancel()
		c, err := w.next.Dial(network, addr)
		if err == nil {
			c, err = w.add(c)
		}
		got <- result{c, err}
	}()
	select {
	case r := <-got:
		return r.conn, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-got: // the goroutine has ended ctx itself
		return r.conn, r.err
	default:
	}
	go func() {
		if r := <-got; r.err == nil {
			_ = r.conn.Close()
		}
	}()
	if w.life.Err() != nil {
		return nil, errCut
	}
	return nil, fmt.Errorf("dial %s %s: the dialer has not returned within %v", network, addr, w.timeout)
}

// add keeps the connection for cut and returns what sarama is given. It fails,
// and closes the connection, when cut has been called.
func (w *wire) add(c net.Conn) (net.Conn, error) {
	// sarama sets this before each of its reads, but not for those of a TLS
	// handshake, which happens inside its first write.
	err := c.SetReadDeadline(time.Now().Add(w.greeting))
	given := c
	if _, ok := c.(syscall.Conn); !ok {
		given = &opaque{c, w}
	}
	w.mu.Lock()
	if w.life.Err() != nil {
		err = errCut
	}
	if err == nil {
		// A socket goes to sarama as it is: newer versions look for errors on it,
		// which they would not find in a wrapper (sarama/broker.go,
		// Broker.getSockError). So there is no call that tells when one is closed,
		// and they are looked through here.
		for old := range w.conns {
			if isClosed(old) {
				delete(w.conns, old)
			}
		}
		w.conns[given] = struct{}{}
	}
	w.mu.Unlock()
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return given, nil
}

// opaque is a connection of a user's dialer that is no socket, so that nobody can
// ask it whether it is closed.
type opaque struct {
	net.Conn
	w *wire
}

func (o *opaque) Close() error {
	o.w.mu.Lock()
	delete(o.w.conns, o)
	o.w.mu.Unlock()
	return o.Conn.Close()
}

// isClosed reports whether Close was called on a socket.
func isClosed(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	return err != nil || raw.Control(func(uintptr) {}) != nil
}

// cut closes every connection, ends dialling, and refuses it from now on.
func (w *wire) cut() {
	w.end()
	w.mu.Lock()
	conns := slices.Collect(maps.Keys(w.conns))
	clear(w.conns)
	w.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}
