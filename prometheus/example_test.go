package zapkafkaprom_test

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producertest"
	zapkafkaprom "github.com/zapkafka/zapkafka/prometheus"
)

// A sink and its fallback, registered. promhttp.Handler serves what is registered
// with the default registry.
func ExampleNewCollector() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	fallback, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		panic(err)
	}
	defer fallback.Close()
	// Elsewhere: an adaptor, such as franz.New(brokers).
	syncer, err := zapkafka.NewKafkaSyncer(producertest.NewProducer(), "app-logs", fallback, nil)
	if err != nil {
		panic(err)
	}
	defer syncer.Close()

	collector, err := zapkafkaprom.NewCollector(zapkafkaprom.Sink{Name: "app-logs", Syncer: syncer, Fallback: fallback})
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(collector); err != nil {
		panic(err)
	}
	defer registry.Unregister(collector)

	logger := zapkafka.New(syncer, zap.InfoLevel)
	logger.Info("started")
	if err := logger.Sync(); err != nil {
		panic(err)
	}
	text, err := testutil.CollectAndFormat(collector, expfmt.TypeTextPlain, "zapkafka_state", "zapkafka_pending_entries")
	if err != nil {
		panic(err)
	}
	fmt.Print(string(text))
	// Output:
	// # HELP zapkafka_pending_entries Entries without an outcome.
	// # TYPE zapkafka_pending_entries gauge
	// zapkafka_pending_entries{sink="app-logs"} 0
	// # HELP zapkafka_state 1 for the state that the sink is in, 0 for the others.
	// # TYPE zapkafka_state gauge
	// zapkafka_state{sink="app-logs",state="degraded"} 0
	// zapkafka_state{sink="app-logs",state="fallback_only"} 0
	// zapkafka_state{sink="app-logs",state="healthy"} 1
}
