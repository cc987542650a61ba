package franz_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka/producer/franz"
)

// A scheme can be registered once in a process.
var sinks, errSinks = franz.RegisterSink("kafka")

// Kafka as one of the outputs of a zap.Config, which may as well be read from
// YAML or JSON.
func ExampleRegisterSink() {
	if errSinks != nil {
		fmt.Println(errSinks)
		return
	}
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "app-logs"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	config := zap.NewProductionConfig()
	config.OutputPaths = []string{
		"kafka://" + broker.ListenAddrs()[0] + "/app-logs?sync_timeout=10s&fallback=" + url.QueryEscape(dir),
	}
	logger, err := config.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	logger.Info("hello")

	if err := logger.Sync(); err != nil {
		fmt.Println(err)
	}
	for _, syncer := range sinks.All() {
		fmt.Println("acknowledged:", syncer.Stats().Acked)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := sinks.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: acknowledged: 1
}
