package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// Sink is the sink under test with all that belongs to it.
type Sink struct {
	Syncer   *zapkafka.KafkaSyncer
	Fallback *zapkafka.Fallback
	Logger   *zapkafka.Logger
	Topic    string
	Dir      string
	Errors   *Errors
}

// Open opens a sink with franz-go for the topic in the way in which a program
// does; Kafka need not be there. It is closed at the end of the test if not
// before.
func (k *Kafka) Open(t testing.TB, topic string, options zapkafka.Options, kopts ...kgo.Opt) *Sink {
	t.Helper()
	producer, err := franz.New(k.Brokers, kopts...)
	if err != nil {
		t.Fatal(err)
	}
	return OpenWith(t, producer, topic, options)
}

// OpenWith is Open for a producer of any kind.
func OpenWith(t testing.TB, producer zapkafka.Producer, topic string, options zapkafka.Options) *Sink {
	t.Helper()
	s := &Sink{Topic: topic, Dir: t.TempDir(), Errors: &Errors{}}
	options.ErrorHandler = s.Errors.add
	var err error
	s.Fallback, err = zapkafka.OpenFallback(s.Dir, &zapkafka.FallbackOptions{MaxBytes: 4 << 30})
	if err != nil {
		t.Fatal(err)
	}
	s.Syncer, err = zapkafka.NewKafkaSyncer(producer, topic, s.Fallback, &options)
	if err != nil {
		t.Fatal(err)
	}
	// As New does it, but that the sink adds no entry about what it shed: the sheets are
	// held against what was logged.
	s.Logger = zapkafka.NewWithCore(zapkafka.NewCore(zapcore.NewJSONEncoder(zapkafka.NewEncoderConfig()), s.Syncer, zapcore.DebugLevel,
		&zapkafka.CoreOptions{NoShedEntry: true}), zapcore.InfoLevel)
	t.Cleanup(func() {
		_ = s.Syncer.Close()
		_ = s.Fallback.Close()
	})
	return s
}

// Shutdown ends the sink and returns how long that took and what it said.
func (s *Sink) Shutdown(timeout time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	begin := time.Now()
	err := s.Syncer.Shutdown(ctx)
	return time.Since(begin), err
}

// Finish ends the sink with time for Kafka to take everything.
func (s *Sink) Finish(t testing.TB) {
	t.Helper()
	if took, err := s.Shutdown(Patience); err != nil {
		t.Errorf("Shutdown after %v: %v", took, err)
	}
	if err := s.Fallback.Close(); err != nil {
		t.Error(err)
	}
}

// Errors collects what the error handler is told.
type Errors struct {
	mu  sync.Mutex
	all []error
}

// All returns what it was told so far.
func (e *Errors) All() []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

func (e *Errors) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, err)
}

// Containing returns the first error whose text contains all the parts.
func (e *Errors) Containing(parts ...string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
next:
	for _, err := range e.all {
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				continue next
			}
		}
		return err
	}
	return nil
}

// String lists the errors, one a line.
func (e *Errors) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b strings.Builder
	for _, err := range e.all {
		fmt.Fprintf(&b, "  %v\n", err)
	}
	return b.String()
}

// Eventually waits for something that has to happen.
func Eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", Patience, what)
		}
	}
}
