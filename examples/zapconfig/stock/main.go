// Command stock is a program with zap as it comes, before it logs to Kafka. The
// programs core and url beside it are the same with Kafka.
package main

import (
	"log"
	"time"

	"go.uber.org/zap"
)

func main() {
	cfg := zap.NewProductionConfig()
	logger := must(cfg.Build())
	defer func() { _ = logger.Sync() }()

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
