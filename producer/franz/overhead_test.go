package franz

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
)

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
func liveHeap1() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func lineOf(size int, random bool, r *rand.Rand) []byte {
	if !random {
		return logLine(r, size)
	}
	b := make([]byte, size)
	r.Read(b)
	return b
}

func logLine(r *rand.Rand, size int) []byte {
	var b []byte
	for len(b) < size {
		b = fmt.Appendf(b, `{"level":"info","logtime":"2026-01-02T03:04:%06.3f","caller":"api/order.go:%d","msg":"order accepted","order":%d,"user":"u%d","took":"%dms"}`,
			r.Float64()*60, r.Intn(900), r.Int63(), r.Intn(1e6), r.Intn(1000))
	}
	c := make([]byte, size)
	copy(c, b)
	return c
}

func TestOverheadExplore(t *testing.T) {
	if os.Getenv("EXPLORE") == "" {
		t.Skip()
	}
	for _, brokers := range []int{1, 3} {
		for _, random := range []bool{false, true} {
			for _, size := range []int{50, 200, 1000} {
				explore(t, brokers, 12, true, random, size, 16<<20)
			}
		}
	}
	explore(t, 1, 12, false, false, 200, 16<<20)
}

func explore(t *testing.T, brokers, parts int, warm, random bool, size, total int) {
	c, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.SeedTopics(int32(parts), topic), kfake.BlackholeProduce())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	nw := newNetwork(t)
	p, err := New(c.ListenAddrs(), nw.dialer())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(limits(60*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := ctxDone()
		defer cancel()
		p.Close(ctx)
	}()
	if !warm {
		nw.freeze()
	}
	rnd := rand.New(rand.NewSource(1))
	if warm {
		for range 20 {
			rs, o := records(2000, func(int) []byte { return lineOf(size, random, rnd) })
			p.Produce(t.Context(), rs)
			o.wait(t, patience)
		}
		nw.freeze()
	}
	n := total / size
	rs := make([]*zapkafka.Record, n)
	for i := range rs {
		rs[i] = zapkafka.NewRecord(topic, lineOf(size, random, rnd), nil)
	}
	before := liveHeap()
	for i := 0; i < n; i += 1300 {
		p.Produce(t.Context(), rs[i:min(i+1300, n)])
	}
	var worst int64
	begin := time.Now()
	for time.Since(begin) < 8*time.Second {
		worst = max(worst, liveHeap1()-before)
		time.Sleep(100 * time.Millisecond)
	}
	settled := liveHeap() - before
	t.Logf("brokers %d parts %2d warm %v random %-5v size %4d: worst %5.1f MiB = %4d B/rec = %4d%%; settled %5.1f MiB = %d B/rec", brokers, parts, warm, random, size,
		float64(worst)/(1<<20), worst/int64(n), worst*100/int64(n*size), float64(settled)/(1<<20), settled/int64(n))
	runtime.KeepAlive(rs)
}

var _ = kgo.ErrClientClosed
