// Command core is the program stock, which logs to Kafka too: by a core beside that
// of its zap.Config.
package main

import (
	"log"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

func main() {
	cfg := zap.NewProductionConfig()
	syncer := must(zapkafka.NewKafkaSyncer(must(franz.New([]string{"localhost:9092"})), "test", must(zapkafka.OpenFallback("kafka-fallback", nil)), nil))
	kafka := zapkafka.NewCore(zapcore.NewJSONEncoder(cfg.EncoderConfig), syncer, cfg.Level, nil)
	logger := must(cfg.Build(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return zapcore.NewTee(core, kafka) })))
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
