package benchmark

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is a usual entry of 200 bytes.
var line = []byte(`{"level":"info","logtime":"2026-01-02T03:04:05.678Z","caller":"orders/place.go:123","msg":"order placed","order":"7e3f9c1a","customer":482113,"items":3,"total":129.9,"currency":"EUR","took":0.0123456}` + "\n")

const topic = "bench"

// cluster starts a broker in this process that acknowledges and discards, so
// that what is measured is the producing side (and the broker's decoding, the
// same for all).
func cluster(b *testing.B) []string {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, topic), kfake.BlackholeProduce())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c.ListenAddrs()
}

// BenchmarkFranzRaw is franz-go as its documentation shows it: Produce with a
// promise, the defaults, a copy of the line because zap uses its buffer again.
// When the client has as many records as it may buffer, the caller waits. The
// time ends with the last acknowledgement.
func BenchmarkFranzRaw(b *testing.B) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster(b)...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var failed atomic.Int64
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
		}
	}
	ctx := context.Background()
	produce := func() {
		client.Produce(ctx, &kgo.Record{Value: append([]byte(nil), line[:len(line)-1]...)}, promise)
	}
	produce()
	if err := client.Flush(ctx); err != nil { // connected, metadata known
		b.Fatal(err)
	}
	run(b, produce, func() {
		if err := client.Flush(ctx); err != nil {
			b.Fatal(err)
		}
	})
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d records failed", n)
	}
}

// BenchmarkFranzSink is the same client with the same defaults for what goes
// over the wire behind a KafkaSyncer. What does not fit into its memory goes to
// the fallback instead of making the caller wait: the share that Kafka got is
// reported, and the bound is such that at this rate it need not be all.
func BenchmarkFranzSink(b *testing.B) {
	producer, err := franz.New(cluster(b))
	if err != nil {
		b.Fatal(err)
	}
	fallback, err := zapkafka.OpenFallback(b.TempDir(), &zapkafka.FallbackOptions{MaxBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer fallback.Close()
	syncer, err := zapkafka.NewKafkaSyncer(producer, topic, fallback, &zapkafka.Options{
		BufferBytes:  64 << 20,
		ErrorHandler: func(err error) { b.Log(err) },
	})
	if err != nil {
		b.Fatal(err)
	}
	produce := func() {
		if _, err := syncer.Write(line); err != nil {
			b.Error(err)
		}
	}
	produce()
	if err := syncer.Sync(); err != nil {
		b.Fatal(err)
	}
	run(b, produce, func() {
		if err := syncer.Shutdown(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
	s := syncer.Stats()
	b.ReportMetric(float64(s.Acked)/float64(s.Accepted), "acked/op")
	b.ReportMetric(float64(s.FellBack.Total())/float64(s.Accepted), "fallback/op")
	if s.Lost.Total() > 0 {
		b.Fatalf("lost entries: %+v", s.Lost)
	}
}

// run times b.N calls from all cores and the wait for the last outcome.
func run(b *testing.B, produce, finish func()) {
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			produce()
		}
	})
	enqueued := b.Elapsed()
	finish()
	b.StopTimer()
	b.ReportMetric(float64(enqueued.Nanoseconds())/float64(b.N), "ns/call")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
