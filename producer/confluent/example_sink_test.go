//go:build cgo

package confluent_test

import (
	"context"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka/producer/confluent"
)

// Kafka as one of the outputs of a zap.Config, with what a URL cannot say in
// code.
func ExampleRegisterSink() {
	sinks, err := confluent.RegisterSink("kafka", &kafka.ConfigMap{"compression.type": "zstd"})
	if err != nil {
		fmt.Println(err)
		return
	}
	config := zap.NewProductionConfig()
	config.OutputPaths = []string{"stdout", "kafka://kafka-1:9092,kafka-2:9092/app-logs?fallback=/var/lib/app/kafka-fallback"}
	logger, err := config.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	logger.Info("hello")

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := sinks.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
}
