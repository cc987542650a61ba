// Package proxy is a TCP proxy on loopback that makes the faults of a network:
// before a broker which tells its clients the proxy's address, it stands in for a
// bad line, whatever the client.
package proxy

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Fault is what is wrong with the line. The zero value is nothing.
type Fault struct {
	// Refuse resets connections, those that are open and those that are tried.
	Refuse bool
	// Mute accepts connections and swallows what comes. Connections that were
	// open then are reset when the fault ends: some of what was sent on them is
	// gone.
	Mute bool
	// Stall holds back what comes, in both directions, and forwards it when the
	// fault ends. Nobody reads meanwhile, so that senders are held up soon.
	Stall bool
	// CutAfter resets a connection when so many bytes of the client's have been
	// forwarded, in the middle of a request if that is where they end. It counts from the
	// beginning of the fault, and anew for each connection.
	CutAfter int64
	// BytesPerSecond is the most that a connection carries in each direction.
	BytesPerSecond int
	// Latency is how long bytes take in each direction.
	Latency time.Duration
}

// Proxy forwards connections to one address.
type Proxy struct {
	target   string
	listener net.Listener
	group    sync.WaitGroup
	cut      chan struct{} // closed by Close

	mu      sync.Mutex
	changed *sync.Cond // fault or closed
	fault   Fault
	closed  bool
	lines   map[*line]struct{}
	cuts    int
}

// New listens on an address and forwards to another, which need not be there
// yet.
func New(listen, target string) (*Proxy, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: l, cut: make(chan struct{}), lines: make(map[*line]struct{})}
	p.changed = sync.NewCond(&p.mu)
	p.group.Go(p.accept)
	return p, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set makes a fault in place of the present one.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	for l := range p.lines {
		l.forwarded = 0
		if f.Refuse || l.swallowed && !f.Mute {
			l.resetLocked()
		}
	}
	p.changed.Broadcast()
}

// Cuts returns how many connections CutAfter has ended so far.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Close resets all connections and returns when its goroutines have ended.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.cut)
	for l := range p.lines {
		l.resetLocked()
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	err := p.listener.Close()
	p.group.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.group.Go(func() { p.serve(c.(*net.TCPConn)) })
	}
}

// serve forwards a connection until it ends.
func (p *Proxy) serve(client *net.TCPConn) {
	l := &line{proxy: p, client: client, gone: make(chan struct{})}
	if !p.add(l) {
		reset(client)
		return
	}
	defer p.remove(l)
	broker, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		return // as if refused
	}
	if !l.connect(broker.(*net.TCPConn)) {
		reset(broker.(*net.TCPConn))
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(l.client, l.broker, true) })
	both.Go(func() { l.pump(l.broker, l.client, false) })
	both.Wait()
}

// add reports whether the connection may be.
func (p *Proxy) add(l *line) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.fault.Refuse {
		return false
	}
	p.lines[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.resetLocked()
	delete(p.lines, l)
}

// reset closes a connection so that the other end notices at once.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
