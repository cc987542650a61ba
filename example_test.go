package zapkafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// kafka stands in for a client and its brokers, so that the examples run
// anywhere: it acknowledges every record at once. A program uses an adaptor,
// such as franz.New(brokers) of producer/franz.
type kafka struct{}

func (kafka) Start(zapkafka.Limits, zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	return zapkafka.Overhead{}, nil
}

func (kafka) Produce(_ context.Context, records []*zapkafka.Record) {
	for _, r := range records {
		r.Done(nil)
	}
}

func (kafka) Flush(context.Context)       {}
func (kafka) Close(context.Context) error { return nil }

// plain leaves out what changes from run to run, the time and the caller.
var plain = []zap.Option{zap.WithCaller(false), zap.WithClock(noon{})}

type noon struct{}

func (noon) Now() time.Time                         { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }
func (noon) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// A sink in full: Kafka, a fallback for what Kafka does not take, and the end
// of the program.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	producer := kafka{} // elsewhere: what franz.New returns for the addresses of the brokers
	fallback, err := zapkafka.OpenFallback(filepath.Join(dir, "fallback"), nil)
	if err != nil {
		panic(err)
	}
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, nil)
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)

	logger.Info("started", zap.Int("port", 8080))

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println("shutdown:", syncer.Shutdown(ctx))
	fmt.Println("fallback closed:", fallback.Close())
	// Output:
	// shutdown: <nil>
	// fallback closed: <nil>
}

// A panic that nobody recovers ends the process, and of all deferred calls only
// those of its own goroutine run. So a goroutine that may panic defers this: the
// panic is logged with its stack, Panic syncs, and goes on as a panic.
func Example_panic() {
	var out bytes.Buffer // elsewhere: a KafkaSyncer
	logger := zapkafka.New(&out, zap.InfoLevel, append(plain, zap.AddStacktrace(zapcore.FatalLevel))...)

	logPanic := func() {
		if r := recover(); r != nil {
			logger.Panic("panic", zap.Any("panic", r)) // with the stack, by default
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { fmt.Println("the process would end here:", recover()) }() // for the sake of this example
		defer logPanic()
		panic("no such order")
	}()
	<-ended
	fmt.Print(out.String())
	// Output:
	// the process would end here: panic
	// {"level":"panic","logtime":"2026-01-02T12:00:00.000Z","msg":"panic","panic":"no such order"}
}

// In a test, or without Kafka at all, a Logger writes to anything.
func ExampleNew() {
	var buf bytes.Buffer
	logger := zapkafka.New(&buf, zap.InfoLevel, plain...)
	logger.Info("order placed", zap.String("id", "4711"), zap.Float64("amount", 9.5))
	logger.Debug("below the level")
	fmt.Print(buf.String())
	// Output:
	// {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"order placed","id":"4711","amount":9.5}
}

// Everything goes to Kafka and to the console.
func ExampleTee() {
	syncer, err := zapkafka.NewKafkaSyncer(kafka{}, "app-logs", zapcore.AddSync(os.Stderr), nil)
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(zapkafka.Tee(syncer, os.Stdout), zap.InfoLevel, plain...)
	logger.Info("in both")

	fmt.Println(syncer.Close(), syncer.Stats().Acked)
	// Output:
	// {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"in both"}
	// <nil> 1
}

// An encoder of one's own, and a second destination that takes errors only.
func ExampleNewWithCore() {
	config := zapkafka.NewEncoderConfig()
	config.TimeKey = zapcore.OmitKey
	everything := zapcore.NewCore(zapcore.NewConsoleEncoder(config), zapcore.Lock(os.Stdout), zap.DebugLevel)
	var alarms bytes.Buffer
	errorsOnly := zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.AddSync(&alarms), zap.ErrorLevel)

	logger := zapkafka.NewWithCore(zapcore.NewTee(everything, errorsOnly), zap.InfoLevel,
		zap.WithCaller(false), zap.AddStacktrace(zapcore.FatalLevel+1))
	logger.Info("disk nearly full", zap.Int("percent", 91))
	logger.Error("disk full")
	fmt.Print("alarms: ", alarms.String())
	// Output:
	// info	disk nearly full	{"percent": 91}
	// error	disk full
	// alarms: {"level":"error","msg":"disk full"}
}

// The fields that Logstash and its encoder for Java use, with the constant that
// zap has no key for.
func ExampleNewLogstashEncoderConfig() {
	syncer, err := zapkafka.NewKafkaSyncer(kafka{}, "app-logs", zapcore.AddSync(os.Stderr), nil)
	if err != nil {
		panic(err)
	}
	encoder := zapcore.NewJSONEncoder(zapkafka.NewLogstashEncoderConfig())
	encoder.AddString("@version", "1")
	toKafka := zapkafka.NewCore(encoder, syncer, zap.DebugLevel, nil)
	toConsole := zapcore.NewCore(encoder, zapcore.Lock(os.Stdout), zap.DebugLevel)

	logger := zapkafka.NewWithCore(zapcore.NewTee(toKafka, toConsole), zap.InfoLevel, plain...)
	logger.Named("shop").Info("order placed", zap.Int("items", 3))

	fmt.Println(syncer.Close(), syncer.Stats().Acked)
	// Output:
	// {"level":"INFO","@timestamp":"2026-01-02T12:00:00.000Z","logger_name":"shop","message":"order placed","@version":"1","items":3}
	// <nil> 1
}

// A fallback is a directory of plain text, one entry a line.
func ExampleOpenFallback() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	fallback, err := zapkafka.OpenFallback(dir, &zapkafka.FallbackOptions{MaxBytes: 4 << 30})
	if err != nil {
		panic(err)
	}
	// A KafkaSyncer does this, when Kafka does not take an entry.
	if _, err := fallback.Write([]byte(`{"level":"info","msg":"kept"}` + "\n")); err != nil {
		panic(err)
	}
	fmt.Println("entries on file:", fallback.Stats().Stored)
	if err := fallback.Close(); err != nil {
		panic(err)
	}

	segments, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, name := range segments {
		text, _ := os.ReadFile(name)
		fmt.Println(filepath.Base(name))
		fmt.Print(string(text))
	}
	// Output:
	// entries on file: 1
	// 00000000000000000001.log
	// {"level":"info","msg":"kept"}
}

// The balance sheet: every entry that was accepted has exactly one outcome.
func ExampleKafkaSyncer_Stats() {
	var file bytes.Buffer // any WriteSyncer can be the fallback
	syncer, err := zapkafka.NewKafkaSyncer(kafka{}, "app-logs", zapcore.AddSync(&file), &zapkafka.Options{MaxEntryBytes: 1000})
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)
	for range [3]struct{}{} {
		logger.Info("short enough for Kafka")
	}
	logger.Info("too long for it", zap.String("text", strings.Repeat("x", 1000)))
	if err := syncer.Close(); err != nil {
		panic(err)
	}

	s := syncer.Stats()
	fmt.Printf("accepted %d, acked %d, on file %d (too large: %d), lost %d, pending %d\n",
		s.Accepted, s.Acked, s.FellBack.Total(), s.FellBack.TooLarge, s.Lost.Total(), s.PendingEntries)
	// Output:
	// accepted 4, acked 3, on file 1 (too large: 1), lost 0, pending 0
}

// What an earlier process left in the fallback goes to Kafka by itself.
func ExampleFallback_Stats() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	earlier, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(earlier, `{"level":"info","msg":"Kafka was away"}`)
	if err := earlier.Close(); err != nil {
		panic(err)
	}

	fallback, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println("waiting:", fallback.Stats().OnFile)
	syncer, err := zapkafka.NewKafkaSyncer(kafka{}, "app-logs", fallback, nil)
	if err != nil {
		panic(err)
	}
	for fallback.Stats().OnFile > 0 {
		<-time.After(time.Millisecond)
	}
	state, _ := syncer.State()
	fmt.Println("replayed:", fallback.Stats().Replayed, "state:", state)
	if err := errors.Join(syncer.Close(), fallback.Close()); err != nil {
		panic(err)
	}
	// Output:
	// waiting: 1
	// replayed: 1 state: healthy
}
