package kfakebroker

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka/producertest"
)

// raw is a client that tries once, and says how that went.
func raw(t *testing.T, b *Broker) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.DefaultProduceTopic(b.Topic()),
		kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.RequestRetries(0), kgo.ProducerLinger(0), kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func produce(client *kgo.Client, value string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr()
}

func stored(t *testing.T, b *Broker, value string) int {
	t.Helper()
	got, err := b.Stored(b.Topic())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range got {
		if string(m.Value) == value {
			n++
		}
	}
	return n
}

// Each fault is in force for a connection that is open, and gone when healed.
func TestFaults(t *testing.T) {
	const unanswered = 300 * time.Millisecond
	for _, f := range []struct {
		fault  producertest.Fault
		limit  time.Duration
		want   func(error) bool
		stored bool
	}{
		{producertest.Refused, patience, isFailure, false},
		{producertest.Mute, unanswered, isDeadline, false},
		{producertest.MuteOnProduce, unanswered, isDeadline, false},
		{producertest.Stalled, unanswered, isDeadline, false},
		{producertest.ClosesConnections, patience, isFailure, false},
		{producertest.NotLeader, patience, func(err error) bool { return errors.Is(err, kerr.NotLeaderForPartition) }, false},
		{producertest.TimeoutAfterStore, patience, isFailure, true},
	} {
		t.Run(f.fault.String(), func(t *testing.T) {
			t.Parallel()
			b := New(t)
			defer b.Close()
			client := raw(t, b)
			if err := produce(client, "before", patience); err != nil {
				t.Fatal(err)
			}
			if err := b.Set(f.fault); err != nil {
				t.Fatal(err)
			}
			if err := produce(client, "during", f.limit); !f.want(err) {
				t.Errorf("a record during the fault: %v", err)
			}
			client.Close() // what it may still send is not looked at
			if err := b.Heal(); err != nil {
				t.Fatal(err)
			}
			if err := produce(raw(t, b), "after", patience); err != nil {
				t.Errorf("a record after the fault: %v", err)
			}
			// A stalled broker reads on, as a process that was stopped does.
			if n := stored(t, b, "during"); f.fault != producertest.Stalled && n > 0 != f.stored {
				t.Errorf("the record during the fault is stored %d times", n)
			}
			if stored(t, b, "before") != 1 || stored(t, b, "after") != 1 {
				t.Error("the records before and after the fault are not stored once each")
			}
		})
	}
}

func isFailure(err error) bool { return err != nil && !isDeadline(err) }

func isDeadline(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

// What a dialer sees.
func TestNewConnections(t *testing.T) {
	b := New(t)
	defer b.Close()
	dial := func() error {
		c, err := net.DialTimeout("tcp", b.Addrs()[0], patience)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	for _, f := range []producertest.Fault{producertest.Mute, producertest.Stalled, producertest.MuteOnProduce} {
		if err := b.Set(f); err != nil {
			t.Fatal(err)
		}
		if err := dial(); err != nil {
			t.Errorf("%v: %v", f, err)
		}
	}
	for range 20 {
		if err := b.Set(producertest.Refused); err != nil {
			t.Fatal(err)
		}
		if err := dial(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("refused: got %v", err)
		}
		if err := b.Heal(); err != nil {
			t.Fatal(err)
		}
		if err := dial(); err != nil {
			t.Errorf("healed: %v", err)
		}
	}
}

// A broker that reads nothing makes a client's writes block.
func TestStalledFillsWindows(t *testing.T) {
	b := New(t)
	defer b.Close()
	if err := b.Set(producertest.Stalled); err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTimeout("tcp", b.Addrs()[0], patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Write(make([]byte, 64<<20))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("64 MiB were written: %d, %v", n, err)
	}
	t.Logf("%d bytes fit into the buffers", n)
}

func TestUnknownFault(t *testing.T) {
	b := New(t)
	defer b.Close()
	if err := b.Set(producertest.Fault(99)); !errors.Is(err, producertest.ErrNoFault) {
		t.Errorf("got %v", err)
	}
}
