package franz

import (
	"fmt"
	"math/rand"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

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
// themselves and their Records, and holds the declared overhead against it:
// what stays when the brokers take no more must lie under what is declared for
// the records alone, and what passes while requests are encoded under that and
// the buffers of the brokers beyond the first.
func TestOverhead(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	for _, brokers := range []int{1, 3} {
		for _, size := range []int{50, 200, 1000} {
			t.Run(fmt.Sprintf("%d brokers/%d B/log lines", brokers, size), func(t *testing.T) { measureOverhead(t, brokers, size, logLine) })
			t.Run(fmt.Sprintf("%d brokers/%d B/noise", brokers, size), func(t *testing.T) { measureOverhead(t, brokers, size, noise) })
		}
	}
}

func measureOverhead(t *testing.T, brokers, size int, value func(*rand.Rand, int) []byte) {
	const total, call = 16 << 20, 1300
	c := newCluster(t, kfake.NumBrokers(brokers), kfake.SeedTopics(12, topic), kfake.BlackholeProduce())
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.dialer())
	rnd := rand.New(rand.NewSource(1))
	for range 20 { // the pools are filled, and five requests may be under way
		rs, o := records(call, func(int) []byte { return value(rnd, size) })
		p.Produce(t.Context(), rs)
		o.wantAcked(t)
	}
	n.freeze()
	rs := make([]*zapkafka.Record, total/size)
	for i := range rs {
		rs[i] = zapkafka.NewRecord(topic, value(rnd, size), nil)
	}
	// What earlier tests left in pools goes with the second and third collection.
	before := min(liveHeap(), liveHeap(), liveHeap(), liveHeap())
	var worst int64
	sample := func() int64 {
		now := liveHeap() - before
		worst = max(worst, now)
		return now
	}
	for i := 0; i < len(rs); i += call {
		p.Produce(t.Context(), rs[i:min(i+call, len(rs))])
		if i/call%8 == 0 {
			sample()
		}
	}
	last := sample() // the least of half a second: a request may be encoded again
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		last = min(last, sample())
	}
	runtime.KeepAlive(rs)
	records := int64(len(rs) * overhead.RecordBytes)
	declared := records + int64(total*overhead.ValuePercent/100) + int64(brokers-1)*requestBuffers
	t.Logf("%d records: at worst %.1f MiB, at last %d B a record; declared %.1f MiB, %d B a record", len(rs),
		float64(worst)/(1<<20), last/int64(len(rs)), float64(declared)/(1<<20), overhead.RecordBytes)
	if worst > declared {
		t.Errorf("%d bytes held, %d declared", worst, declared)
	}
	if last > records {
		t.Errorf("%d bytes held for records that wait, %d declared", last, records)
	}
	if last < int64(len(rs)*160) {
		t.Errorf("%d bytes for %d records cannot be: the measurement is broken", last, len(rs))
	}
}

// TestAllocations pins what handing records over allocates, ours and the
// client's, with nothing else going on in the process.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	c := newCluster(t, kfake.BlackholeProduce())
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.dialer())
	warm, o := records(5000, numbered)
	p.Produce(t.Context(), warm)
	o.wantAcked(t)
	n.freeze()
	const calls, call = 50, 1300
	rs, _ := records(calls*call, numbered)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < len(rs); i += call {
		p.Produce(t.Context(), rs[i:i+call])
	}
	runtime.ReadMemStats(&after)
	perRecord := float64(after.Mallocs-before.Mallocs) / float64(len(rs))
	t.Logf("%.4f allocations a record", perRecord)
	if perRecord > 0.03 {
		t.Errorf("%.4f allocations a record, want at most 0.03", perRecord)
	}
}
