// Command slog is a program that logs with log/slog and has its log go to Kafka:
// zapslog, of zap's exp module, is the bridge, and the core behind it is that of
// a zapkafka.Logger, so that its levels go for slog too.
//
//	go run ./slog -brokers localhost:9092 -topic test
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

func main() {
	brokers := flag.String("brokers", "localhost:9092", "brokers, host:port, with commas between them")
	topic := flag.String("topic", "test", "topic; it must exist")
	dir := flag.String("fallback", filepath.Join(os.TempDir(), "slog-fallback"), "directory for what Kafka does not take")
	flag.Parse()
	if err := run(strings.Split(*brokers, ","), *topic, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "slog:", err)
		os.Exit(1)
	}
}

func run(brokers []string, topic, dir string) (err error) {
	producer, err := franz.New(brokers)
	if err != nil {
		return err
	}
	fallback, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fallback.Close()) }()
	syncer, err := zapkafka.NewKafkaSyncer(producer, topic, fallback, nil)
	if err != nil {
		return err
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)
	work(logger)

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return syncer.Shutdown(ctx)
}

func work(logger *zapkafka.Logger) {
	orders := slog.New(handler(logger.Core(), "orders"))
	orders.Info("order placed", "order", "7e3f9c1a", slog.Group("customer", "id", 4711, "new", true))
	orders.Debug("not shown: the level is info")

	// The level of one name, from now on.
	if err := logger.Levels().SetNamedLevel("orders", zap.DebugLevel); err != nil {
		orders.Error("level", "error", err)
	}
	orders.Debug("shown")

	// What belongs to one tenant stays in order in one partition.
	tenant := slog.New(handler(logger.Core(), "orders", zapkafka.Key("tenant-7")))
	tenant.WithGroup("payment").Warn("refused", "amount", 9.5, "error", errors.New("card expired"))
}

// handler returns the handler of a logger with a name. The fields are for those
// that slog has no attributes for: the record's key, headers and topic.
func handler(core zapcore.Core, name string, fields ...zapcore.Field) slog.Handler {
	return zapslog.NewHandler(core.With(fields), zapslog.WithName(name), zapslog.WithCaller(true))
}
