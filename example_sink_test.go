package zapkafka_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
)

// A scheme can be registered once in a process. A program without options of its
// own writes franz.RegisterSink("kafka"); with some it gives franz.SinkProducer()
// where there is a function here, which makes a client that is none.
var sinks, errSinks = zapkafka.RegisterSink("kafka",
	func(zapkafka.SinkURL) (zapkafka.Producer, error) { return kafka{}, nil },
	&zapkafka.SinkOptions{Options: zapkafka.Options{IDHeader: true}})

// Kafka is one of the outputs of a zap.Config, which may as well be read from
// YAML or JSON.
func ExampleRegisterSink() {
	if errSinks != nil {
		panic(errSinks)
	}
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	config := zap.NewProductionConfig()
	config.OutputPaths = []string{"kafka://b1:9092,b2:9092/app-logs?sync_timeout=5s&fallback=" + url.QueryEscape(dir)}
	logger, err := config.Build()
	if err != nil {
		panic(err)
	}
	logger.Info("hello")
	if err := logger.Sync(); err != nil {
		panic(err)
	}
	for _, syncer := range sinks.All() {
		fmt.Println("acknowledged:", syncer.Stats().Acked)
	}

	config.OutputPaths = []string{"kafka://b1:9092/app-logs?fallback=stderr&bufer=8MiB"}
	_, err = config.Build()
	fmt.Println(err)

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := sinks.Shutdown(ctx); err != nil {
		panic(err)
	}
	// Output:
	// acknowledged: 1
	// open sink "kafka://b1:9092/app-logs?fallback=stderr&bufer=8MiB": zapkafka: sink URL: parameter bufer is not known: did you mean buffer?
}
