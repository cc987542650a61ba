package producertest_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producertest"
)

// A program's log without a Kafka: what it logs can be looked at, and what it
// does when Kafka fails can be tried.
func ExampleNewProducer() {
	dir, err := os.MkdirTemp("", "fallback")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	fallback, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fallback.Close()

	producer := producertest.NewProducer()
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, &zapkafka.Options{
		ErrorHandler: func(error) {},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	logger := zapkafka.New(syncer, zapcore.InfoLevel)

	logger.Info("to Kafka")
	_ = logger.Sync()
	producer.Fail(errors.New("no leader"))
	logger.Info("on file")
	_ = logger.Sync()
	_ = syncer.Close()

	for _, m := range producer.Records() {
		fmt.Println(m.Topic, len(m.Value) > 0)
	}
	stats := syncer.Stats()
	fmt.Println("acknowledged:", stats.Acked, "on file:", stats.FellBack.Total())
	// Output:
	// app-logs true
	// acknowledged: 1 on file: 1
}

// The test of an adaptor: newBroker starts a broker that can be disturbed, and
// newAdaptor returns a producer for it.
func ExampleRun() {
	_ = func(t *testing.T) { // TestContract
		producertest.Run(t, producertest.Harness{
			NewBroker:   newBroker,
			NewProducer: newAdaptor,
			Unsupported: map[string]string{
				"CloseWhenStalled": "the client cannot be interrupted while it writes",
			},
			GoroutinesLeft: 1, // the client's watch over idle connections
		})
	}
}

func newBroker(testing.TB) producertest.Broker { return nil }

func newAdaptor(testing.TB, producertest.Broker) zapkafka.Producer { return nil }
