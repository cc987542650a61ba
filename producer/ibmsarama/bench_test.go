package ibmsarama

import (
	"math/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/zapkafka/zapkafka"
)

// BenchmarkProduce measures the way of a record from Produce to Done, 1300 log
// lines of 200 bytes a call, against a broker in the same process which
// acknowledges and discards. An operation is one record; the broker's share is
// in the figures, the making of the records is not.
func BenchmarkProduce(b *testing.B) {
	for _, bench := range []struct {
		name  string
		codec sarama.CompressionCodec
	}{
		{"snappy", sarama.CompressionSnappy},
		{"lz4", sarama.CompressionLZ4},
		{"none", sarama.CompressionNone},
	} {
		b.Run(bench.name, func(b *testing.B) {
			benchProduce(b, with(func(c *sarama.Config) { c.Producer.Compression = bench.codec }))
		})
	}
}

func benchProduce(b *testing.B, config *sarama.Config) {
	const call, calls, size = 1300, 100, 200
	c := newCluster(b, kfake.SeedTopics(12, "bench"), kfake.BlackholeProduce())
	l := limits(30 * time.Second)
	l.Records = 40 * call // as much as a syncer may have under way
	p := start(b, c.ListenAddrs(), l, nil, config)

	rnd := rand.New(rand.NewSource(1))
	lines := make([][]byte, call)
	for i := range lines {
		lines[i] = logLine(rnd, size)
	}
	var failed, left atomic.Int64
	done := make(chan struct{})
	report := func(err error) {
		if err != nil {
			failed.Add(1)
		}
		if left.Add(-1) == 0 {
			done <- struct{}{}
		}
	}
	round := func(n int) {
		b.StopTimer()
		rs := make([]*zapkafka.Record, n)
		for i := range rs {
			rs[i] = zapkafka.NewRecord("bench", lines[i%call], report)
		}
		left.Store(int64(n))
		b.StartTimer()
		for i := 0; i < n; i += call {
			p.Produce(b.Context(), rs[i:min(i+call, n)])
		}
		<-done
	}
	round(call) // connected, partitions known
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	for n := b.N; n > 0; n -= call * calls {
		round(min(n, call*calls))
	}
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d records failed", n)
	}
}
