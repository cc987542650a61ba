package kafkago

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/zapkafka/zapkafka"
)

// liveHeap returns the bytes that a garbage collection leaves.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// logLine returns an entry as zap writes it, which compresses as such do.
func logLine(rnd *rand.Rand, size int) []byte {
	var b []byte
	for len(b) < size {
		b = fmt.Appendf(b, `{"level":"info","logtime":"2026-01-02T03:04:%06.3f","caller":"api/order.go:%d","msg":"order accepted","order":%d,"user":"u%d","took":"%dms"}`,
			rnd.Float64()*60, rnd.Intn(900), rnd.Int63(), rnd.Intn(1e6), rnd.Intn(1000))
	}
	return append(make([]byte, 0, size), b[:size]...)
}

func noise(rnd *rand.Rand, size int) []byte {
	b := make([]byte, size)
	rnd.Read(b)
	return b
}

// TestOverhead measures the live heap that 16 MiB of values cost beside
// themselves and their Records, and holds the declared overhead against it. The
// brokers stall when every partition is sent a full batch: with 12 partitions
// most records wait then, with 96 nearly all of them are under way.
func TestOverhead(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	for _, partitions := range []int{12, 96} {
		for _, size := range []int{50, 200, 1000} {
			t.Run(fmt.Sprintf("%d partitions/%d B/log lines", partitions, size), func(t *testing.T) { measureOverhead(t, partitions, size, logLine) })
			t.Run(fmt.Sprintf("%d partitions/%d B/noise", partitions, size), func(t *testing.T) { measureOverhead(t, partitions, size, noise) })
		}
	}
}

func measureOverhead(t *testing.T, partitions, size int, value func(*rand.Rand, int) []byte) {
	const total, call = 16 << 20, 1300
	f := newFake(t, 3, 12)
	f.discard = true
	// The system's buffers are small, as they may be on a slow network, so that
	// requests are not out of our memory before the broker has read them.
	p, err := New(f.addrs, &Config{Transport: &kafka.Transport{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(16 << 10)
			}
			return c, err
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(limits(60*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewSource(1))
	for range 2 { // connected, and the pools are filled
		rs, o := records(call, func(int) []byte { return value(rnd, size) })
		p.Produce(context.Background(), rs)
		o.wantAcked(t)
	}
	f.set(func() { f.stalled = true })
	rs := make([]*zapkafka.Record, total/size)
	for i := range rs {
		rs[i] = zapkafka.NewRecord("later", value(rnd, size), nil)
		rs[i].Key = binary.BigEndian.AppendUint64(nil, rnd.Uint64()) // so that all partitions get some
	}
	// What earlier tests left in pools goes with the second and third collection.
	before := min(liveHeap(), liveHeap(), liveHeap(), liveHeap())
	var worst, last int64
	sample := func() {
		last = liveHeap() - before
		worst = max(worst, last)
	}
	for i := 0; i < len(rs); i += call {
		p.Produce(context.Background(), rs[i:min(i+call, len(rs))])
		if i/call%8 == 0 {
			sample()
		}
	}
	f.make("later", partitions)
	p.mu.Lock()
	later := p.topics["later"]
	p.mu.Unlock()
	f.await("all partitions are sent to", func() bool {
		sample()
		p.mu.Lock()
		defer p.mu.Unlock()
		n := 0
		for _, q := range later.partitions {
			if q.sending {
				n++
			}
		}
		return n == partitions
	})
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		sample()
	}
	runtime.KeepAlive(rs)
	ctx, cancel := ctxDone()
	defer cancel()
	_ = p.Close(ctx) // so many records take longer than it waits
	p.workers.Wait()
	declared := int64(len(rs)*overhead.RecordBytes + total*overhead.ValuePercent/100)
	t.Logf("%d records: at worst %.1f MiB = %d B a record, at last %d B a record; declared %d B", len(rs),
		float64(worst)/(1<<20), worst/int64(len(rs)), last/int64(len(rs)), declared/int64(len(rs)))
	if worst > declared {
		t.Errorf("%d bytes held, %d declared", worst, declared)
	}
	if last < int64(len(rs)*16) {
		t.Errorf("%d bytes for %d records cannot be: the measurement is broken", last, len(rs))
	}
}

// TestAllocations pins what handing records over allocates, ours and the
// client's, with nothing else going on in the process.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	f := newFake(t, 1, 3)
	f.discard = true
	p := start(t, f.addrs, limits(30*time.Second), nil, nil)
	warm, o := records(5000, numbered)
	p.Produce(context.Background(), warm)
	o.wantAcked(t)
	f.freeze(true)
	const calls, call = 50, 1300
	rs, _ := records(calls*call, numbered)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < len(rs); i += call {
		p.Produce(context.Background(), rs[i:i+call])
	}
	runtime.ReadMemStats(&after)
	perRecord := float64(after.Mallocs-before.Mallocs) / float64(len(rs))
	t.Logf("%.4f allocations a record", perRecord)
	if perRecord > 0.03 {
		t.Errorf("%.4f allocations a record, want at most 0.03", perRecord)
	}
}
