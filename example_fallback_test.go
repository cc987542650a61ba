package zapkafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producertest"
)

// A small disk: what was logged last is worth more than what was logged first.
func ExampleFallbackOptions() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	fallback, err := zapkafka.OpenFallback(dir, &zapkafka.FallbackOptions{
		MaxBytes:   64 << 10,
		KeepNewest: true, // without it the last entries would be refused, with ErrFallbackFull
	})
	if err != nil {
		panic(err)
	}
	line := bytes.Repeat([]byte("x"), 1000)
	for range [100]struct{}{} {
		if _, err := fallback.Write(line); err != nil {
			panic(err)
		}
	}
	s := fallback.Stats()
	fmt.Println("all accounted for:", s.Evicted+s.OnFile == s.Stored)
	fmt.Println("the oldest have given way:", s.Evicted > 0, "within the bound:", s.Bytes <= 64<<10)
	if err := fallback.Close(); err != nil {
		panic(err)
	}
	// Output:
	// all accounted for: true
	// the oldest have given way: true within the bound: true
}

// What is on file survives the program's end. To survive that of the machine it
// needs an fsync, which is made here a second later at the most; writes do not wait
// for it.
func ExampleFallbackOptions_fsyncAfter() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	fallback, err := zapkafka.OpenFallback(dir, &zapkafka.FallbackOptions{FsyncAfter: time.Second})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(fallback, `{"level":"info","msg":"kept"}`)
	fmt.Println("failed:", fallback.Stats().FailedFsyncs)
	fmt.Println(fallback.Close()) // makes one, too
	// Output:
	// failed: 0
	// <nil>
}

// What the replay sends is not to be too much for Kafka after an outage, and not to
// be deleted for its age: the topic keeps entries for an hour only.
func ExampleReplayOptions() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	fallback, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(fallback, `{"level":"info","msg":"of an outage"}`)

	producer := producertest.NewProducer() // elsewhere: an adaptor's
	begin := time.Now().Truncate(time.Millisecond)
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, &zapkafka.Options{
		Replay: zapkafka.ReplayOptions{Rate: 1000, StampNow: true}, // Rate: -1 leaves all on file
	})
	if err != nil {
		panic(err)
	}
	for fallback.Stats().OnFile > 0 {
		<-time.After(time.Millisecond)
	}
	if err := errors.Join(syncer.Close(), fallback.Close()); err != nil {
		panic(err)
	}
	for _, r := range producer.Records() {
		fmt.Printf("%s\nstamped now: %t, header: %s\n", r.Value, !r.Time.Before(begin), r.Headers[0].Key)
	}
	// Output:
	// {"level":"info","msg":"of an outage"}
	// stamped now: true, header: replayed
}

// An outage, as a service may want to know of it.
func ExampleOptions_onStateChange() {
	producer := producertest.NewProducer() // elsewhere: an adaptor's
	states := make(chan zapkafka.State, 10)
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", zapcore.AddSync(os.Stderr), &zapkafka.Options{
		OutageAfter:   20 * time.Millisecond, // by default 5 s
		OnStateChange: func(state zapkafka.State, _ time.Time) { states <- state },
	})
	if err != nil {
		panic(err)
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)

	producer.Hold() // Kafka freezes
	logger.Info("order placed")
	fmt.Println(<-states)
	producer.Release() // and goes on
	fmt.Println(<-states)
	if err := syncer.Close(); err != nil {
		panic(err)
	}
	// Output:
	// fallback only
	// healthy
}

// Neither Kafka nor the fallback takes anything: what is lost is shown, and counted.
func ExampleOptions_lastResort() {
	var shown bytes.Buffer // by default standard error
	var troubles []string
	producer := producertest.NewProducer() // elsewhere: an adaptor's
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fullDisk{}, &zapkafka.Options{
		LastResort:   &shown,
		ErrorHandler: func(err error) { troubles = append(troubles, err.Error()) },
	})
	if err != nil {
		panic(err)
	}
	producer.Fail(errors.New("no leader"))
	zapkafka.New(syncer, zap.InfoLevel, plain...).Info("order placed")
	_ = syncer.Close()

	fmt.Print(shown.String())
	fmt.Println("lost:", syncer.Stats().Lost.FallbackFailed, "told of:", len(troubles) > 0)
	// Output:
	// zapkafka: lost: {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"order placed"}
	// lost: 1 told of: true
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
func (fullDisk) Sync() error               { return nil }

// The end of a program, with a deadline: what Kafka does not acknowledge until then
// is on file.
func ExampleKafkaSyncer_Shutdown() {
	var file bytes.Buffer
	producer := producertest.NewProducer() // elsewhere: an adaptor's
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", zapcore.AddSync(&file), &zapkafka.Options{ErrorHandler: func(error) {}})
	if err != nil {
		panic(err)
	}
	producer.Hold() // Kafka is frozen
	zapkafka.New(syncer, zap.InfoLevel, plain...).Info("the last one")

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	fmt.Println(syncer.Shutdown(ctx))
	fmt.Print(file.String())
	// Output:
	// <nil>
	// {"level":"info","logtime":"2026-01-02T12:00:00.000Z","msg":"the last one"}
}
