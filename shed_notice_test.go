package zapkafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// notice is the entry about what was shed.
type notice struct {
	Level, Logger, Msg string
	Shed               uint64
	ByLevel            map[string]uint64 `json:"shed_by_level"`
	FellBack           uint64            `json:"fell_back"`
	Lost               uint64
	From, To           string
}

// notices returns those among lines.
func notices(t *testing.T, lines []string) []notice {
	t.Helper()
	var all []notice
	for _, l := range lines {
		if !strings.Contains(l, "entries shed") {
			continue
		}
		var n notice
		if err := json.Unmarshal([]byte(l), &n); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		all = append(all, n)
	}
	return all
}

// quickNotices makes an overload be over sooner.
func quickNotices(s *KafkaSyncer) {
	s.notice.mu.Lock()
	s.notice.quiet, s.notice.gap = 10*time.Millisecond, time.Millisecond
	s.notice.mu.Unlock()
}

// After an overload there is one entry that says what is missing, and it is in the
// sheets as any other.
func TestAnEntryAfterAnOverload(t *testing.T) {
	p := &fakeProducer{keep: true}
	p.handle = p.hold
	f := newStall()
	errs := &errorLog{}
	s, err := NewKafkaSyncer(p, "test", f, &Options{BufferBytes: 4 << 20, MaxWait: -1, CloseTimeout: time.Second, ErrorHandler: errs.handle})
	if err != nil {
		t.Fatal(err)
	}
	quickNotices(s)
	core := NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, &CoreOptions{Topic: ByLoggerName(), Headers: []HeaderBy{{"level", ByLevel()}}})
	l := zap.New(core)
	pad := zap.String("pad", strings.Repeat("x", 1000))
	for s.Stats().Levels[1].Shed < 10 {
		l.Debug("low", pad)
		l.Info("low", pad)
	}
	shed := s.Stats().Shed
	close(f.gate)
	p.answer()
	topic := make(chan string, 1)
	p.setHandle(func(_ context.Context, records []*Record) {
		for _, r := range records {
			if strings.Contains(string(r.Value), "entries shed") {
				topic <- r.Topic
			}
		}
		p.ack(records)
	})
	eventually(t, "the entry", func() bool { return len(notices(t, p.acknowledged())) > 0 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	st := s.Stats()
	checkBalance(t, st)
	all := notices(t, append(p.acknowledged(), f.lines()...))
	if len(all) != 1 {
		t.Fatalf("%d entries about it, want 1: %+v", len(all), all)
	}
	n := all[0]
	if got := <-topic; got != "test" {
		t.Errorf("it is in the topic %s", got)
	}
	if n.Level != "warn" || n.Logger != "zapkafka" || n.Shed != shed || n.ByLevel["debug"]+n.ByLevel["info"] != shed || n.ByLevel["info"] != st.Levels[1].Shed ||
		n.Lost != 0 || n.FellBack > st.FellBack.Total() || n.To < n.From || !strings.HasPrefix(n.Msg, fmt.Sprintf("%d entries shed, %d to the fallback, between 20", shed, n.FellBack)) {
		t.Errorf("the entry says %+v, the sheet %+v", n, st)
	}
	if got := st.Levels[2]; got.Accepted != 1 || got.Acked+got.FellBack != 1 {
		t.Errorf("it is not in the sheet as an entry at Warn: %+v", got)
	}
	if !strings.Contains(errs.String(), "entries are being shed") {
		t.Errorf("reported: %s", errs.String())
	}
}

// At Shutdown the rest is said at once, and an entry about what FallbackLevel keeps off
// the disk goes there itself.
func TestTheEntryAtShutdown(t *testing.T) {
	p := &fakeProducer{}
	p.handle = refuse
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{FallbackLevel: zapcore.ErrorLevel})
	l := New(Tee(s), zapcore.DebugLevel)
	for i := 0; i < 3; i++ {
		l.Info("low")
	}
	eventually(t, "these to be shed", func() bool { return s.Stats().Shed == 3 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all := notices(t, f.lines())
	if len(all) != 1 || all[0].Shed != 3 || all[0].ByLevel["info"] != 3 {
		t.Errorf("on file: %q", f.lines())
	}
	if st := s.Stats(); st.Shed != 3 || st.Accepted != 4 {
		t.Errorf("%+v, want 3 shed and one more accepted", st)
	}
}

// Who has no core, or does not want the entry, is told by the ErrorHandler; and nobody
// if nothing was shed.
func TestWhoIsToldWithoutAnEntry(t *testing.T) {
	for _, tt := range []struct {
		name   string
		shed   bool
		logger func(s *KafkaSyncer) *zap.Logger
	}{
		{"switched off", true, func(s *KafkaSyncer) *zap.Logger {
			return zap.New(NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, &CoreOptions{NoShedEntry: true}))
		}},
		{"nothing shed", false, func(s *KafkaSyncer) *zap.Logger { return New(s, zapcore.DebugLevel).Logger }},
		{"a core that panics", true, func(s *KafkaSyncer) *zap.Logger {
			NewCore(panicking{zapcore.NewJSONEncoder(NewEncoderConfig())}, s, zapcore.DebugLevel, nil)
			return New(s, zapcore.DebugLevel).Logger
		}},
	} {
		tt := tt
		t.Run(tt.name, func(t *testing.T) {
			errs := &errorLog{}
			p := &fakeProducer{}
			p.handle = refuse
			f := &memoryFile{}
			o := &Options{ErrorHandler: errs.handle}
			if tt.shed {
				o.FallbackLevel = zapcore.WarnLevel
			}
			s := newTestSyncer(t, p, f, o)
			tt.logger(s).Info("low")
			eventually(t, "the outcome", func() bool { return s.Stats().PendingEntries == 0 })
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if st := s.Stats(); st.Accepted != 1 || (st.Shed == 1) != tt.shed {
				t.Errorf("%+v", st)
			}
			if got := strings.Contains(errs.String(), "1 entries shed"); got != tt.shed {
				t.Errorf("reported: %s", errs.String())
			}
		})
	}
}

type panicking struct{ zapcore.Encoder }

func (p panicking) EncodeEntry(zapcore.Entry, []zapcore.Field) (*buffer.Buffer, error) {
	panic("no more")
}

// What is shed by Shutdown itself is reported.
func TestShedByShutdown(t *testing.T) {
	errs := &errorLog{}
	p := &fakeProducer{}
	p.handle = func(ctx context.Context, records []*Record) {
		<-ctx.Done()
		p.hold(ctx, records)
	}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{FallbackLevel: zapcore.WarnLevel, ErrorHandler: errs.handle})
	New(s, zapcore.DebugLevel).Info("low")
	if err := shutdownWithin(t, s, 40*time.Millisecond); err != nil {
		t.Error(err)
	}
	if !strings.Contains(errs.String(), "1 entries below FallbackLevel were not acknowledged") {
		t.Errorf("reported: %s", errs.String())
	}
}

// A fallback that has failed, and is not written to any more since Kafka is back, does not
// put off the entry.
func TestAnEntryThoughTheFallbackHasFailed(t *testing.T) {
	p := &fakeProducer{keep: true}
	p.handle = p.hold
	f := &memoryFile{write: func([]byte) (int, error) { return 0, errors.New("no space left on device") }}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20, MaxWait: -1, OutageAfter: -1})
	quickNotices(s)
	l := New(s, zapcore.DebugLevel)
	pad := zap.String("pad", strings.Repeat("x", 1000))
	for s.Stats().Levels[1].Shed < 10 {
		l.Info("low", pad)
	}
	eventually(t, "a write that fails", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return s.q.failing
	})
	p.answer()
	eventually(t, "the entry", func() bool { return len(notices(t, p.acknowledged())) > 0 })
}
