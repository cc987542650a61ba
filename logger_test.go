package zapkafka

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestLoggerFormat(t *testing.T) {
	var buf bytes.Buffer
	logger := New(&buf, zap.InfoLevel)
	logger.Debug("not this")
	logger.Named("db").Info("connected", zap.String("host", "db1"), zap.Duration("took", 1500*time.Millisecond))
	logger.Error("failed")

	lines := strings.Split(strings.TrimSuffix(buf.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), buf.String())
	}
	want := regexp.MustCompile(`^\{"level":"info","logtime":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)","logger":"db","caller":"[^"]*/logger_test\.go:\d+","msg":"connected","host":"db1","took":1\.5\}$`)
	if !want.MatchString(lines[0]) {
		t.Errorf("got  %s\nwant %s", lines[0], want)
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(lines[1]), &e); err != nil {
		t.Fatal(err)
	}
	if s, _ := e["stacktrace"].(string); !strings.Contains(s, "TestLoggerFormat") {
		t.Errorf("stack trace %q does not name the test", s)
	}
}

func TestLoggerOptionsAreApplied(t *testing.T) {
	var buf bytes.Buffer
	New(&buf, zap.InfoLevel, zap.WithCaller(false), zap.AddStacktrace(zapcore.FatalLevel+1), zap.Fields(zap.Int("v", 1))).Error("bare")
	if got := buf.String(); strings.Contains(got, "caller") || strings.Contains(got, "stacktrace") || !strings.Contains(got, `"v":1`) {
		t.Errorf("got %s", got)
	}
}

// No sampling: what is logged is written, a hundred thousand times if need be.
func TestLoggerDoesNotSample(t *testing.T) {
	var buf bytes.Buffer
	logger := New(&buf, zap.InfoLevel)
	var wg sync.WaitGroup
	for g := 0; g < 10; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < 10_000; i++ {
				logger.Info("the same message")
			}
		}()
	}
	wg.Wait()
	if n := bytes.Count(buf.Bytes(), []byte("the same message")); n != 100_000 {
		t.Errorf("%d entries, want 100,000", n)
	}
}

func TestSetLevel(t *testing.T) {
	var buf bytes.Buffer
	logger := New(&buf, zap.InfoLevel)
	child := logger.With(zap.Int("child", 1)).Named("child")
	if err := logger.SetLevel(zap.DebugLevel); err != nil {
		t.Fatal(err)
	}
	child.Debug("visible")
	if !strings.Contains(buf.String(), "visible") {
		t.Error("a logger made before the change does not follow it")
	}
	for _, level := range []zapcore.Level{zapcore.InvalidLevel, 42, -2, -128, 127} {
		if err := logger.SetLevel(level); err == nil || !strings.Contains(err.Error(), fmt.Sprint(int(level))) {
			t.Errorf("SetLevel(%d) = %v, want an error that names it", level, err)
		}
	}
	if got := logger.Level(); got != zap.DebugLevel {
		t.Errorf("Level() = %v after refused changes, want debug", got)
	}
	if got := zapcore.LevelOf(logger.Core()); got != zap.DebugLevel {
		t.Errorf("LevelOf = %v, want debug", got)
	}
	if got := New(&buf, 99).Level(); got != zap.InfoLevel {
		t.Errorf("New with level 99 has level %v, want info", got)
	}
}

func TestSetLevelWhileLogging(t *testing.T) {
	logger := New(&bytes.Buffer{}, zap.InfoLevel)
	var wg sync.WaitGroup
	for g := 0; g < 20; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < 500; i++ {
				if g == 0 {
					_ = logger.SetLevel(zapcore.Level(i%7 - 1))
				}
				logger.Error("e")
				logger.Debug("d")
			}
		}(g)
	}
	wg.Wait()
}

func TestNewWithCore(t *testing.T) {
	var buf bytes.Buffer
	core := zapcore.NewCore(zapcore.NewConsoleEncoder(NewEncoderConfig()), zapcore.Lock(zapcore.AddSync(&buf)), zap.InfoLevel)
	logger := NewWithCore(core, zap.WarnLevel)
	logger.Info("no")
	logger.With(zap.Int("x", 1)).Warn("yes")
	_ = logger.SetLevel(zap.DebugLevel)
	logger.Debug("the core's own level holds too")
	logger.Info("now")
	if got := buf.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "yes") || !strings.Contains(got, "now") || !strings.Contains(got, "log level changed") {
		t.Errorf("got %q", got)
	}
	if got := zapcore.LevelOf(logger.Core()); got != zap.InfoLevel {
		t.Errorf("LevelOf = %v, want info: the higher of the two", got)
	}
	if logger.Core().Enabled(zap.DebugLevel) || !logger.Core().Enabled(zap.InfoLevel) {
		t.Error("Enabled does not agree with the levels")
	}
}

func TestNilWriterPanics(t *testing.T) {
	var nilSyncer *KafkaSyncer
	for name, f := range map[string]func(){
		"nil":          func() { New(nil, zap.InfoLevel) },
		"nil *Syncer":  func() { New(nilSyncer, zap.InfoLevel) },
		"nil *os.File": func() { New((*os.File)(nil), zap.InfoLevel) },
		"nil core":     func() { NewWithCore(nil, zap.InfoLevel) },
		"Tee":          func() { Tee(&bytes.Buffer{}, nil) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "nil") {
					t.Errorf("%s: panic %v, want one that says what is nil", name, r)
				}
			}()
			f()
		}()
	}
}

func TestTee(t *testing.T) {
	var console bytes.Buffer
	p1, p2 := &fakeProducer{keep: true}, &fakeProducer{}
	p2.handle = p2.hold
	f2 := &memoryFile{}
	s1 := newTestSyncer(t, p1, &memoryFile{}, &Options{SyncTimeout: 300 * time.Millisecond})
	s2 := newTestSyncer(t, p2, f2, &Options{SyncTimeout: 300 * time.Millisecond})
	logger := New(Tee(s1, &console, s2), zap.InfoLevel)
	logger.Info("everywhere")

	begin := time.Now()
	if err := logger.Sync(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("Sync took %v: the limits of the writers add up", took)
	}
	if len(p1.acknowledged()) != 1 || len(f2.lines()) != 1 || strings.Count(console.String(), "everywhere") != 1 {
		t.Errorf("acknowledged %q, on file %q, console %q", p1.acknowledged(), f2.lines(), console.String())
	}
}

// A Fallback is safe for concurrent use by itself: behind another lock a Sync
// that waits for the disk would hold up every Write.
func TestFallbackAsWriterIsNotLocked(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	tee, ok := Tee(f).(*teeSyncer)
	if !ok || len(tee.all) != 1 || tee.all[0] != zapcore.WriteSyncer(f) {
		t.Error("Tee puts something around a Fallback")
	}
	for _, ws := range []zapcore.WriteSyncer{f, tee} {
		if writeSyncer(ws) != ws { // what New takes
			t.Errorf("New puts something around a %T", ws)
		}
	}
	var console bytes.Buffer
	for _, logger := range []*Logger{New(f, zap.InfoLevel), New(Tee(f, &console), zap.InfoLevel)} {
		logger.Info("on file")
		if err := logger.Sync(); err != nil {
			t.Error(err)
		}
	}
	got := fallbackEntries(t, dir)
	if len(got) != 2 || !strings.Contains(got[0], "on file") || got[1]+"\n" != console.String() {
		t.Errorf("on file %q, on the console %q", got, console.String())
	}
}

// A Sync that waits for Kafka must not hold up the Writes of others.
func TestSyncHoldsUpNoWrite(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{SyncTimeout: time.Second})
	logger := New(Tee(s), zap.InfoLevel)
	logger.Info("first")
	done := make(chan struct{})
	go func() {
		defer close(done)
		logger.DPanic("zap calls Sync for this")
	}()
	eventually(t, "the Sync to wait", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return len(s.q.syncWaits) > 0
	})
	begin := time.Now()
	for i := 0; i < 100; i++ {
		logger.Info("meanwhile")
	}
	if took := time.Since(begin); took > 300*time.Millisecond {
		t.Errorf("100 entries took %v beside a Sync", took)
	}
	<-done
}
