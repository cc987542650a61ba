// Command url is the program stock, which logs to Kafka too: by a URL among the
// outputs of its zap.Config.
package main

import (
	"context"
	"log"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka/producer/franz"
)

func main() {
	cfg := zap.NewProductionConfig()
	sinks := must(franz.RegisterSink("kafka"))
	cfg.OutputPaths = append(cfg.OutputPaths, "kafka://localhost:9092/test?fallback=kafka-fallback")
	logger := must(cfg.Build())
	defer func() { _ = logger.Sync() }()
	defer func() { _ = sinks.Shutdown(context.Background()) }() // before Sync, which gives Kafka 250 ms here

	logger.Info("started", zap.Int("workers", 4))
	orders := logger.Named("orders").With(zap.String("tenant", "tenant-7"))
	orders.Info("order placed", zap.String("order", "7e3f9c1a"), zap.Int("items", 3))
	orders.Warn("slow payment", zap.Duration("took", 2*time.Second))
	orders.Debug("not shown")
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
