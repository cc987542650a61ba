package zapkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// recordLog is a producer that acknowledges everything and keeps copies.
type recordLog struct {
	fakeProducer
	mu  sync.Mutex
	got []*Record
}

func newRecordLog() *recordLog {
	l := &recordLog{}
	l.handle = func(_ context.Context, records []*Record) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, r := range records {
			c := &Record{Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...), Time: r.Time}
			for _, h := range r.Headers {
				c.Headers = append(c.Headers, Header{h.Key, append([]byte(nil), h.Value...)})
			}
			l.got = append(l.got, c)
			r.Done(nil)
		}
	}
	return l
}

// find returns the record whose value contains text.
func (l *recordLog) find(t *testing.T, text string) *Record {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.got {
		if bytes.Contains(l.got[i].Value, []byte(text)) {
			return l.got[i]
		}
	}
	t.Fatalf("no record with %q among %d", text, len(l.got))
	return nil
}

func headersText(hs []Header) string {
	var b strings.Builder
	for _, h := range hs {
		fmt.Fprintf(&b, "%s=%s ", h.Key, h.Value)
	}
	return strings.TrimSpace(b.String())
}

func TestFieldsOfTheRecord(t *testing.T) {
	p := newRecordLog()
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	l := New(s, zapcore.InfoLevel)
	tenant := l.With(Key("tenant-7"), RecordHeader("tenant", "7"), zap.String("plain", "field"))
	l.Info("bare")
	tenant.Info("inherits")
	tenant.Info("overrides", Key("order-1"), Topic("orders"), RecordHeader("tenant", "8"), RecordHeader("trace", ""))
	tenant.With(RecordHeader("a", "1")).Info("child a")
	tenant.With(RecordHeader("b", "2")).Info("child b")
	l.Info("skip", zap.Skip(), Key(""))
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ text, topic, key, headers string }{
		{"bare", "test", "", ""},
		{"inherits", "test", "tenant-7", "tenant=7"},
		{"overrides", "orders", "order-1", "tenant=7 tenant=8 trace="},
		{"child a", "test", "tenant-7", "tenant=7 a=1"},
		{"child b", "test", "tenant-7", "tenant=7 b=2"},
		{"skip", "test", "", ""},
	} {
		r := p.find(t, want.text)
		if r.Topic != want.topic || string(r.Key) != want.key || headersText(r.Headers) != want.headers {
			t.Errorf("%s: topic %s, key %q, headers %s; want %+v", want.text, r.Topic, r.Key, headersText(r.Headers), want)
		}
		if bytes.Contains(r.Value, []byte("tenant")) || bytes.Contains(r.Value, []byte("orders")) {
			t.Errorf("%s: the fields of the record are in the entry as well: %s", want.text, r.Value)
		}
	}
	if r := p.find(t, "child a"); !bytes.Contains(r.Value, []byte(`"plain":"field"`)) {
		t.Errorf("a plain field of With is not in the entry: %s", r.Value)
	}
}

// The record's time is that of the log call, to the nanosecond, also for entries
// that share a chunk with such as have none.
func TestTimeOfTheEntry(t *testing.T) {
	p := newRecordLog()
	s := newTestSyncer(t, p, &memoryFile{}, &Options{Linger: 100 * time.Millisecond})
	c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, nil)
	when := time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)
	before := time.Now()
	for i := 0; i < 3; i++ {
		mustWrite(t, s, fmt.Sprintf("written-%d\n", i))
		e := zapcore.Entry{Level: zapcore.InfoLevel, Time: when.Add(time.Duration(i)), Message: fmt.Sprintf("cored-%d", i)}
		if err := c.Write(e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 3; i++ {
		if r := p.find(t, fmt.Sprintf("cored-%d", i)); !r.Time.Equal(when.Add(time.Duration(i))) {
			t.Errorf("entry %d has time %v, want %v", i, r.Time, when.Add(time.Duration(i)))
		}
		if r := p.find(t, fmt.Sprintf("written-%d", i)); r.Time.Before(before.Add(-time.Second)) || r.Time.After(time.Now()) {
			t.Errorf("line %d has time %v", i, r.Time)
		}
	}
}

// An entry with a time of its own still stands as a plain line in the fallback.
func TestTimedEntriesArePlainOnFile(t *testing.T) {
	f, err := OpenFallback(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &fakeProducer{handle: refuse}
	s, err := NewKafkaSyncer(p, "test", f, &Options{SyncTimeout: waitTime, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := New(s, zapcore.InfoLevel)
	l.Info("plain")
	l.Info("with a topic", Topic("other"))
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(readAll(t, f.Dir()), "\n"), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `{"level":"info"`) || !strings.HasPrefix(lines[1], `{"zapkafka_envelope":1,"topic":"other","time":`) {
		t.Errorf("on file:\n%s", strings.Join(lines, "\n"))
	}
}

func TestTopicThatIsNone(t *testing.T) {
	p := newRecordLog()
	errs := &errorLog{}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{ErrorHandler: errs.handle})
	New(s, zapcore.InfoLevel).Info("kept", Topic("no such/topic"))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if r := p.find(t, "kept"); r.Topic != "test" {
		t.Errorf("topic %q, want the syncer's", r.Topic)
	}
	eventually(t, "a report that names the topic", func() bool { return strings.Contains(errs.String(), "no such/topic") })
}

// Elsewhere the fields are nothing.
func TestFieldsOfTheRecordElsewhere(t *testing.T) {
	var out bytes.Buffer
	New(&out, zapcore.InfoLevel).Info("hello", Key("k"), Topic("t"), RecordHeader("h", "v"))
	if text := out.String(); strings.Contains(text, `"k"`) || !strings.Contains(text, "hello") {
		t.Errorf("logged: %s", text)
	}
}

func TestCoreRespectsLevels(t *testing.T) {
	p := newRecordLog()
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.WarnLevel, nil)
	if got := zapcore.LevelOf(c); got != zapcore.WarnLevel {
		t.Errorf("level %v, want warn", got)
	}
	l := zap.New(c.With([]zapcore.Field{Key("k")}))
	l.Info("dropped")
	l.Warn("kept")
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	p.find(t, "kept")
	if n := s.Stats().Accepted; n != 1 {
		t.Errorf("%d entries accepted, want 1", n)
	}
}

func TestCoreReturnsWhatIsLost(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, nil)
	if err := c.Write(zapcore.Entry{Message: "after", Time: time.Now()}, nil); err != nil {
		t.Errorf("an entry after Close that is on file: %v", err)
	}
	bad := zapcore.Field{Key: "bad", Type: zapcore.ReflectType, Interface: func() {}}
	if err := c.Write(zapcore.Entry{Message: "odd"}, []zapcore.Field{bad}); err != nil && errors.Is(err, ErrClosed) {
		t.Errorf("an entry with a field that cannot be encoded: %v", err)
	}
}

func TestNewCorePanics(t *testing.T) {
	s := newTestSyncer(t, newRecordLog(), &memoryFile{}, nil)
	enc := zapcore.NewJSONEncoder(NewEncoderConfig())
	for name, call := range map[string]func(){
		"encoder": func() { NewCore(nil, s, zapcore.InfoLevel, nil) },
		"syncer":  func() { NewCore(enc, nil, zapcore.InfoLevel, nil) },
		"level":   func() { NewCore(enc, s, nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), name) {
					t.Errorf("panic %v, want one that names the %s", r, name)
				}
			}()
			call()
		})
	}
}

// TestCoreAllocates pins that an entry with its time, and a logger with a key,
// cost nothing beside zap's own encoding.
func TestCoreAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	s := newTestSyncer(t, &fakeProducer{}, &memoryFile{}, nil)
	c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, nil)
	e := zapcore.Entry{Level: zapcore.InfoLevel, Time: time.Now(), Message: "order placed"}
	for name, c := range map[string]zapcore.Core{"bare": c, "with a key": c.With([]zapcore.Field{Key("order-1")})} {
		if avg := testing.AllocsPerRun(50_000, func() { _ = c.Write(e, nil) }); avg != 0 {
			t.Errorf("%s: %v allocations a Write, want 0", name, avg)
		}
	}
}
