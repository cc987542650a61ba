package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// logAll logs one entry of each kind, and returns the sheets that come of it if only
// Warn and what has no level goes to the fallback.
func logAll(t *testing.T, s *KafkaSyncer, text string) {
	t.Helper()
	l := zap.New(NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), s, zapcore.DebugLevel, &CoreOptions{NoShedEntry: true}))
	l.Debug(text, zap.String("pad", "d"))
	l.Warn(text)
	l.Info(text)
	l.Info(text, Key("k"))
	l.Error(text, Key("k"))
	mustWrite(t, s, "written "+text+"\n")
}

// onlyImportant is what becomes of these, times rounds.
func onlyImportant(rounds uint64) LevelStats {
	return LevelStats{
		{Accepted: rounds, Shed: rounds},
		{Accepted: 2 * rounds, Shed: 2 * rounds},
		{Accepted: rounds, FellBack: rounds},
		{Accepted: rounds, FellBack: rounds},
		7: {Accepted: rounds, FellBack: rounds},
	}
}

// What is below FallbackLevel is dropped on every way that leads to the fallback, and
// nothing else is.
func TestFallbackLevel(t *testing.T) {
	for _, tt := range []struct {
		name   string
		handle func(p *fakeProducer) func(context.Context, []*Record)
		o      Options
		end    func(t *testing.T, s *KafkaSyncer)
	}{
		{"refused by Kafka", func(*fakeProducer) func(context.Context, []*Record) { return refuse }, Options{}, func(t *testing.T, s *KafkaSyncer) {
			eventually(t, "all outcomes", func() bool { return s.Stats().PendingEntries == 0 })
		}},
		{"with the client at a Sync", func(p *fakeProducer) func(context.Context, []*Record) { return p.hold }, Options{SyncTimeout: 40 * time.Millisecond}, func(t *testing.T, s *KafkaSyncer) {
			eventually(t, "a chunk with the client", func() bool {
				s.q.mu.Lock()
				defer s.q.mu.Unlock()
				return s.q.clients > 0 && s.q.open == nil
			})
			if err := s.Sync(); err != nil {
				t.Errorf("sync: %v", err)
			}
		}},
		{"waiting at Shutdown", func(p *fakeProducer) func(context.Context, []*Record) {
			return func(ctx context.Context, records []*Record) {
				<-ctx.Done()
				p.hold(ctx, records)
			}
		}, Options{}, func(t *testing.T, s *KafkaSyncer) {
			if err := shutdownWithin(t, s, 40*time.Millisecond); err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}},
	} {
		tt := tt
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &fakeProducer{}
			p.handle = tt.handle(p)
			f := &memoryFile{}
			o := tt.o
			o.FallbackLevel = zapcore.WarnLevel
			s := newTestSyncer(t, p, f, &o)
			logAll(t, s, "in memory")
			tt.end(t, s)
			if got := s.Stats().Levels; got != onlyImportant(1) {
				t.Errorf("got  %+v\nwant %+v", got, onlyImportant(1))
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			logAll(t, s, "after Close")
			if got := s.Stats().Levels; got != onlyImportant(2) {
				t.Errorf("after Close: got  %+v\nwant %+v", got, onlyImportant(2))
			}
			lines := f.lines()
			for _, l := range lines {
				if strings.Contains(l, `"level":"debug"`) || strings.Contains(l, `"level":"info"`) {
					t.Errorf("on file: %s", l)
				}
			}
			if len(lines) != 6 {
				t.Errorf("%d lines on file, want 6", len(lines))
			}
		})
	}
}

// A chunk that is spilled in part goes on behind what is on file, whichever of its
// entries were dropped.
func TestFallbackLevelAndADiskThatFails(t *testing.T) {
	for most := 0; most <= 5; most++ { // how many lines the first write takes
		o, _ := (&Options{FallbackLevel: zapcore.WarnLevel}).withDefaults()
		q, err := newQueue(o, Overhead{})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i, level := range []zapcore.Level{-1, 0, 1, 0, 1, -1, 2, 1, 0, 1, 0} {
			line := fmt.Sprintf("%d %v\n", i, level)
			if err := q.put(&meta{level: rankOf(level)}, []byte(line)); err != nil {
				t.Fatal(err)
			}
			if level >= zapcore.WarnLevel {
				want = append(want, line[:len(line)-1])
			}
		}
		writes := 0
		f := &memoryFile{write: func(b []byte) (int, error) {
			if writes++; writes > 1 {
				return len(b), nil
			}
			n := 0
			for k := 0; k < most; k++ {
				n += strings.IndexByte(string(b[n:]), '\n') + 1
			}
			if n == len(b) {
				return n, nil
			}
			return n, errors.New("no space left on device")
		}}
		r := newReporter(func(error) {})
		w := &fallbackWriter{q: q, file: newPlainFallback(f), turn: make(chan struct{}, 1), report: r, fsync: newFsyncer(newPlainFallback(f), r)}
		q.mu.Lock()
		q.sealLocked()
		q.mu.Unlock()
		for len(q.waiting) > 0 {
			q.mu.Lock()
			c := q.waiting[0]
			q.takeWholeLocked(c)
			q.mu.Unlock()
			w.do(job{c, reasonQueueFull})
		}
		if got := f.lines(); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("first write takes %d: on file %q, want %q", most, got, want)
		}
		st := q.stats()
		checkBalance(t, st)
		if st.Shed != 6 || st.FellBack.QueueFull != 5 {
			t.Errorf("first write takes %d: %+v", most, st)
		}
	}
}

// An entry that is too large for Kafka, and not important, is nowhere.
func TestFallbackLevelAndOversizeEntries(t *testing.T) {
	log := &errorLog{}
	f := &memoryFile{}
	s := newTestSyncer(t, &fakeProducer{}, f, &Options{MaxEntryBytes: 1000, FallbackLevel: zapcore.WarnLevel, ErrorHandler: log.handle})
	l := New(s, zapcore.DebugLevel)
	large := zap.String("x", strings.Repeat("x", 1000))
	l.Info("unimportant", large)
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "below FallbackLevel") })
	l.Warn("important", large)
	eventually(t, "all outcomes", func() bool { return s.Stats().PendingEntries == 0 })
	if st := s.Stats(); st.Shed != 1 || st.FellBack.TooLarge != 1 || len(f.lines()) != 1 || !strings.Contains(f.lines()[0], `"important"`) {
		t.Errorf("%+v, %d lines on file", st, len(f.lines()))
	}
}

// The level can be changed while the sink runs, and a pointer that is nil is refused.
func TestFallbackLevelChanges(t *testing.T) {
	level := zap.NewAtomicLevelAt(zapcore.DebugLevel)
	f := &memoryFile{}
	p := &fakeProducer{}
	p.handle = refuse
	s := newTestSyncer(t, p, f, &Options{FallbackLevel: level})
	l := New(s, zapcore.DebugLevel)
	for _, l2 := range []zapcore.Level{zapcore.DebugLevel, zapcore.ErrorLevel} {
		level.SetLevel(l2)
		l.Info(l2.String())
		eventually(t, "the outcome", func() bool { return s.Stats().PendingEntries == 0 })
	}
	if lines := f.lines(); len(lines) != 1 || s.Stats().Shed != 1 {
		t.Errorf("on file: %q; %+v", lines, s.Stats())
	}
	if _, err := (&Options{FallbackLevel: (*zap.AtomicLevel)(nil)}).withDefaults(); err == nil || !strings.Contains(err.Error(), "FallbackLevel is a nil *zap.AtomicLevel") {
		t.Errorf("a nil pointer: %v", err)
	}
}

// What is diverted, given back, given up and shed is not for Kafka any more.
func TestWhatIsShedIsNotHandedBack(t *testing.T) {
	q := newOverloaded(t, 1, &Options{FallbackLevel: zapcore.WarnLevel}, Overhead{})
	if !q.log(t, zapcore.InfoLevel, []byte("low")) {
		t.Fatal("no room")
	}
	q.mu.Lock()
	q.sealLocked()
	q.mu.Unlock()
	c, _ := q.takeForProducer(time.Now())
	c.makeRecords("test")
	q.publish(c)
	r := &c.records[0]
	r.state.Store(theFallbacks | uint32(reasonPartition)<<reasonShift)
	if !q.giveBack(c, r) {
		t.Fatal("not given back")
	}
	c.giveUp(reasonDeadline)
	c.shedRecords(q.forFallback())
	p := &fakeProducer{}
	s := &sender{q: q.queue, producer: p, stop: context.Background(), sick: newSickPartitions(p, nil, time.Second)}
	s.handBack(false)
	st := q.stats()
	if p.produces != 0 || st.LateAcked != 0 || st.Shed != 1 || st.PendingBytes != 0 {
		t.Errorf("handed over %d times: %+v", p.produces, st)
	}
}

// loudFile is a fallback that keeps envelopes and calls written after each write.
type loudFile struct {
	fallbackFile
	lines   int
	written func()
}

func (f *loudFile) appendBatch(b spool.Batch) (int, error) {
	f.lines += len(b.Ends)
	f.written()
	return len(b.Ends), nil
}

func (f *loudFile) keepsMeta() bool  { return true }
func (f *loudFile) ownTopic() string { return "" }

// An entry that fails while those before it are being written is looked at by its level,
// too.
func TestFallbackLevelOfWhatFailsLate(t *testing.T) {
	q := newOverloaded(t, 1, &Options{FallbackLevel: zapcore.WarnLevel}, Overhead{})
	line := []byte(strings.Repeat(`"`, 1000)) // twice as long in an envelope
	key := []byte("k")
	warns := 0
	for ; warns < 200; warns++ {
		if err := q.put(&meta{level: rankOf(zapcore.WarnLevel), key: key}, line); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.put(&meta{level: rankOf(zapcore.DebugLevel), key: key}, line); err != nil {
		t.Fatal(err)
	}
	q.mu.Lock()
	q.sealLocked()
	q.mu.Unlock()
	c, _ := q.takeForProducer(time.Now())
	c.makeRecords("test")
	q.publish(c)
	writes := 0
	plain := newPlainFallback(&memoryFile{})
	f := &loudFile{fallbackFile: plain, written: func() {
		if writes++; writes == 1 {
			c.records[warns].Done(errors.New("late"))
		}
	}}
	for i := 0; i < warns; i++ {
		c.records[i].Done(errors.New("at once"))
	}
	r := newReporter(func(error) {})
	w := &fallbackWriter{q: q.queue, file: f, turn: make(chan struct{}, 1), report: r, fsync: newFsyncer(plain, r)}
	for j, _ := q.takeForFallback(time.Now()); j.c != nil; j, _ = q.takeForFallback(time.Now()) {
		w.do(j)
	}
	st := q.stats()
	if writes < 2 || f.lines != warns || st.Shed != 1 || st.PendingBytes != 0 {
		t.Errorf("%d writes of %d lines, want %d: %+v", writes, f.lines, warns, st)
	}
	checkBalance(t, st)
}
