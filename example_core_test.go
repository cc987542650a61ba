package zapkafka_test

import (
	"context"
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// printing is kafka that shows what it gets.
type printing struct{ kafka }

func (printing) Produce(_ context.Context, records []*zapkafka.Record) {
	for _, r := range records {
		fmt.Printf("%s: key %q, %s", r.Topic, r.Key, r.Value)
		for _, h := range r.Headers {
			fmt.Printf(", %s=%s", h.Key, h.Value)
		}
		fmt.Println()
		r.Done(nil)
	}
}

// A program with a zap.Config of its own keeps it, and gets a core for Kafka beside
// the one that it has. Beside each record's value there are a key, by which the
// entries of a request stay in order, a topic of its own for the audit, and headers.
func ExampleNewCore() {
	syncer, err := zapkafka.NewKafkaSyncer(printing{}, "app-logs", zapcore.AddSync(os.Stderr), nil)
	if err != nil {
		panic(err)
	}
	config := zapkafka.NewEncoderConfig()
	config.TimeKey = zapcore.OmitKey // for the sake of this example

	cfg := zap.NewProductionConfig()
	cfg.OutputPaths, cfg.DisableCaller, cfg.EncoderConfig = []string{"stdout"}, true, config
	logger, err := cfg.Build(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewTee(core, zapkafka.NewCore(zapcore.NewJSONEncoder(config), syncer, cfg.Level, &zapkafka.CoreOptions{
			Key:   zapkafka.ByField("trace_id"),
			Topic: zapkafka.PerLoggerName(map[string]string{"audit": "audit-logs"}),
			Headers: []zapkafka.HeaderBy{
				{Name: "level", By: zapkafka.ByLevel()},
				{Name: "service", By: zapkafka.ByText("orders")},
			},
		}))
	}))
	if err != nil {
		panic(err)
	}

	request := logger.With(zap.String("trace_id", "4bf92f35"))
	request.Warn("slow")
	fmt.Println(syncer.Sync())
	request.Named("audit").Info("signed in")
	fmt.Println(syncer.Close())
	// Output:
	// {"level":"warn","msg":"slow","trace_id":"4bf92f35"}
	// app-logs: key "4bf92f35", {"level":"warn","msg":"slow","trace_id":"4bf92f35"}, level=warn, service=orders
	// <nil>
	// {"level":"info","logger":"audit","msg":"signed in","trace_id":"4bf92f35"}
	// audit-logs: key "4bf92f35", {"level":"info","logger":"audit","msg":"signed in","trace_id":"4bf92f35"}, level=info, service=orders
	// <nil>
}
