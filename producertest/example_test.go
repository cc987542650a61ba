package producertest_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"go.uber.org/zap"
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

// What the program logs is looked at where it would be in Kafka.
func ExampleNewLogger() {
	placeOrder := func(logger *zap.Logger, customer string, items int) {
		logger.Info("order placed", zapkafka.Key(customer), zap.Int("items", items))
	}
	_ = func(t *testing.T) { // TestOrderIsLogged
		logger, logs := producertest.NewLogger(t, zap.InfoLevel)
		placeOrder(logger.Logger, "customer-7", 3)

		e := logs.WaitFor(1)[0]
		if string(e.Key) != "customer-7" || e.Fields["msg"] != "order placed" || e.Fields["items"] != 3.0 {
			t.Errorf("got %v", e)
		}
	}
}

// An outage, and its end: nothing is lost, and a consumer can tell what came late.
func ExampleObserver() {
	_ = func(t *testing.T) { // TestOutage
		logger, logs := producertest.NewLogger(t, zap.InfoLevel)
		logs.KafkaDown()
		logger.Warn("card declined")
		if e := logs.WaitForFallback(1)[0]; e.Fields["level"] != "warn" {
			t.Errorf("on file is %v", e)
		}

		logs.KafkaUp()
		if e := logs.WaitFor(1)[0]; e.Header("replayed") == "" {
			t.Errorf("replayed was %v", e)
		}
	}
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
