package expvar_test

import (
	"encoding/json"
	stdexpvar "expvar"
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/expvar"
	"github.com/zapkafka/zapkafka/producertest"
)

// A sink's balance sheet under /debug/vars.
func ExamplePublish() {
	// Elsewhere: an adaptor, such as franz.New(brokers), and a zapkafka.Fallback.
	syncer, err := zapkafka.NewKafkaSyncer(producertest.NewProducer(), "app-logs", zapcore.AddSync(io.Discard), nil)
	if err != nil {
		panic(err)
	}
	defer syncer.Close()
	if err := expvar.Publish("log", syncer); err != nil {
		fmt.Fprintln(os.Stderr, err) // the name is taken; the program goes on without
	}
	fmt.Println(expvar.Publish("memstats", syncer))

	logger := zapkafka.New(syncer, zap.InfoLevel)
	logger.Info("started")
	if err := logger.Sync(); err != nil {
		panic(err)
	}
	var sheet struct {
		State           string
		Accepted, Acked uint64
		BufferBytes     int64
	}
	if err := json.Unmarshal([]byte(stdexpvar.Get("log").String()), &sheet); err != nil {
		panic(err)
	}
	fmt.Printf("%+v\n", sheet)
	// Output:
	// zapkafka: expvar: there is a variable "memstats" already: give this one another name
	// {State:healthy Accepted:1 Acked:1 BufferBytes:67108864}
}
