package zapkafka

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// observed returns a logger under levels, and what it logged but for the entries
// about changes.
func observed(levels *Levels, opts ...zap.Option) (*zap.Logger, func() []string) {
	core, logs := observer.New(zap.DebugLevel)
	return zap.New(core, append(opts, levels.Option())...), func() []string {
		var messages []string
		for _, e := range logs.TakeAll() {
			if e.Message != "log level changed" {
				messages = append(messages, e.Message)
			}
		}
		return messages
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNamedLevelsAreInherited(t *testing.T) {
	l := NewLevels(zap.InfoLevel)
	must(t, l.SetNamedLevel("db", zap.DebugLevel))
	must(t, l.SetNamedLevel("db.pool", zap.ErrorLevel))
	must(t, l.SetNamedLevel("http", zap.WarnLevel))
	for name, want := range map[string]zapcore.Level{
		"": zap.InfoLevel, "x": zap.InfoLevel, "dbx": zap.InfoLevel, "x.db": zap.InfoLevel,
		"db": zap.DebugLevel, "db.tx": zap.DebugLevel, "db.tx.log": zap.DebugLevel,
		"db.pool": zap.ErrorLevel, "db.pool.conn": zap.ErrorLevel, "db.pools": zap.DebugLevel,
		"http": zap.WarnLevel, "http.": zap.WarnLevel, ".": zap.InfoLevel,
	} {
		for try := 0; try < 2; try++ { // the second time it is known
			if got := l.For(name); got != want {
				t.Errorf("For(%q) = %v, want %v", name, got, want)
			}
		}
	}
	must(t, l.ResetLevel("db"))
	must(t, l.SetLevel(zap.WarnLevel))
	for name, want := range map[string]zapcore.Level{
		"": zap.WarnLevel, "dbx": zap.WarnLevel, "db": zap.WarnLevel, "db.tx.log": zap.WarnLevel, "db.pool.conn": zap.ErrorLevel,
	} {
		if got := l.For(name); got != want {
			t.Errorf("after the changes For(%q) = %v, want %v", name, got, want)
		}
	}
	must(t, l.ResetLevel(""))
	if got := l.For("x"); got != zap.InfoLevel {
		t.Errorf("after ResetLevel of all For = %v, want info", got)
	}
}

// Loggers follow that were made before the change, by whatever way.
func TestLevelsOfLoggers(t *testing.T) {
	levels := NewLevels(zap.InfoLevel)
	root, logged := observed(levels)
	loggers := map[string]*zap.Logger{
		"named":        root.Named("db"),
		"below":        root.Named("db").Named("pool"),
		"with":         root.Named("db").With(zap.Int("a", 1)),
		"with before":  root.With(zap.Int("a", 1)).Named("db"),
		"lazy":         root.WithLazy(zap.Int("a", 1)).Named("db"),
		"lazy with":    root.WithLazy(zap.Int("a", 1)).Named("db").With(zap.Int("b", 1)),
		"options":      root.Named("db").WithOptions(zap.AddCaller(), zap.AddCallerSkip(1)),
		"tee":          root.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(c, zapcore.NewNopCore()) })).Named("db"),
		"sugar":        root.Sugar().Named("db").Desugar(),
		"other option": root.WithOptions(zap.Fields(zap.Int("c", 1))).Named("db"),
	}
	other := root.Named("other")
	check := func(want bool) {
		t.Helper()
		for way, logger := range loggers {
			logger.Debug("m")
			if got := len(logged()) == 1; got != want {
				t.Errorf("%s: a Debug call was logged: %v, want %v", way, got, want)
			}
		}
		other.Debug("m")
		root.Debug("m")
		if got := logged(); len(got) != 0 {
			t.Errorf("loggers of other names logged %q", got)
		}
	}
	check(false)
	must(t, levels.SetNamedLevel("db", zap.DebugLevel))
	check(true)
	if got := root.Level(); got != zap.DebugLevel {
		t.Errorf("LevelOf = %v, want the lowest of any name", got)
	}
	if !root.Core().Enabled(zap.DebugLevel) {
		t.Error("Enabled(debug) = false, though a name is at debug")
	}
	must(t, levels.SetNamedLevel("db", zap.FatalLevel))
	loggers["named"].Error("no")
	other.Info("yes")
	if got := logged(); fmt.Sprint(got) != "[yes]" {
		t.Errorf("logged %q, want yes alone", got)
	}
	must(t, levels.ResetLevel("db"))
	check(false)
	if got := root.Level(); got != zap.InfoLevel {
		t.Errorf("LevelOf = %v at the end, want info", got)
	}
}

// What the core below keeps back stays out, and LevelOf says so.
func TestLevelsAboveAStricterCore(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	levels := NewLevels(zap.DebugLevel)
	logger := zap.New(core, levels.Option())
	logger.Info("no")
	logger.Warn("yes")
	if logs.Len() != 1 || logger.Level() != zap.WarnLevel {
		t.Errorf("%d entries at level %v, want 1 at warn", logs.Len(), logger.Level())
	}
}

// A Debug call that is disabled for its name uses up none of the samples.
func TestLevelsSitOutsideOfSampling(t *testing.T) {
	levels := NewLevels(zap.InfoLevel)
	must(t, levels.SetNamedLevel("db", zap.DebugLevel))
	root, logged := observed(levels, zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Hour, 1, 0)
	}))
	for i := 0; i < 10; i++ {
		root.Named("http").Debug("query")
	}
	root.Named("db").Debug("query")
	root.Named("db").Debug("query")
	if got := logged(); len(got) != 1 {
		t.Errorf("%d entries, want the first one of db alone", len(got))
	}
}

// The Logger's own levels are outside of a sampler that its options bring.
func TestLoggersLevelsSitOutsideOfSampling(t *testing.T) {
	var buf bytes.Buffer
	logger := New(&buf, zap.InfoLevel, zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, time.Hour, 1, 0)
	}))
	must(t, logger.Levels().SetNamedLevel("db", zap.DebugLevel))
	logger.Named("http").Debug("query")
	logger.Named("db").Debug("query")
	if n := strings.Count(buf.String(), `"query"`); n != 1 {
		t.Errorf("%d entries, want that of db:\n%s", n, buf.String())
	}
}

func TestTemporaryLevel(t *testing.T) {
	const short, long = 20 * time.Millisecond, time.Hour
	for _, name := range []string{"", "db"} {
		l := NewLevels(zap.InfoLevel)
		setFor := func(level zapcore.Level, d time.Duration) {
			must(t, l.Change(LevelChange{Name: name, Level: level, For: d}))
		}
		ends := func(want zapcore.Level) {
			t.Helper()
			eventually(t, "the temporary level ends", func() bool { return l.For(name) == want })
		}
		setFor(zap.DebugLevel, short)
		ends(zap.InfoLevel)

		must(t, l.Change(LevelChange{Name: name, Level: zap.WarnLevel}))
		setFor(zap.DebugLevel, long)
		setFor(zap.ErrorLevel, short) // replaces it, and goes back to the same
		ends(zap.WarnLevel)

		setFor(zap.DebugLevel, long)
		before := time.Now()
		all := l.All()
		got := all[len(all)-1]
		if got.Name != name || got.Level != zap.DebugLevel || got.Then != zap.WarnLevel {
			t.Errorf("All() has %+v, want debug now and warn then", got)
		}
		if left := got.Until.Sub(before); left < long-time.Minute || left > long+time.Minute {
			t.Errorf("All() says that it ends in %v, want about %v", left, long)
		}
		must(t, l.Change(LevelChange{Name: name, Level: zap.InfoLevel})) // for good: it ends the other
		all = l.All()
		if got := all[len(all)-1]; !got.Until.IsZero() || got.Level != zap.InfoLevel || got.Then != zapcore.InvalidLevel {
			t.Errorf("after a change for good All() has %+v", got)
		}

		setFor(zap.DebugLevel, short)
		must(t, l.Set("error,db=error", "test"))
		ends(zap.ErrorLevel) // what was set below it
	}
}

// A name that had no level has none after it, and follows the others again.
func TestTemporaryLevelOfANewName(t *testing.T) {
	l := NewLevels(zap.InfoLevel)
	must(t, l.SetNamedLevelFor("db", zap.DebugLevel, 10*time.Millisecond))
	eventually(t, "the temporary level ends", func() bool { return len(l.All()) == 1 })
	must(t, l.SetLevel(zap.ErrorLevel))
	if got := l.For("db"); got != zap.ErrorLevel {
		t.Errorf("For = %v, want error", got)
	}
}

// Who sets the AtomicLevel past Levels means it to stay, and finds it in the log when
// they come across it.
func TestAtomicLevelBesideATemporaryLevel(t *testing.T) {
	for what, after := range map[string]struct {
		do   func(l *Levels) error
		want zapcore.Level
	}{
		"nothing":        {func(*Levels) error { return nil }, zap.ErrorLevel},
		"Set":            {func(l *Levels) error { return l.Set("warn", "") }, zap.WarnLevel},
		"another for ms": {func(l *Levels) error { return l.SetLevelFor(zap.DebugLevel, time.Millisecond) }, zap.ErrorLevel},
		"a name's":       {func(l *Levels) error { return l.SetNamedLevel("db", zap.DebugLevel) }, zap.ErrorLevel},
	} {
		var buf syncBuffer
		logger := New(&buf, zap.InfoLevel)
		must(t, logger.Levels().SetLevelFor(zap.DebugLevel, 20*time.Millisecond))
		logger.AtomicLevel().SetLevel(zap.ErrorLevel)
		must(t, after.do(logger.Levels()))
		eventually(t, what+": the temporary level ends", func() bool { return logger.Levels().All()[0].Until.IsZero() })
		if got := logger.Level(); got != after.want {
			t.Errorf("%s: Level() = %v, want %v", what, got, after.want)
		}
		if got := logger.Levels().All()[0]; got.Level != after.want || got.Then != zapcore.InvalidLevel {
			t.Errorf("%s: All() has %+v, want %v", what, got, after.want)
		}
		must(t, logger.Levels().ResetLevel("db"))
		eventually(t, what+": an entry", func() bool { return strings.Contains(buf.String(), `"new":"error","by":"AtomicLevel"`) })
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	l := NewLevels(zap.InfoLevel)
	must(t, l.SetNamedLevel("db", zap.WarnLevel))
	before := fmt.Sprint(l.All())
	for what, err := range map[string]error{
		"42 is not a level":           l.SetLevel(42),
		"-2 is not a level":           l.SetNamedLevel("db", -2),
		"6 is not a level":            l.SetNamedLevel("x", zapcore.InvalidLevel),
		"above 0, not 0s":             l.SetLevelFor(zap.DebugLevel, 0),
		"above 0, not -1s":            l.SetNamedLevelFor("db", zap.DebugLevel, -time.Second),
		"above 0, not -1ns":           l.Change(LevelChange{For: -1}),
		"name is empty":               l.SetNamedLevel("", zap.DebugLevel),
		"is empty: name one":          l.SetNamedLevelFor("", zap.DebugLevel, time.Second),
		`"a b" has a comma`:           l.SetNamedLevel("a b", zap.DebugLevel),
		`"a=b" has`:                   l.SetNamedLevel("a=b", zap.DebugLevel),
		`"a," has`:                    l.ResetLevel("a,"),
		`".a" has an empty part`:      l.SetNamedLevel(".a", zap.DebugLevel),
		`"a." has an empty part`:      l.SetNamedLevel("a.", zap.DebugLevel),
		`"a..b" has an empty part`:    l.SetNamedLevel("a..b", zap.DebugLevel),
		`"a\u00a0b" has a comma`:      l.SetNamedLevel("a\u00a0b", zap.DebugLevel),
		`"a\x00" has a comma`:         l.SetNamedLevel("a\x00", zap.DebugLevel),
		`"\xff" has a comma`:          l.SetNamedLevel("\xff", zap.DebugLevel),
		"300 bytes: the most is 256":  l.SetNamedLevel(strings.Repeat("x", 300), zap.DebugLevel),
		`"loud" is not a level: use`:  l.Set("loud", ""),
		`in "db=loud": "loud" is`:     l.Set("info,db=loud,x=debug", ""),
		`in "=debug": there is no`:    l.Set("=debug", ""),
		`in "db=": "" is not a level`: l.Set("db=", ""),
		"db is given twice":           l.Set("db=info, db=warn", ""),
		"of all is given twice":       l.Set("info,db=warn,debug", ""),
		"two equals signs":            l.Set("a=b=info", ""),
		`in "a b=info": logger name`:  l.Set("a b=info", ""),
	} {
		if err == nil || !strings.Contains(err.Error(), what) || !strings.HasPrefix(err.Error(), "zapkafka: ") {
			t.Errorf("error %v, want one with %q", err, what)
		}
	}
	if after := fmt.Sprint(l.All()); after != before {
		t.Errorf("refused changes changed %s to %s", before, after)
	}
	for i := 1; i < maxSettings; i++ {
		must(t, l.SetNamedLevel(fmt.Sprint("n", i), zap.DebugLevel))
	}
	if err := l.SetNamedLevel("one-more", zap.DebugLevel); err == nil || !strings.Contains(err.Error(), "1000 names") {
		t.Errorf("one name too many: %v", err)
	}
	must(t, l.SetNamedLevel("db", zap.ErrorLevel)) // which is there
	must(t, l.Set(l.String(), ""))                 // all that can be set can be written down
}

func TestLevelsText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "warn",
		"debug":                               "debug",
		"DEBUG":                               "debug",
		", db = debug ,,":                     "warn,db=debug",
		"info,db=debug,http=warn":             "info,db=debug,http=warn",
		"http=error\r\ninfo\ndb.pool=debug\n": "info,db.pool=debug,http=error",
	} {
		l := NewLevels(zap.WarnLevel)
		must(t, l.SetNamedLevel("gone", zap.DebugLevel))
		must(t, l.SetLevel(zap.FatalLevel))
		must(t, l.Set(text, "test"))
		if got := l.String(); got != want {
			t.Errorf("Set(%q) gave %q, want %q", text, got, want)
		}
		if got := l.For("gone"); got != l.For("") {
			t.Errorf("Set(%q): a name that it does not have is at %v", text, got)
		}
	}
}

func TestLevelsFromEnvironment(t *testing.T) {
	l := NewLevels(zap.WarnLevel)
	t.Setenv(LevelEnv, "")
	must(t, l.SetFromEnv())
	if got := l.String(); got != "warn" {
		t.Errorf("an empty variable gave %s", got)
	}
	t.Setenv(LevelEnv, "error,db=debug")
	must(t, l.SetFromEnv())
	if got := l.String(); got != "error,db=debug" {
		t.Errorf("got %s", got)
	}
	t.Setenv(LevelEnv, "error,db=debgu")
	if err := l.SetFromEnv(); err == nil || !strings.Contains(err.Error(), LevelEnv) || !strings.Contains(err.Error(), "debgu") {
		t.Errorf("error %v", err)
	}
}

// changes returns the entries about changes, a line each.
func changes(t testing.TB, text string) []string {
	t.Helper()
	var all []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var e struct{ Msg, Level, Name, Old, New, Until, From, By string }
		if json.Unmarshal([]byte(line), &e) != nil || e.Msg != "log level changed" {
			continue
		}
		if e.Until != "" {
			if until, err := time.Parse(time.RFC3339, e.Until); err != nil || time.Until(until) > time.Hour {
				t.Errorf("until is %q", e.Until)
			}
			e.Until = " for a time"
		}
		if e.From != "" {
			e.Until = " later"
		}
		all = append(all, fmt.Sprintf("%s[%s] %s>%s%s by %s", e.Level, e.Name, e.Old, e.New, e.Until, e.By))
	}
	return all
}

// Every change is in the log, though nothing else is.
func TestChangesAreLogged(t *testing.T) {
	var buf syncBuffer
	logger := New(&buf, zap.FatalLevel)
	l := logger.Levels()
	must(t, l.SetLevel(zap.ErrorLevel))
	must(t, l.SetLevel(zap.ErrorLevel)) // no change
	must(t, l.SetNamedLevel("db", zap.FatalLevel))
	must(t, l.SetNamedLevelFor("db", zap.PanicLevel, 10*time.Millisecond))
	eventually(t, "the temporary level ends", func() bool { return l.For("db") == zap.FatalLevel })
	must(t, l.Change(LevelChange{Name: "db", Reset: true, By: "HTTP 10.0.0.7:4711"}))
	must(t, l.ResetLevel("db")) // no change
	must(t, l.SetNamedLevelFor("y", zap.WarnLevel, time.Hour))
	must(t, l.Set("dpanic,x=panic,y=error", "file levels"))
	must(t, l.Set("dpanic,x=panic,y=error", "file levels")) // no change
	must(t, l.ResetLevel("y"))
	_ = l.SetLevel(42)
	eventually(t, "the last one", func() bool { return len(changes(t, buf.String())) >= 10 })
	want := []string{
		"info[] fatal>error by API",
		"info[db] inherited>fatal by API",
		"info[db] fatal>panic for a time by API",
		"info[db] panic>fatal by end of the temporary level",
		"info[db] fatal>inherited by HTTP 10.0.0.7:4711",
		"info[y] inherited>warn for a time by API",
		"info[] error>dpanic by file levels",
		"info[x] inherited>panic by file levels",
		"info[y] inherited>error later by file levels",
		"info[y] warn>inherited by API",
	}
	if got := changes(t, buf.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A writer that changes a level behind the lock that every writer gets.
func TestAWriterThatChangesLevels(t *testing.T) {
	var l *Logger
	var once sync.Once
	buf := &syncBuffer{}
	l = New(writerFunc(func(p []byte) (int, error) {
		once.Do(func() { must(t, l.SetLevel(zap.WarnLevel)) })
		return buf.Write(p)
	}), zap.InfoLevel)
	l.Info("e")
	if got := l.Level(); got != zap.WarnLevel {
		t.Errorf("level %v", got)
	}
	eventually(t, "the entry", func() bool { return len(changes(t, buf.String())) == 1 })
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Cores whose Check adds another core, and one that does not let the entry through.
func TestChangesReachTheLogThroughAnyCore(t *testing.T) {
	for name, wrap := range map[string]func(zapcore.Core) zapcore.Core{
		"hooks": func(c zapcore.Core) zapcore.Core {
			return zapcore.RegisterHooks(c, func(zapcore.Entry) error { return nil })
		},
		"sampler": func(c zapcore.Core) zapcore.Core { return zapcore.NewSamplerWithOptions(c, time.Hour, 1, 0) },
		"tee":     func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(zapcore.NewNopCore(), c) },
		"lazy":    func(c zapcore.Core) zapcore.Core { return zapcore.NewLazyWith(c, []zap.Field{zap.Int("x", 1)}) },
		"higher level": func(c zapcore.Core) zapcore.Core {
			c, err := zapcore.NewIncreaseLevelCore(c, zap.ErrorLevel)
			must(t, err)
			return c
		},
		"sampled hooks": func(c zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(zapcore.RegisterHooks(c, func(zapcore.Entry) error { return nil }), time.Hour, 1, 0)
		},
	} {
		var buf syncBuffer
		l := New(&buf, zap.InfoLevel, zap.WrapCore(wrap)).Levels()
		for i := 0; i < 5; i++ {
			must(t, l.SetLevel([]zapcore.Level{zap.DebugLevel, zap.InfoLevel}[i%2]))
		}
		eventually(t, name+": five entries at Info", func() bool { return len(changes(t, buf.String())) == 5 })
	}
}

// What is changed before there is a logger is written when there is one.
func TestChangesBeforeThereIsALogger(t *testing.T) {
	l := NewLevels(zap.InfoLevel)
	must(t, l.Set("warn,db=debug", "environment"))
	_ = zap.NewNop().WithOptions(l.Option()) // is none
	var buf syncBuffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), &buf, zap.DebugLevel)
	_ = zap.New(core, l.Option())
	eventually(t, "both entries", func() bool { return len(changes(t, buf.String())) == 2 })
}

// Of too many changes the last ones are written, and it is said how many are not.
func TestManyChangesBeforeThereIsALogger(t *testing.T) {
	l := NewLevels(zap.InfoLevel)
	const n = mostAudit + 50
	for i := 0; i < n; i++ {
		must(t, l.SetLevel([]zapcore.Level{zap.DebugLevel, zap.InfoLevel}[i%2]))
	}
	var buf syncBuffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), &buf, zap.DebugLevel)
	_ = zap.New(core, l.Option())
	eventually(t, "all entries", func() bool { return len(changes(t, buf.String())) == mostAudit })
	if got := buf.String(); strings.Count(got, `"left_out":50`) != 1 {
		t.Errorf("the first entries are\n%.500s", got)
	}
}

// A core that hangs holds up nobody for long, and one that panics takes nobody along.
func TestCoresThatFail(t *testing.T) {
	hang, panicked := make(chan struct{}), make(chan struct{})
	l := New(writerFunc(func(p []byte) (int, error) { <-hang; return len(p), nil }), zap.InfoLevel).Levels()
	must(t, l.SetLevel(zap.DebugLevel))
	must(t, l.SetLevel(zap.WarnLevel))
	close(hang)
	eventually(t, "the goroutine ends", func() bool {
		l.audit.mu.Lock()
		defer l.audit.mu.Unlock()
		return l.audit.written == nil
	})

	l = New(writerFunc(func([]byte) (int, error) { defer close(panicked); panic("the test has ended") }), zap.InfoLevel).Levels()
	must(t, l.SetLevelFor(zap.DebugLevel, time.Hour))
	<-panicked
	must(t, l.Set("info", "")) // below it, at its end
	if got := l.String(); got != "debug" {
		t.Errorf("levels %s", got)
	}
}

// At no moment does a name let through what neither the old nor the new levels do.
func TestSetIsOneChange(t *testing.T) {
	l := NewLevels(zap.WarnLevel)
	stop, seen := make(chan struct{}), make(chan int)
	go func() {
		wrong := 0
		for {
			select {
			case <-stop:
				seen <- wrong
				return
			default:
				if l.For("http") != zap.WarnLevel {
					wrong++
				}
			}
		}
	}()
	for i := 0; i < 2000; i++ {
		must(t, l.Set([]string{"debug,http=warn", "warn"}[i%2], "test"))
	}
	close(stop)
	if n := <-seen; n != 0 {
		t.Errorf("http was at another level than warn %d times", n)
	}
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) Sync() error { return nil }

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// 100 goroutines log while levels change, temporary ones end and names come and
// go. What must hold at every moment: an Error is logged, and a name's level is
// one that it was given.
func TestLevelsUnderFire(t *testing.T) {
	levels := NewLevels(zap.InfoLevel)
	core, logs := observer.New(zap.ErrorLevel)
	root := zap.New(core, levels.Option())
	const goroutines, each = 100, 200
	var wg sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		g := g
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < each; i++ {
				name := fmt.Sprintf("n%d", i%10)
				logger := root.Named(name).Named(fmt.Sprint(g, "-", i)) // names that come and go
				logger.Debug("d")
				logger.Error("e")
				var err error
				switch level := zapcore.Level((g+i)%4 - 1); g % 10 {
				case 0:
					err = levels.SetNamedLevel(name, level)
				case 1:
					err = levels.SetNamedLevelFor(name, level, time.Duration(i%3+1)*time.Millisecond)
				case 2:
					err = levels.ResetLevel(name)
				case 3:
					err = levels.SetLevelFor(level, time.Duration(i%3+1)*time.Millisecond)
				case 4:
					err = levels.Set(levels.String(), "test")
				case 5:
					levels.All()
				default:
					if got := levels.For(name + ".x"); got < zap.DebugLevel || got > zap.ErrorLevel {
						t.Errorf("For = %v", got)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	if n := logs.FilterMessage("e").Len(); n != goroutines*each {
		t.Errorf("%d errors were logged, want %d", n, goroutines*each)
	}
	eventually(t, "no temporary level is left", func() bool {
		for _, s := range levels.All() {
			if !s.Until.IsZero() {
				return false
			}
		}
		return true
	})
	must(t, levels.Set("info", "test"))
	if got := levels.String(); got != "info" {
		t.Errorf("at the end: %s", got)
	}
	if n := levels.names.Load(); n != nil {
		t.Error("names are looked up though none has a level")
	}
}

func FuzzLevelsSet(f *testing.F) {
	for _, text := range []string{"info", "info,db=debug", "a=b=c", ",,=", "db.pool=WARN\nfatal", "a..b=info"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := NewLevels(zap.WarnLevel)
		if err := l.Set(text, "fuzz"); err != nil {
			if l.String() != "warn" {
				t.Errorf("Set(%q) fails with %v and changes %s", text, err, l)
			}
			return
		}
		once := l.String()
		if err := l.Set(once, "fuzz"); err != nil || l.String() != once {
			t.Errorf("Set(%q) gives %q, which gives %q, %v", text, once, l, err)
		}
		for _, s := range l.All() {
			if l.For(s.Name) != s.Level {
				t.Errorf("For(%q) = %v, want %v", s.Name, l.For(s.Name), s.Level)
			}
		}
	})
}
