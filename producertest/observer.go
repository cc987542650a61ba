package producertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// Observer is a sink for a test: a [zapkafka.KafkaSyncer] with a [Producer] in
// memory and a fallback in a directory of the test's, and what a test wants to
// know of them. It is to zapkafka what zaptest/observer is to zap. Make it with
// [NewLogger] or [NewObserver].
//
// Kafka can be taken away and given back: [Observer.KafkaDown],
// [Observer.KafkaMute], [Observer.KafkaRefuses], [Observer.KafkaUp]. What becomes of
// the entries then is the work of the real syncer, fallback and replay.
//
// All methods may be called at any time and from any goroutine, but for those that
// wait: they may end the test, so they belong on its goroutine.
type Observer struct {
	// Syncer is what the program under test logs to.
	Syncer *zapkafka.KafkaSyncer
	// Producer stands in for the client and for Kafka. It can do more than the
	// Observer's own methods: delay, say, or fail with an error of the test's.
	Producer *Producer
	// Fallback has what Kafka did not take.
	Fallback *zapkafka.Fallback

	t        testing.TB
	patience time.Duration
}

// ObserverOptions are the choices of [NewObserver]. The zero value of each field
// means its default; a nil *ObserverOptions means all defaults.
type ObserverOptions struct {
	// Topic is the syncer's topic. Default "logs".
	Topic string

	// Syncer are the options of the syncer. Where they say nothing, a test has its
	// own defaults: Linger 1 ms, OutageAfter 1 s if DeliveryTimeout is not set
	// either, and an ErrorHandler and a LastResort that log to the test. What is set
	// stays. Default: nothing is set.
	Syncer *zapkafka.Options

	// Fallback are the options of the fallback. Default: its own.
	Fallback *zapkafka.FallbackOptions

	// Dir is the directory of the fallback. A second Observer with the Dir of a
	// first, whose Syncer and Fallback the test has closed, is what the program's
	// next start is. Default: a directory that goes with the test.
	Dir string

	// Patience is how long WaitFor, WaitForFallback and WaitForRejected wait
	// before they fail the test. Default 10 s.
	Patience time.Duration
}

// NewLogger returns a logger whose entries go to the Observer beside it, as
// zapkafka.New makes it, with defaults throughout. It ends with the test.
//
//	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
func NewLogger(t testing.TB, level zapcore.Level, opts ...zap.Option) (*zapkafka.Logger, *Observer) {
	t.Helper()
	o := NewObserver(t, nil)
	return zapkafka.New(o.Syncer, level, opts...), o
}

// NewObserver returns an Observer for programs that make their logger or their
// core themselves, around its Syncer. A nil o means all defaults. Options that the
// syncer or the fallback refuses fail the test at once.
//
// At the end of the test Kafka is up again, and syncer and fallback are closed,
// unless the test has done so; no goroutine is left.
func NewObserver(t testing.TB, o *ObserverOptions) *Observer {
	t.Helper()
	var options ObserverOptions
	if o != nil {
		options = *o
	}
	if options.Topic == "" {
		options.Topic = "logs"
	}
	if options.Patience <= 0 {
		options.Patience = 10 * time.Second
	}
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	fallback, err := zapkafka.OpenFallback(options.Dir, options.Fallback)
	if err != nil {
		t.Fatalf("producertest: new observer: %v", err)
	}
	log := &testLog{t: t}
	producer := NewProducer()
	syncer, err := zapkafka.NewKafkaSyncer(producer, options.Topic, fallback, forTest(options.Syncer, log))
	if err != nil {
		_ = fallback.Close()
		t.Fatalf("producertest: new observer: %v", err)
	}
	observer := &Observer{Syncer: syncer, Producer: producer, Fallback: fallback, t: t, patience: options.Patience}
	t.Cleanup(func() {
		observer.end(log)
	})
	return observer
}

// forTest fills in what a test has other defaults for.
func forTest(o *zapkafka.Options, log *testLog) *zapkafka.Options {
	var filled zapkafka.Options
	if o != nil {
		filled = *o
	}
	if filled.Linger == 0 {
		filled.Linger = time.Millisecond
	}
	if filled.OutageAfter == 0 && filled.DeliveryTimeout == 0 {
		filled.OutageAfter = time.Second
	}
	if filled.ErrorHandler == nil {
		filled.ErrorHandler = log.trouble
	}
	if filled.LastResort == nil {
		filled.LastResort = log
	}
	return &filled
}

// closeIn is far more than it takes to close a syncer whose Kafka is up. Only
// records that Drop has swallowed are waited for, for three quarters of it.
const closeIn = 2 * time.Second

// end closes what there is. A test that wants to know what its entries came to
// shuts the syncer down itself, so what Shutdown says here is no failure.
func (o *Observer) end(log *testLog) {
	o.KafkaUp()
	ctx, cancel := context.WithTimeout(context.Background(), closeIn)
	defer cancel()
	if err := o.Syncer.Shutdown(ctx); err != nil {
		o.t.Logf("%v", err)
	}
	if err := o.Fallback.Close(); err != nil {
		o.t.Logf("%v", err)
	}
	log.close()
}

// testLog logs to a test, and no longer than that: a Log after the test has ended
// is a panic. A Shutdown that did not come to its end leaves goroutines behind that
// might call it.
type testLog struct {
	t testing.TB

	mu     sync.Mutex
	closed bool // guarded by mu
}

func (l *testLog) trouble(err error) { l.log(err.Error()) }

func (l *testLog) Write(p []byte) (int, error) {
	l.log(string(p))
	return len(p), nil
}

func (l *testLog) log(text string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.t.Log(text)
	}
}

func (l *testLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
