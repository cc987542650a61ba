package producertest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producertest"
)

func TestObserverShowsWhatGoesToKafka(t *testing.T) {
	t.Parallel()
	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
	before := time.Now()
	tenant := logger.With(zapkafka.Key("tenant-7"), zapkafka.RecordHeader("env", "test"))
	tenant.Info("signed in", zapkafka.Topic("audit"), zap.Int("tries", 2))
	logger.Debug("below the level")
	logger.Warn("slow", zap.Duration("took", 1500*time.Millisecond))

	all := logs.WaitFor(2)
	if len(all) != 2 {
		t.Fatalf("got %d entries, want 2: %v", len(all), all)
	}
	e := all[0]
	if e.Topic != "audit" || string(e.Key) != "tenant-7" || e.Header("env") != "test" || e.Header("none") != "" {
		t.Errorf("got %v, want it in audit, with key and header", e)
	}
	if e.Fields["msg"] != "signed in" || e.Fields["tries"] != 2.0 || e.Fields["level"] != "info" {
		t.Errorf("got the fields %v", e.Fields)
	}
	if e.Time.Before(before.Truncate(time.Millisecond)) || e.Time.After(time.Now()) {
		t.Errorf("got the time %v, want that of the log call", e.Time)
	}
	if all[1].Topic != "logs" || all[1].Key != nil || all[1].Headers != nil {
		t.Errorf("got %v, want it plain, in the topic logs", all[1])
	}
	// What is handed out is the caller's.
	e.Value[0], e.Key[0] = 'x', 'x'
	if again := logs.Entries()[0]; string(again.Key) != "tenant-7" || again.Value[0] != '{' {
		t.Errorf("got %v after the caller has changed its own", again)
	}
}

func TestEntriesFilter(t *testing.T) {
	t.Parallel()
	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
	logger.Info("paid", zap.Int("items", 3), zap.Duration("took", time.Second))
	logger.Warn("paid", zap.Int("items", 4), zap.Strings("tags", []string{"a", "b"}))
	logger.Info("sent", zap.Bool("late", true))
	all := logs.WaitFor(3)
	for _, c := range []struct {
		got  producertest.Entries
		want int
	}{
		{all.FilterMessage("paid"), 2},
		{all.FilterMessage("pai"), 0},
		{all.FilterField(zap.Int("items", 4)), 1},
		{all.FilterField(zap.String("items", "4")), 0},
		{all.FilterField(zap.Bool("late", false)), 0},
		{all.FilterField(zap.Duration("took", time.Second)), 1},
		{all.FilterField(zap.Strings("tags", []string{"a", "b"})), 1},
		{all.FilterField(zap.String("level", "info")).FilterMessage("paid"), 1},
		{all.FilterField(zap.Object("x", bad{})), 0},
	} {
		if len(c.got) != c.want {
			t.Errorf("got %v, want %d entries", c.got, c.want)
		}
	}
}

type bad struct{}

func (bad) MarshalLogObject(zapcore.ObjectEncoder) error { return errors.New("bad") }

// What an encoder of one's own writes need not be JSON.
func TestEntriesThatAreNotJSON(t *testing.T) {
	t.Parallel()
	logs := producertest.NewObserver(t, nil)
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(zapkafka.NewEncoderConfig()), logs.Syncer, zap.InfoLevel)
	zap.New(core).Info("hello")
	e := logs.WaitFor(1)[0]
	if e.Fields != nil || !strings.HasSuffix(string(e.Value), "\thello") {
		t.Errorf("got %v with the fields %v", e, e.Fields)
	}
	if got := logs.Entries().FilterMessage("hello"); got != nil {
		t.Errorf("got %v by a field", got)
	}
}

func TestObserverKafkaDown(t *testing.T) {
	t.Parallel()
	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
	logs.KafkaDown()
	logger.Info("plain")
	logger.Info("second, longer than the first")
	logger.Info("keyed", zapkafka.Key("k"), zapkafka.RecordHeader("h", "v"), zapkafka.Topic("audit"))

	all := logs.WaitForFallback(3)
	if len(all) != 3 || len(logs.Entries()) != 0 || len(logs.Rejected()) != 0 {
		t.Fatalf("on file: %v; in Kafka: %v; rejected: %v", all, logs.Entries(), logs.Rejected())
	}
	if e := all.FilterMessage("plain")[0]; e.Topic != "logs" || e.Key != nil || e.Time.IsZero() {
		t.Errorf("got %v of %v", e, e.Time)
	}
	if e := all.FilterMessage("plain")[0]; !strings.Contains(string(e.Value), `"plain"`) {
		t.Errorf("got the value %s", e.Value)
	}
	if e := all.FilterMessage("keyed")[0]; e.Topic != "audit" || string(e.Key) != "k" || e.Header("h") != "v" {
		t.Errorf("got %v", e)
	}
	logs.KafkaUp()
	for _, e := range logs.WaitFor(3) {
		if e.Header("replayed") == "" {
			t.Errorf("%v has no header that says that it was replayed", e)
		}
	}
	waitUntil(t, "an empty fallback", func() bool { return len(logs.InFallback()) == 0 })
}

// However long it was away, what is in the fallback comes at once: the replay has not
// begun to pause for longer and longer.
func TestObserverKafkaDownForLong(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	logs := producertest.NewObserver(t, &producertest.ObserverOptions{Syncer: &zapkafka.Options{
		OutageAfter:  50 * time.Millisecond,
		ErrorHandler: func(err error) { mu.Lock(); defer mu.Unlock(); told = append(told, err.Error()) },
	}})
	logger := zapkafka.New(logs.Syncer, zap.InfoLevel)
	logs.KafkaDown()
	logger.Info("fails")
	logs.WaitForFallback(1)
	waitUntil(t, "the state FallbackOnly", func() bool { state, _ := logs.Syncer.State(); return state == zapkafka.FallbackOnly })
	logger.Info("goes there at once")
	logs.WaitForFallback(2)
	logs.KafkaUp()
	logs.WaitFor(2)
	// What is on file is counted a moment later.
	waitUntil(t, "one that failed and one of the outage in the sheet", func() bool {
		s := logs.Syncer.Stats().FellBack
		return s.DeliveryFailed == 1 && s.Outage == 1
	})
	mu.Lock()
	defer mu.Unlock()
	for _, text := range told {
		if strings.Contains(text, "replay") {
			t.Errorf("the replay has failed: %s", text)
		}
	}
}

func TestObserverKafkaMute(t *testing.T) {
	t.Parallel()
	logs := producertest.NewObserver(t, &producertest.ObserverOptions{Syncer: &zapkafka.Options{SyncTimeout: 40 * time.Millisecond, OutageAfter: 100 * time.Millisecond}})
	logger := zapkafka.New(logs.Syncer, zap.InfoLevel)
	logs.KafkaMute()
	logger.Info("hello")
	_ = logger.Sync() // a disk may take more than what is left of the time
	if all := logs.WaitForFallback(1); len(all) != 1 || all[0].Fields["msg"] != "hello" {
		t.Errorf("got %v", all)
	}
	waitUntil(t, "the state FallbackOnly", func() bool { state, _ := logs.Syncer.State(); return state == zapkafka.FallbackOnly })
	logs.KafkaUp()
	logs.WaitFor(1)
	waitUntil(t, "an empty fallback", func() bool { return len(logs.InFallback()) == 0 })
}

// What is held when Kafka goes down fails: it is not acknowledged on the way.
func TestObserverMuteThenDown(t *testing.T) {
	t.Parallel()
	logs := producertest.NewObserver(t, &producertest.ObserverOptions{Syncer: &zapkafka.Options{OutageAfter: 20 * time.Millisecond}})
	logs.KafkaMute()
	zapkafka.New(logs.Syncer, zap.InfoLevel).Info("hello")
	waitUntil(t, "an outage: a record is with the producer", func() bool { state, _ := logs.Syncer.State(); return state == zapkafka.FallbackOnly })
	logs.KafkaDown()
	if all := logs.WaitForFallback(1); len(all) != 1 || len(logs.Entries()) != 0 {
		t.Errorf("got %v on file and %v in Kafka", all, logs.Entries())
	}
}

func TestObserverKafkaRefuses(t *testing.T) {
	t.Parallel()
	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
	logs.KafkaRefuses()
	logger.Info("refused", zapkafka.Key("k"))
	all := logs.WaitForRejected(1)
	if len(all) != 1 || all[0].Fields["msg"] != "refused" || string(all[0].Key) != "k" || !strings.Contains(all[0].Reason, "refuses") {
		t.Errorf("got %v", all)
	}
	logs.KafkaUp()
	logger.Info("taken")
	if all := logs.WaitFor(1); len(all) != 1 || all[0].Fields["msg"] != "taken" {
		t.Errorf("got %v, want what was logged since alone", all)
	}
}

// The options of the test stay, and a second Observer is the next start.
func TestObserverNextStart(t *testing.T) {
	t.Parallel()
	options := &producertest.ObserverOptions{
		Topic: "app", Dir: t.TempDir(), Fallback: &zapkafka.FallbackOptions{SegmentBytes: 1000},
		Syncer: &zapkafka.Options{Replay: zapkafka.ReplayOptions{Rate: -1}},
	}
	first := producertest.NewObserver(t, options)
	first.KafkaDown()
	zapkafka.New(first.Syncer, zap.InfoLevel).Info("left behind")
	first.WaitForFallback(1)
	if err := errors.Join(first.Syncer.Shutdown(context.Background()), first.Fallback.Close()); err != nil {
		t.Fatal(err)
	}
	if got := first.InFallback(); len(got) != 1 {
		t.Errorf("got %v on file after the end", got)
	}
	options.Syncer = nil
	if all := producertest.NewObserver(t, options).WaitFor(1); all[0].Topic != "app" || all[0].Fields["msg"] != "left behind" {
		t.Errorf("got %v", all)
	}
}

// Where what is awaited does not come, the test ends and is told what came instead.
func TestObserverWaitsInVain(t *testing.T) {
	t.Parallel()
	inner := &failing{TB: t}
	logs := producertest.NewObserver(inner, &producertest.ObserverOptions{Patience: 20 * time.Millisecond})
	logger := zapkafka.New(logs.Syncer, zap.InfoLevel)
	logger.Info("the only one", zapkafka.Key("k"))
	waitUntil(t, "the entry", func() bool { return len(logs.Entries()) == 1 })
	for _, c := range []struct {
		wait func(int) producertest.Entries
		want string
	}{{logs.WaitFor, "2 entries in Kafka"}, {logs.WaitForFallback, "2 entries in the fallback"}, {logs.WaitForRejected, "2 entries among the rejected"}} {
		got := inner.fatal(func() { c.wait(2) })
		for _, part := range []string{c.want, "waited 20ms", "state: healthy; accepted 1, pending 0", "in Kafka: 1\n", `logs key="k"`, "the only one"} {
			if !strings.Contains(got, part) {
				t.Errorf("got %q, want %q in it", got, part)
			}
		}
	}
}

// Bad options fail the test at once, and leave nothing behind.
func TestObserverOptionsRefused(t *testing.T) {
	t.Parallel()
	inner := &failing{TB: t}
	for _, c := range []struct {
		o    producertest.ObserverOptions
		want string
	}{
		{producertest.ObserverOptions{Syncer: &zapkafka.Options{SyncTimeout: 1}}, "SyncTimeout"},
		{producertest.ObserverOptions{Topic: "no topic"}, "no topic"},
		{producertest.ObserverOptions{Fallback: &zapkafka.FallbackOptions{SegmentBytes: -1}}, "SegmentBytes"},
	} {
		c := c
		c.o.Dir = t.TempDir()
		if got := inner.fatal(func() { producertest.NewObserver(inner, &c.o) }); !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q in it", got, c.want)
		}
		if f, err := zapkafka.OpenFallback(c.o.Dir, nil); err != nil || f.Dir() != c.o.Dir || f.Close() != nil {
			t.Errorf("the directory still has an owner: %v", err)
		}
	}
}

// An entry that nothing could take is shown by the test that it belongs to, and
// nothing is logged to a test that has ended.
func TestObserverLogsToTheTest(t *testing.T) {
	t.Parallel()
	inner := &failing{TB: t, cleanups: true}
	logs := producertest.NewObserver(inner, &producertest.ObserverOptions{Fallback: &zapkafka.FallbackOptions{MaxBytes: 1}})
	logs.KafkaDown()
	zapkafka.New(logs.Syncer, zap.InfoLevel).Info("nowhere")
	waitUntil(t, "the entry and the trouble in the test's log", func() bool {
		return strings.Contains(inner.text(), "lost: {") && strings.Contains(inner.text(), "Kafka is down")
	})
	inner.end()
	if s := logs.Syncer.Stats(); s.Lost.FallbackFull != 1 {
		t.Errorf("got %+v", s)
	}
	if got := logs.Producer.Close(context.Background()); got != nil {
		t.Errorf("the producer was not closed at the end of the test: %v", got)
	}
}

// What was held or dropped is over with the test, which does not wait for it.
func TestObserverEndsWithTheTest(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*producertest.Observer){
		"mute": (*producertest.Observer).KafkaMute,
		"slow": func(o *producertest.Observer) { o.Producer.Delay(time.Hour) },
	} {
		inner := &failing{TB: t, cleanups: true}
		logs := producertest.NewObserver(inner, &producertest.ObserverOptions{Syncer: &zapkafka.Options{OutageAfter: 20 * time.Millisecond}})
		fault(logs)
		zapkafka.New(logs.Syncer, zap.InfoLevel).Info("hello")
		waitUntil(t, "an outage: a record is with the producer", func() bool { state, _ := logs.Syncer.State(); return state == zapkafka.FallbackOnly })
		inner.end()
		if s := logs.Syncer.Stats(); s.Acked != 1 {
			t.Errorf("%s: got %+v, want the entry acknowledged at the end of the test", name, s)
		}
	}
}

// failing is a test that may fail, and ends when it is told to.
type failing struct {
	testing.TB
	cleanups bool // are kept for end

	mu   sync.Mutex
	logs strings.Builder
	ends []func()
}

func (f *failing) Helper() {}

func (f *failing) Log(args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(&f.logs, args...)
}

func (f *failing) Logf(format string, args ...any) { f.Log(fmt.Sprintf(format, args...)) }

func (f *failing) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logs.String()
}

func (f *failing) Fatalf(format string, args ...any) {
	f.mu.Lock()
	f.logs.Reset()
	f.mu.Unlock()
	f.Logf(format, args...)
	runtime.Goexit()
}

// fatal returns what the call of Fatalf said that ended do.
func (f *failing) fatal(do func()) string {
	over := make(chan bool, 1)
	go func() {
		returned := false
		defer func() { over <- returned }()
		do()
		returned = true
	}()
	if <-over {
		return ""
	}
	return f.text()
}

func (f *failing) Cleanup(end func()) {
	if !f.cleanups {
		f.TB.Cleanup(end)
		return
	}
	f.ends = append(f.ends, end)
}

func (f *failing) end() {
	for i := len(f.ends) - 1; i >= 0; i-- {
		f.ends[i]()
	}
}

// waitUntil waits for what must come.
func waitUntil(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

func TestEntryString(t *testing.T) {
	e := producertest.Entry{
		Topic: "app", Key: []byte("k"), Headers: []zapkafka.Header{{Key: "h", Value: []byte("v")}},
		Value: []byte(`{"a":1}`), Reason: "too large",
	}
	if got, want := e.String(), `app key="k" h="v" (too large) {"a":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(producertest.Entries{{Topic: "t", Value: []byte("x")}}), "[t x]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The sink of a test reads the real files, whose names DESIGN.md has.
func TestObserverRejectedTooLarge(t *testing.T) {
	t.Parallel()
	logs := producertest.NewObserver(t, &producertest.ObserverOptions{Syncer: &zapkafka.Options{MaxEntryBytes: 300}})
	if got := logs.Rejected(); got != nil {
		t.Errorf("got %v, want none", got)
	}
	zapkafka.New(logs.Syncer, zap.InfoLevel).Info(strings.Repeat("x", 400))
	all := logs.WaitForRejected(1)
	if len(all) != 1 || all[0].Reason != "too large" {
		t.Errorf("got %v", all)
	}
	if _, err := os.Stat(logs.Fallback.Dir()); err != nil {
		t.Error(err)
	}
	if got := logs.Entries(); !reflect.DeepEqual(got, producertest.Entries(nil)) {
		t.Errorf("got %v in Kafka", got)
	}
}
