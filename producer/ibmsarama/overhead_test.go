package ibmsarama

import (
	"fmt"
	"math/rand"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

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
// themselves and their Records, and holds the declared overhead against it: with
// brokers that freeze, when sarama's channels and batches fill, for one
// partition after the other or for all of them at once, and with brokers that
// refuse everything, when each record has been tried before.
func TestOverhead(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	for _, state := range []string{"frozen", "frozen, keys", "refused"} {
		for _, size := range []int{50, 200, 1000} {
			for name, value := range map[string]func(*rand.Rand, int) []byte{"log lines": logLine, "noise": noise} {
				if name == "log lines" && (size > 50 || state == "frozen, keys") {
					continue // noise, which does not compress, is never less
				}
				t.Run(fmt.Sprintf("%s/%d B/%s", state, size, name), func(t *testing.T) {
					measureOverhead(t, state, size, value)
				})
			}
		}
	}
}

func measureOverhead(t *testing.T, state string, size int, value func(*rand.Rand, int) []byte) {
	const total, call, brokers = 16 << 20, 1300, 3
	opts := []kfake.Opt{kfake.NumBrokers(brokers), kfake.SeedTopics(12, topic)}
	if state != "refused" {
		opts = append(opts, kfake.BlackholeProduce())
	}
	c := newCluster(t, opts...)
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(60*time.Second), nil, n.through(NewConfig()))
	rnd := rand.New(rand.NewSource(1))
	key := func(i int) []byte {
		if state == "frozen, keys" {
			return fmt.Append(nil, i%1000)
		}
		return nil
	}
	for range 20 { // the pools are filled, and requests may be under way
		rs, o := records(call, func(int) []byte { return value(rnd, size) })
		for i, r := range rs {
			r.Key = key(i)
		}
		p.Produce(t.Context(), rs)
		o.wantAcked(t)
	}
	if state == "refused" {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	} else {
		n.freeze()
	}
	rs := make([]*zapkafka.Record, total/size)
	for i := range rs {
		rs[i] = zapkafka.NewRecord(topic, value(rnd, size), nil)
		rs[i].Key = key(i)
	}
	// What earlier tests left in pools goes with the second and third collection.
	before := min(liveHeap(), liveHeap(), liveHeap(), liveHeap())
	var worst, last int64
	sample := func() {
		last = liveHeap() - before
		worst = max(worst, last)
	}
	for i := 0; i < len(rs); i += call {
		p.Produce(t.Context(), rs[i:min(i+call, len(rs))])
		if i/call%8 == 0 {
			sample()
		}
	}
	if state == "refused" {
		// While records go round and round, what has just become garbage would be
		// counted too.
		<-time.After(2 * time.Second)
		n.freeze()
		worst = 0
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		sample()
	}
	runtime.KeepAlive(rs)
	declared := int64(len(rs)*overhead.RecordBytes + total*overhead.ValuePercent/100)
	t.Logf("%d records: at worst %.1f MiB = %d B a record, at last %d B a record; declared %d B (%d %%)", len(rs),
		float64(worst)/(1<<20), worst/int64(len(rs)), last/int64(len(rs)), declared/int64(len(rs)), worst*100/declared)
	if worst > declared {
		t.Errorf("%d bytes held, %d declared", worst, declared)
	}
	if last < int64(len(rs)*40) {
		t.Errorf("%d bytes for %d records cannot be: the measurement is broken", last, len(rs))
	}
}

// TestAllocations pins what a record allocates on its way from Produce to Done,
// in us, the client, and a broker in this process that discards. One is sarama's
// own record.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	c := newCluster(t, kfake.BlackholeProduce())
	p := start(t, c.ListenAddrs(), limits(60*time.Second), nil, nil)
	warm, o := records(5000, numbered)
	p.Produce(t.Context(), warm)
	o.wantAcked(t)
	const calls, call = 50, 1300
	rs, o := records(calls*call, numbered)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < len(rs); i += call {
		p.Produce(t.Context(), rs[i:i+call])
	}
	o.wantAcked(t)
	runtime.ReadMemStats(&after)
	perRecord := float64(after.Mallocs-before.Mallocs) / float64(len(rs))
	t.Logf("%.3f allocations a record", perRecord)
	if perRecord > 1.5 {
		t.Errorf("%.3f allocations a record, want at most 1.5", perRecord)
	}
	if perRecord < 0.5 {
		t.Errorf("%.3f allocations a record cannot be: the measurement is broken", perRecord)
	}
}
