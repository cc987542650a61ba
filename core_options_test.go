package zapkafka

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// traced takes the key from a field, the topic from the logger's name, and has all
// kinds of headers.
func traced() *CoreOptions {
	return &CoreOptions{
		Key:   ByField("trace_id"),
		Topic: PerLoggerName(map[string]string{"audit": "audit-logs", "audit.debug": ""}),
		Headers: []HeaderBy{
			{"level", ByLevel()},
			{"service", ByText("orders")},
			{"traceparent", ByField("traceparent")},
			{"loud", PerLevel(map[zapcore.Level]string{zap.ErrorLevel: "yes", zap.FatalLevel: ""})},
			{"msg", ByFunc(func(e zapcore.Entry, fields []zapcore.Field) string {
				return fmt.Sprint(len(e.Message), "/", len(fields))
			})},
		},
	}
}

// The options are right whatever stands between the logger and the core.
func TestCoreOptions(t *testing.T) {
	p := newRecordLog()
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, traced())
	other := zapcore.NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), zapcore.AddSync(io.Discard), zapcore.DebugLevel)
	sampled := zapcore.NewSamplerWithOptions(zapcore.NewTee(other, c), time.Minute, 1, 0)
	l := zap.New(sampled)
	request := l.With(zap.String("trace_id", "t-1"), zap.String("traceparent", "00-ab"))
	audit := request.Named("audit")

	l.Info("bare")
	l.Info("bare") // the sampler's
	request.Warn("with")
	request.Error("call", zap.Int("trace_id", 4711), zap.Bool("b", true))
	audit.Info("named")
	audit.Named("login").Debug("below")
	audit.Named("debug").Info("excepted")
	l.Named("auditor").Info("another")
	audit.Info("wins", Key("own"), Topic("other"), RecordHeader("level", "mine"))
	request.With(zap.Stringer("trace_id", time.Second)).Info("child")
	l.Info("err", zap.NamedError("trace_id", errors.New("e-1")))
	l.WithLazy(zap.ByteString("trace_id", []byte("bytes"))).Info("lazily")
	l.Info("none", zap.Reflect("trace_id", nil))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ text, topic, key, headers string }{
		{"bare", "test", "", "level=info service=orders msg=4/0"},
		{"with", "test", "t-1", "level=warn service=orders traceparent=00-ab msg=4/2"},
		{"call", "test", "4711", "level=error service=orders traceparent=00-ab loud=yes msg=4/4"},
		{"named", "audit-logs", "t-1", "level=info service=orders traceparent=00-ab msg=5/2"},
		{"below", "audit-logs", "t-1", "level=debug service=orders traceparent=00-ab msg=5/2"},
		{"excepted", "test", "t-1", "level=info service=orders traceparent=00-ab msg=8/2"},
		{"another", "test", "", "level=info service=orders msg=7/0"},
		{"wins", "other", "own", "level=mine service=orders traceparent=00-ab msg=4/5"},
		{"child", "test", "1s", "level=info service=orders traceparent=00-ab msg=5/3"},
		{"err", "test", "e-1", "level=info service=orders msg=3/1"},
		{"lazily", "test", "bytes", "level=info service=orders msg=6/1"},
		{"none", "test", "", "level=info service=orders msg=4/1"},
	} {
		r := p.find(t, fmt.Sprintf("%q:%q", "msg", want.text))
		if r.Topic != want.topic || string(r.Key) != want.key || headersText(r.Headers) != want.headers {
			t.Errorf("%s: topic %s, key %q, headers %s; want %+v", want.text, r.Topic, r.Key, headersText(r.Headers), want)
		}
	}
	if got, want := s.Stats().Accepted, uint64(12); got != want {
		t.Errorf("%d entries, want %d: the sampler lets one of two through", got, want)
	}
}

func TestKeysOfEachKind(t *testing.T) {
	host := hostname
	defer func() { hostname = host }()
	hostname = func() (string, error) { return "node-7", nil }
	for name, tt := range map[string]struct {
		by   RecordBy
		want string
	}{
		"nothing": {RecordBy{}, ""},
		"name":    {ByLoggerName(), "db.pool"},
		"level":   {ByLevel(), "warn"},
		"host":    {ByHost(), "node-7"},
		"text":    {ByText("same"), "same"},
		"levels":  {PerLevel(map[zapcore.Level]string{zap.DebugLevel: "low", zap.WarnLevel: "high", zap.FatalLevel: "no"}), "high"},
		"names":   {PerLoggerName(map[string]string{"": "rest", "db": "database", "db.pools": "no"}), "database"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newRecordLog()
			s := newTestSyncer(t, p, &memoryFile{}, nil)
			c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, &CoreOptions{Key: tt.by})
			zap.New(c).Named("db").Named("pool").Warn("entry")
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			if r := p.find(t, "entry"); string(r.Key) != tt.want || (tt.want == "") != (r.Key == nil) {
				t.Errorf("key %q, want %q", r.Key, tt.want)
			}
		})
	}
}

// Through a Tee of this package a record has what it has without one.
func TestRecordsThroughTee(t *testing.T) {
	p := newRecordLog()
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	var out bytes.Buffer
	when := time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)
	l := New(Tee(&out, Tee(s)), zapcore.InfoLevel, zap.WithClock(fixedClock(when)))
	l.With(Key("k")).Info("hello", Topic("other"), RecordHeader("h", "v"))
	l.Info("bad", Topic("no such/topic"))
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	r := p.find(t, "hello")
	if r.Topic != "other" || string(r.Key) != "k" || headersText(r.Headers) != "h=v" || !r.Time.Equal(when) {
		t.Errorf("topic %s, key %q, headers %s, time %v", r.Topic, r.Key, headersText(r.Headers), r.Time)
	}
	if !strings.Contains(out.String(), "hello") {
		t.Errorf("the other writer got %q", out.String())
	}
}

type fixedClock time.Time

func (c fixedClock) Now() time.Time                         { return time.Time(c) }
func (c fixedClock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func TestCoreOptionsThatAreWrong(t *testing.T) {
	s := newTestSyncer(t, newRecordLog(), &memoryFile{}, nil)
	enc := zapcore.NewJSONEncoder(NewEncoderConfig())
	for want, o := range map[string]CoreOptions{
		`CoreOptions.Topic: topic "a/b" contains '/'`:     {Topic: ByText("a/b")},
		`CoreOptions.Topic: topic "c d" contains ' '`:     {Topic: PerLevel(map[zapcore.Level]string{zap.InfoLevel: "c d"})},
		`CoreOptions.Topic: topic ".." is not allowed`:    {Topic: PerLoggerName(map[string]string{"x": ".."})},
		`CoreOptions.Topic: PerLevel: 42 is not a level`:  {Topic: PerLevel(map[zapcore.Level]string{42: "x"})},
		`CoreOptions.Key: ByFunc got no function`:         {Key: ByFunc(nil)},
		`CoreOptions.Key: ByField got no name`:            {Key: ByField("")},
		`CoreOptions.Headers[1]: the header has no name`:  {Headers: []HeaderBy{{"a", ByLevel()}, {"", ByLevel()}}},
		`CoreOptions.Headers[0]: the header "a" has no v`: {Headers: []HeaderBy{{Name: "a"}}},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if p := recover(); p == nil || !strings.HasPrefix(fmt.Sprint(p), "zapkafka: NewCore: ") || !strings.Contains(fmt.Sprint(p), want) {
					t.Errorf("panic %v, want one with %q", p, want)
				}
			}()
			o := o
			NewCore(enc, s, zapcore.InfoLevel, &o)
		})
	}
}

// A topic that an entry names wrongly costs neither the entry nor its key, and a
// function that panics neither the program nor the entry.
func TestRulesThatFail(t *testing.T) {
	host := hostname
	defer func() { hostname = host }()
	hostname = func() (string, error) { return "", errors.New("no name today") }
	p := newRecordLog()
	errs := &errorLog{}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{ErrorHandler: errs.handle})
	c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, &CoreOptions{
		Key:   ByText("k"),
		Topic: ByLoggerName(),
		Headers: []HeaderBy{
			{"host", ByHost()}, {"level", ByLevel()},
			{"boom", ByFunc(func(zapcore.Entry, []zapcore.Field) string { panic("in the function") })},
			{"wild", ByField("wild")},
		},
	})
	l := zap.New(c)
	l.Named("no/topic").Info("kept", zap.Reflect("wild", wild{}))
	l.Named("some.topic").Info("led")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if r := p.find(t, "kept"); r.Topic != "test" || string(r.Key) != "k" || headersText(r.Headers) != "level=info wild={}" {
		t.Errorf("topic %s, key %s, headers %s", r.Topic, r.Key, headersText(r.Headers))
	}
	if r := p.find(t, "led"); r.Topic != "some.topic" || headersText(r.Headers) != "level=info" {
		t.Errorf("topic %s, headers %s", r.Topic, headersText(r.Headers))
	}
	eventually(t, "three reports", func() bool {
		got := errs.String()
		return strings.Contains(got, `"no/topic"`) && strings.Contains(got, "in the function") && strings.Contains(got, "no name today")
	})
}

type wild struct{}

// However many names entries make up, the topics stay few, and nothing that is kept
// of them grows.
func TestTopicsFromEntriesAreFew(t *testing.T) {
	p := newRecordLog()
	errs := &errorLog{}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{ErrorHandler: errs.handle})
	c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, &CoreOptions{Topic: ByField("user")})
	for round := 0; round < 2; round++ {
		for i := 0; i < maxTopics+50; i++ {
			if err := c.Write(zapcore.Entry{Message: "m"}, []zapcore.Field{zap.Int("user", i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	topics := map[string]int{}
	p.mu.Lock()
	for _, r := range p.got {
		topics[r.Topic]++
	}
	p.mu.Unlock()
	if len(topics) != maxTopics+1 || topics["test"] != 100 || topics["0"] != 2 {
		t.Errorf("%d topics, %d entries in the syncer's, %d in the first; want %d, 100, 2", len(topics), topics["test"], topics["0"], maxTopics+1)
	}
	eventually(t, "a report", func() bool { return strings.Contains(errs.String(), "the 257th") })
}

// What an outage sends through the fallback comes out of the replay with all that
// the options made of it.
func TestCoreOptionsThroughAnOutage(t *testing.T) {
	p := &topicDouble{}
	p.goDown()
	s, f := newReplaySyncer(t, p, t.TempDir(), nil, &Options{OutageAfter: 50 * time.Millisecond})
	when := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	core := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, traced())
	l := zap.New(core, zap.WithClock(fixedClock(when))).Named("audit").With(zap.String("trace_id", "t-1"))
	eventually(t, "an entry on file", func() bool {
		l.Warn("in the outage", zap.String("traceparent", "00-ab"))
		return s.Stats().FellBack.Outage > 0
	})
	p.comeBack()
	eventually(t, "the replay", func() bool { return f.Stats().Replayed > 0 && f.Stats().OnFile == 0 })
	replayed := 0
	for _, k := range p.stored() {
		if _, ok := k.header("replayed"); !ok {
			continue
		}
		replayed++
		var own []Header
		for _, h := range k.headers {
			if h.Key != "replayed" && h.Key != "possibly-duplicate" {
				own = append(own, h)
			}
		}
		if k.topic != "audit-logs" || string(k.key) != "t-1" || !k.time.Equal(when) ||
			headersText(own) != "level=warn service=orders traceparent=00-ab msg=13/2" {
			t.Fatalf("replayed: topic %s, key %s, time %v, headers %s", k.topic, k.key, k.time, headersText(own))
		}
	}
	if replayed == 0 {
		t.Error("no replayed record")
	}
}

// TestCoreOptionsAllocate pins that keys, topics and headers that are known beforehand
// cost nothing beside zap's own encoding, and fields of text no more.
func TestCoreOptionsAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	s := newTestSyncer(t, &fakeProducer{}, &memoryFile{}, nil)
	e := zapcore.Entry{Level: zapcore.InfoLevel, Time: time.Now(), Message: "order placed", LoggerName: "orders.db"}
	fields := []zapcore.Field{zap.String("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736")}
	for name, o := range coreOptionsToMeasure() {
		o := o
		c := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, &o)
		if avg := testing.AllocsPerRun(20_000, func() { _ = c.Write(e, fields) }); avg != 0 {
			t.Errorf("%s: %v allocations a Write, want 0", name, avg)
		}
	}
}

func coreOptionsToMeasure() map[string]CoreOptions {
	return map[string]CoreOptions{
		"none":         {},
		"key by name":  {Key: ByLoggerName()},
		"key by level": {Key: ByLevel()},
		"key by host":  {Key: ByHost()},
		"key by field": {Key: ByField("trace_id")},
		"topic":        {Topic: ByLoggerName()},
		"headers":      {Headers: []HeaderBy{{"level", ByLevel()}, {"service", ByText("orders")}}},
		"all": {
			Key: ByField("trace_id"), Topic: PerLoggerName(map[string]string{"orders": "order-logs"}),
			Headers: []HeaderBy{{"level", ByLevel()}, {"service", ByText("orders")}},
		},
	}
}

// BenchmarkCore compares a core with what it knows beyond a WriteSyncer with zap's
// own core on the same sink ("bare"). The encoder costs both the same and is most of
// it. Compare the lines of one run.
func BenchmarkCore(b *testing.B) {
	e := zapcore.Entry{Level: zapcore.InfoLevel, Time: time.Now(), Message: "order placed", LoggerName: "orders.db"}
	fields := []zapcore.Field{zap.String("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"), zap.Int("items", 3)}
	run := func(name string, newCore func(zapcore.Encoder, *KafkaSyncer) zapcore.Core) {
		b.Run(name, func(b *testing.B) {
			s, err := NewKafkaSyncer(&fakeProducer{}, "test", zapcore.AddSync(io.Discard), &Options{ErrorHandler: func(error) {}})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			c := newCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				if err := c.Write(e, fields); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
		})
	}
	run("bare", func(enc zapcore.Encoder, s *KafkaSyncer) zapcore.Core {
		return zapcore.NewCore(enc, s, zapcore.DebugLevel)
	})
	for name, o := range coreOptionsToMeasure() {
		o := o
		run(name, func(enc zapcore.Encoder, s *KafkaSyncer) zapcore.Core { return NewCore(enc, s, zapcore.DebugLevel, &o) })
	}
}
