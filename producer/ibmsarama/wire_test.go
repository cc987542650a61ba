package ibmsarama

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// dialFunc is a user's dialer.
type dialFunc func(network, addr string) (net.Conn, error)

func (f dialFunc) Dial(network, addr string) (net.Conn, error) { return f(network, addr) }

func through(d dialFunc) *wire {
	return newWire(with(func(c *sarama.Config) {
		c.Net.DialTimeout = 100 * time.Millisecond
		if d != nil {
			c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, d
		}
	}))
}

func TestCutClosesConnections(t *testing.T) {
	w := through(nil)
	addr := muteBroker(t)
	c, err := w.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.(*net.TCPConn); !ok {
		t.Errorf("sarama gets a %T, in which it does not find the socket", c)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(c)
		read <- err
	}()
	w.cut()
	select {
	case err := <-read:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("a read from a cut connection ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("a read from a cut connection goes on")
	}
	if _, err := w.Dial("tcp", addr); !errors.Is(err, errCut) {
		t.Errorf("dialled after cut: %v", err)
	}
}

// Connections that the client has closed are not kept.
func TestForgetsClosedConnections(t *testing.T) {
	w := through(nil)
	defer w.cut()
	addr := muteBroker(t)
	for range 50 {
		c, err := w.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if n := len(w.conns); n > 1 {
		t.Errorf("%d closed connections are kept", n)
	}
}

// Nor those of a user's dialer that are no sockets.
func TestForgetsClosedConnectionsThatAreNoSockets(t *testing.T) {
	w := through(func(string, string) (net.Conn, error) {
		c, _ := net.Pipe()
		return c, nil
	})
	defer w.cut()
	for range 50 {
		c, err := w.Dial("tcp", "a:1")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if n := len(w.conns); n > 1 {
		t.Errorf("%d closed connections are kept", n)
	}
}

// closing tells when it is closed.
type closing struct {
	net.Conn
	closed chan struct{}
}

func (c *closing) Close() error {
	close(c.closed)
	return nil
}

func (*closing) SetReadDeadline(time.Time) error { return nil }

// A user's dialer may hang; what it returns in the end is closed.
func TestDialerThatHangs(t *testing.T) {
	for name, cut := range map[string]bool{"cut": true, "time-out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, goOn := make(chan struct{}), make(chan struct{})
			late := &closing{closed: make(chan struct{})}
			w := through(func(string, string) (net.Conn, error) {
				close(begun)
				<-goOn
				return late, nil
			})
			result := make(chan error, 1)
			go func() {
				_, err := w.Dial("tcp", "a:1")
				result <- err
			}()
			<-begun
			if cut {
				w.cut()
			}
			select {
			case err := <-result:
				if err == nil || cut != errors.Is(err, errCut) {
					t.Errorf("got %v", err)
				}
			case <-time.After(patience):
				t.Fatal("Dial waits for a dialer that hangs")
			}
			close(goOn)
			select {
			case <-late.closed:
			case <-time.After(patience):
				t.Fatal("a connection that came too late was not closed")
			}
		})
	}
}

// While a broker is silent the client gets no connection to it, whoever dials.
func TestNoConnectionToSilentBroker(t *testing.T) {
	var bad shunned
	n := newNetwork(t)
	_, w := forClient(n.through(NewConfig()), &bad)
	t.Cleanup(w.cut)
	bad.led(topic, map[int32]string{0: "127.0.0.1:1", 1: "127.0.0.1:2"})
	bad.silent(topic, 0, time.Minute)
	if _, err := w.Dial("tcp", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || n.dials.Load() != 0 {
		t.Errorf("a silent broker: %v, dialled %d times", err, n.dials.Load())
	}
	c, err := w.Dial("tcp", "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
