package proxy

import (
	"net"
	"sync"
	"time"
)

// line is a connection of a client's and the one to the broker that belongs to
// it.
type line struct {
	proxy  *Proxy
	client *net.TCPConn
	broker *net.TCPConn // guarded by proxy.mu until connect has returned
	gone   chan struct{}

	// Guarded by proxy.mu.
	ended     bool  // gone is closed
	swallowed bool  // something is missing on it
	forwarded int64 // of the client's bytes since the fault began
}

// connect notes the connection to the broker, unless the line has ended.
func (l *line) connect(broker *net.TCPConn) bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.ended {
		return false
	}
	l.broker = broker
	return true
}

func (l *line) resetLocked() {
	if l.ended {
		return
	}
	l.ended = true
	close(l.gone)
	reset(l.client)
	if l.broker != nil {
		_ = l.broker.Close() // not a reset: that would take back what was just forwarded
	}
	l.proxy.changed.Broadcast()
}

func (l *line) reset() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.resetLocked()
}

// piece is what was read at once, and when it may arrive.
type piece struct {
	bytes []byte
	due   time.Time
}

const (
	pieceBytes = 32 << 10
	// underway is how many pieces are on a line with latency: enough for some
	// megabytes a second.
	underway = 64
)

// pump forwards one direction. When it ends the whole line does: no client of
// Kafka's closes half a connection.
func (l *line) pump(from, to *net.TCPConn, request bool) {
	pieces := make(chan piece, underway)
	var delivery sync.WaitGroup
	delivery.Go(func() {
		defer l.reset() // ends the reading below
		l.deliver(to, pieces)
	})
	defer func() {
		close(pieces)
		delivery.Wait() // what was read before the end arrives
	}()
	for {
		if !l.ready() {
			return
		}
		buffer := make([]byte, pieceBytes)
		n, err := from.Read(buffer)
		if n > 0 {
			// A fault may have begun while this was read.
			bytes, latency, cut, ok := l.pass(buffer[:n], request)
			if !ok {
				return
			}
			select {
			case pieces <- piece{bytes, time.Now().Add(latency)}:
			case <-l.gone:
				return
			}
			if cut {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// ready waits while the line stalls, and reports whether it is still there.
func (l *line) ready() bool {
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.fault.Stall && !l.ended {
		p.changed.Wait()
	}
	return !l.ended
}

// pass says what of the bytes goes on, how long that takes, and whether the line
// is cut behind it.
func (l *line) pass(bytes []byte, request bool) (on []byte, latency time.Duration, cut, ok bool) {
	if !l.ready() {
		return nil, 0, false, false
	}
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.fault
	if f.Mute {
		l.swallowed = true
		return nil, 0, false, !l.ended
	}
	if f.CutAfter > 0 && request {
		left := f.CutAfter - l.forwarded
		if int64(len(bytes)) >= left {
			bytes, cut = bytes[:max(left, 0)], true
			p.cuts++
		}
		l.forwarded += int64(len(bytes))
	}
	return bytes, f.Latency, cut, !l.ended
}

// deliver writes what comes, in its time.
func (l *line) deliver(to *net.TCPConn, pieces <-chan piece) {
	var free time.Time // when the line has room for more
	for p := range pieces {
		if !l.wait(p.due) || !l.ready() {
			return
		}
		for rest := p.bytes; len(rest) > 0; {
			part := rest
			if bytes := l.rate(); bytes > 0 {
				part = rest[:min(len(rest), max(1, bytes/20))]
				if now := time.Now(); free.Before(now) {
					free = now
				}
				free = free.Add(time.Duration(len(part)) * time.Second / time.Duration(bytes))
				if !l.wait(free) {
					return
				}
			}
			if _, err := to.Write(part); err != nil {
				return
			}
			rest = rest[len(part):]
		}
	}
}

func (l *line) rate() int {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	return l.proxy.fault.BytesPerSecond
}

// wait waits for a moment, and reports whether the line is still there.
func (l *line) wait(until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.gone:
		return false
	}
}
