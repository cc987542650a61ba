package benchmark

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/benchmark/load"
	"github.com/zapkafka/zapkafka/benchmark/rivals"
	"github.com/zapkafka/zapkafka/benchmark/trial"
)

// brokerFlag is with what trial.StartDiscard runs this program.
var brokerFlag = flag.Int("discard-broker", 0, "be a broker with so many partitions (for this program itself)")

func TestMain(m *testing.M) {
	flag.Parse()
	if *brokerFlag > 0 {
		if err := trial.DiscardBroker(*brokerFlag, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m,
		// sarama's metrics have one for the process, which never ends.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// payload is 51 bytes, as in the field's best-known comparison, and a newline.
var payload = []byte("this entry has fifty-one bytes, its newline not yet.\n")

const (
	partitions = 4
	patience   = time.Minute
)

// broker starts a broker that discards, in a process of its own, or makes a topic
// on the Kafka that KAFKA_BROKERS names.
func broker(b *testing.B) *trial.Broker {
	b.Helper()
	var at *trial.Broker
	var err error
	if list := os.Getenv("KAFKA_BROKERS"); list != "" {
		at, err = trial.OnKafka(strings.Split(list, ","), partitions)
	} else {
		at, err = trial.StartDiscard(os.Args[0], partitions)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(at.End)
	return at
}

// classic runs the benchmark of a client in three forms. In published, which has
// the settings of that comparison, the time is that of the calls alone, whatever
// becomes of the entries: what it does not measure is delivery, loss, and what the
// calls leave to be done. In fair and zapkafka each call has a message of its own,
// all in-sync replicas acknowledge, errors are read, and the time ends with the
// last acknowledgement; that of the calls alone is ns/call. In zapkafka the sink
// is before the same client.
//
// -benchtime 500000x makes the time of the last batch vanish in the others'.
func classic(b *testing.B, parallel bool, published, fair, sink string) {
	for _, form := range []struct{ name, rival string }{{"published", published}, {"fair", fair}, {"zapkafka", sink}} {
		if form.rival == "" {
			continue
		}
		b.Run(form.name, func(b *testing.B) { measure(b, parallel, form.rival, form.name == "published") })
	}
}

func measure(b *testing.B, parallel bool, name string, callsOnly bool) {
	rival, ok := rivals.Find(name)
	if !ok {
		b.Skipf("%s is not in this build: it needs cgo", name)
	}
	at := broker(b)
	sink, err := rival.Open(rivals.Setup{Brokers: at.Addrs, Topic: at.Topic, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	write := func() { _, _ = sink.Write(payload) } // what it refuses it counts
	write()                                        // connects
	awaitEntries(ctx, b, at, 1)

	b.ReportAllocs()
	b.ResetTimer()
	if parallel {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				write()
			}
		})
	} else {
		for range b.N {
			write()
		}
	}
	if callsOnly {
		b.StopTimer()
	}
	calls := b.Elapsed()
	if err := sink.Drain(ctx); err != nil {
		b.Error(err)
	}
	b.StopTimer()
	if !callsOnly {
		b.ReportMetric(float64(calls.Nanoseconds())/float64(b.N), "ns/call")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	}
	if err := sink.Close(ctx); err != nil {
		b.Error(err)
	}
	n, err := at.Entries(ctx)
	if err != nil {
		b.Fatal(err)
	}
	count := sink.Count()
	b.ReportMetric(float64(n-1)/float64(b.N), "delivered/op")
	if count.Sheet != "" && (count.Sheet != rivals.Balanced || count.Failed > 0) {
		b.Errorf("%s; %d entries are lost", count.Sheet, count.Failed)
	}
}

// awaitEntries waits for entries to be with the broker.
func awaitEntries(ctx context.Context, b *testing.B, at *trial.Broker, want int64) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := at.Entries(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if n >= want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Fatalf("%d of %d entries are with the broker", n, want)
		}
	}
}

func BenchmarkSaramaAsync(b *testing.B) {
	classic(b, false, "published-sarama", "sarama-input", "zapkafka-ibmsarama")
}

func BenchmarkSaramaAsyncInParallel(b *testing.B) {
	classic(b, true, "published-sarama", "sarama-input", "zapkafka-ibmsarama")
}

func BenchmarkShopifySaramaAsync(b *testing.B) {
	classic(b, false, "published-shopify", "shopify-input", "zapkafka-shopifysarama")
}

func BenchmarkShopifySaramaAsyncInParallel(b *testing.B) {
	classic(b, true, "published-shopify", "shopify-input", "zapkafka-shopifysarama")
}

func BenchmarkKafkaGoAsync(b *testing.B) {
	classic(b, false, "published-kafkago", "kafkago-async", "zapkafka-kafkago")
}

func BenchmarkKafkaGoAsyncInParallel(b *testing.B) {
	classic(b, true, "published-kafkago", "kafkago-async", "zapkafka-kafkago")
}

func BenchmarkConfluentKafkaGoAsync(b *testing.B) {
	classic(b, false, "published-confluent", "confluent", "zapkafka-confluent")
}

func BenchmarkConfluentKafkaGoAsyncInParallel(b *testing.B) {
	classic(b, true, "published-confluent", "confluent", "zapkafka-confluent")
}

// The client's documentation says that it needs no mutex; that comparison has one.
func BenchmarkConfluentKafkaGoAsyncInParallelWithMutex(b *testing.B) {
	classic(b, true, "", "confluent-mutex", "")
}

func BenchmarkFranzGoAsync(b *testing.B) { classic(b, false, "", "franz-raw", "zapkafka-franz") }

func BenchmarkFranzGoAsyncInParallel(b *testing.B) {
	classic(b, true, "", "franz-raw", "zapkafka-franz")
}

// BenchmarkKafkaGoSync shows why kafka-go's synchronous mode is said to do some
// tens of messages a second: a call waits until a batch is full or BatchTimeout,
// a second by default, is over. An operation is a call of each goroutine.
func BenchmarkKafkaGoSync(b *testing.B) {
	for _, form := range []struct{ name, rival string }{{"default", "kafkago-sync"}, {"1ms", "kafkago-sync-1ms"}} {
		for _, goroutines := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("%s/%d", form.name, goroutines), func(b *testing.B) {
				at := broker(b)
				rival, _ := rivals.Find(form.rival)
				sink, err := rival.Open(rivals.Setup{Brokers: at.Addrs, Topic: at.Topic})
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				took := load.Flood(goroutines, b.N*goroutines, func(int, int) { _, _ = sink.Write(payload) })
				b.StopTimer()
				b.ReportMetric(float64(b.N*goroutines)/took.Seconds(), "entries/s")
				if count := sink.Count(); count.Acked != uint64(b.N*goroutines) {
					b.Errorf("%d of %d acknowledged", count.Acked, b.N*goroutines)
				}
				if err := sink.Close(context.Background()); err != nil {
					b.Error(err)
				}
			})
		}
	}
}
