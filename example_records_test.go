package zapkafka_test

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producertest"
)

// The records here are those of a producer in memory, which shows what it has been
// given.
func show(records []producertest.Message) {
	for _, r := range records {
		fmt.Printf("%s: key %q,", r.Topic, r.Key)
		for _, h := range r.Headers {
			fmt.Printf(" %s=%s,", h.Key, h.Value)
		}
		fmt.Printf(" %s\n", r.Value)
	}
}

// What has the same key is in one partition, and in order there.
func ExampleKey() {
	producer := producertest.NewProducer() // elsewhere: an adaptor's
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", zapcore.AddSync(os.Stderr), nil)
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(syncer, zap.InfoLevel, plain...)

	tenant := logger.With(zapkafka.Key("tenant-7"))
	tenant.Info("signed in")
	tenant.Info("paid", zapkafka.Key("order-12")) // one of the call counts more than one of With
	logger.Info("no key: any partition")

	if err := syncer.Close(); err != nil {
		panic(err)
	}
	show(producer.Records())
	// Output:
	// app-logs: key "tenant-7", {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"signed in"}
	// app-logs: key "order-12", {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"paid"}
	// app-logs: key "", {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"no key: any partition"}
}

// Some entries go to another topic, which has to exist.
func ExampleTopic() {
	producer := producertest.NewProducer() // elsewhere: an adaptor's
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", zapcore.AddSync(os.Stderr), nil)
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(syncer, zap.InfoLevel, plain...)

	audit := logger.With(zapkafka.Topic("audit"))
	audit.Info("signed in")
	logger.Info("started")

	if err := syncer.Close(); err != nil {
		panic(err)
	}
	show(producer.Records())
	// Output:
	// audit: key "", {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"signed in"}
	// app-logs: key "", {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"started"}
}

// A consumer chooses by headers without decoding the entry.
func ExampleRecordHeader() {
	producer := producertest.NewProducer() // elsewhere: an adaptor's
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", zapcore.AddSync(os.Stderr), nil)
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(syncer, zap.InfoLevel, plain...)

	service := logger.With(zapkafka.RecordHeader("service", "orders"))
	service.Info("order placed", zapkafka.RecordHeader("tenant", "7"))

	if err := syncer.Close(); err != nil {
		panic(err)
	}
	show(producer.Records())
	// Output:
	// app-logs: key "", service=orders, tenant=7, {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"order placed"}
}

// An entry whose acknowledgement comes too late is in Kafka and on file, and after
// its replay in Kafka twice: with the same id.
func ExampleOptions_idHeader() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	fallback, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		panic(err)
	}
	producer := producertest.NewProducer() // elsewhere: an adaptor's
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, &zapkafka.Options{
		IDHeader:     true,
		SyncTimeout:  20 * time.Millisecond,
		ErrorHandler: func(error) {},
	})
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)

	producer.Hold() // Kafka freezes
	logger.Info("order placed")
	for fallback.Stats().Stored == 0 {
		_ = logger.Sync() // does not wait for Kafka for long
	}
	producer.Release() // and goes on
	for len(producer.Records()) < 2 {
		<-time.After(time.Millisecond)
	}
	if err := errors.Join(syncer.Close(), fallback.Close()); err != nil {
		panic(err)
	}

	header := func(r producertest.Message, name string) string {
		for _, h := range r.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}
	first, second := producer.Records()[0], producer.Records()[1]
	fmt.Println("the same entry:", header(first, "id") == header(second, "id"))
	fmt.Println("possibly-duplicate:", header(second, "possibly-duplicate"))
	fmt.Println("replayed:", header(first, "replayed") != "", header(second, "replayed") != "")
	// Output:
	// the same entry: true
	// possibly-duplicate: true
	// replayed: false true
}
