package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/integration/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = 10 * time.Second

// echo answers each connection with what it sends, and counts that.
type echo struct {
	net.Listener
	group sync.WaitGroup
	quiet atomic.Bool // do not answer
	got   atomic.Int64
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l}
	e.group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.group.Go(func() {
				defer c.Close()
				e.serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		e.group.Wait()
	})
	return e
}

func (e *echo) serve(c net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.Read(buffer)
		e.got.Add(int64(n))
		if err == nil && !e.quiet.Load() {
			_, err = c.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

func (e *echo) received() int { return int(e.got.Load()) }

func start(t *testing.T) (*proxy.Proxy, *echo) {
	t.Helper()
	e := newEcho(t)
	p, err := proxy.New("127.0.0.1:0", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, e
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends text and wants it back.
func ask(t *testing.T, c net.Conn, text []byte) {
	t.Helper()
	if err := try(c, text); err != nil {
		t.Fatal(err)
	}
}

func try(c net.Conn, text []byte) error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(text)
		sent <- err
	}()
	answer := make([]byte, len(text))
	_, err := io.ReadFull(c, answer)
	if err == nil && !bytes.Equal(answer, text) {
		err = errors.New("another text came back")
	}
	if err != nil {
		_ = c.Close() // ends the Write
	}
	return errors.Join(err, <-sent)
}

// silent wants nothing to come within d.
func silent(t *testing.T, c net.Conn, d time.Duration) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes came (%v), want silence", n, err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

// ends wants the connection to be reset.
func ends(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%v, want a reset", err)
	}
}

// refused wants a connection to be reset, while it is made or at once.
func refused(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer c.Close()
		ends(t, c)
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%v, want a reset", err)
	}
}

var text = bytes.Repeat([]byte("0123456789abcdef"), 32<<10) // 512 KiB

func TestForwards(t *testing.T) {
	p, _ := start(t)
	a, b := dial(t, p), dial(t, p)
	ask(t, a, text)
	ask(t, b, text)
	ask(t, a, []byte("more"))
}

func TestRefuse(t *testing.T) {
	p, _ := start(t)
	before := dial(t, p)
	ask(t, before, text)
	p.Set(proxy.Fault{Refuse: true})
	ends(t, before)
	refused(t, p)
	p.Set(proxy.Fault{})
	ask(t, dial(t, p), text)
}

func TestMute(t *testing.T) {
	p, e := start(t)
	before := dial(t, p)
	ask(t, before, []byte("before"))
	p.Set(proxy.Fault{Mute: true})
	during := dial(t, p)
	for _, c := range []net.Conn{before, during} {
		if _, err := c.Write([]byte("swallowed")); err != nil {
			t.Fatal(err)
		}
		silent(t, c, 50*time.Millisecond)
	}
	p.Set(proxy.Fault{})
	ends(t, before)
	ends(t, during)
	ask(t, dial(t, p), text)
	if got := e.received(); got != len("before")+len(text) {
		t.Errorf("%d bytes were forwarded, want none of the swallowed ones", got)
	}
}

func TestStall(t *testing.T) {
	p, _ := start(t)
	c := dial(t, p)
	ask(t, c, text)
	p.Set(proxy.Fault{Stall: true})
	if _, err := c.Write([]byte("later")); err != nil {
		t.Fatal(err)
	}
	silent(t, c, 50*time.Millisecond)
	p.Set(proxy.Fault{})
	answer := make([]byte, len("later"))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "later" {
		t.Fatalf("%q, %v, want what was held back", answer, err)
	}
	ask(t, c, text)
}

func TestCutAfter(t *testing.T) {
	p, e := start(t)
	before := dial(t, p)
	ask(t, before, []byte("before"))
	const most = 100_000
	e.quiet.Store(true)
	p.Set(proxy.Fault{CutAfter: most})
	for _, c := range []net.Conn{before, dial(t, p)} {
		had := e.received()
		if err := try(c, text); err == nil {
			t.Fatal("all of the text came back over a line that is cut in the middle of it")
		}
		deadline := time.Now().Add(patience)
		for e.received()-had < most && time.Now().Before(deadline) {
			<-time.After(time.Millisecond)
		}
		if got := e.received() - had; got != most {
			t.Errorf("%d bytes were forwarded, want %d", got, most)
		}
	}
	if n := p.Cuts(); n != 2 {
		t.Errorf("%d connections were cut, want 2", n)
	}
	e.quiet.Store(false)
	p.Set(proxy.Fault{})
	ask(t, dial(t, p), text)
}

func TestBytesPerSecond(t *testing.T) {
	p, _ := start(t)
	p.Set(proxy.Fault{BytesPerSecond: 4 << 20})
	c := dial(t, p)
	begin := time.Now()
	ask(t, c, text)
	if took := time.Since(begin); took < 120*time.Millisecond {
		t.Errorf("%d bytes took %v, want an eighth of a second at least", len(text), took)
	}
	p.Set(proxy.Fault{})
	ask(t, c, text)
}

func TestLatency(t *testing.T) {
	p, _ := start(t)
	p.Set(proxy.Fault{Latency: 50 * time.Millisecond})
	c := dial(t, p)
	begin := time.Now()
	ask(t, c, []byte("there and back"))
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("an answer took %v, want 100ms at least", took)
	}
	// What travels at the same time does not wait for each other.
	begin = time.Now()
	ask(t, c, text)
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("%d bytes took %v", len(text), took)
	}
}

// Close ends it in the middle of each fault.
func TestClose(t *testing.T) {
	for name, f := range map[string]proxy.Fault{
		"none": {}, "mute": {Mute: true}, "stall": {Stall: true}, "slow": {BytesPerSecond: 1}, "latency": {Latency: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := start(t)
			c := dial(t, p)
			ask(t, c, []byte("before"))
			p.Set(f)
			if _, err := c.Write([]byte("during")); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			_, _ = io.Copy(io.Discard, c)
		})
	}
}

// What is not there is as good as refused.
func TestTargetGone(t *testing.T) {
	p, e := start(t)
	_ = e.Close()
	refused(t, p)
}
