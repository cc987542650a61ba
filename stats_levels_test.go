package zapkafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestLevelName(t *testing.T) {
	var got []string
	for i := -1; i <= levelRanks; i++ {
		got = append(got, LevelName(i))
	}
	if want := "unknown debug info warn error dpanic panic fatal unknown unknown"; strings.Join(got, " ") != want {
		t.Errorf("names %q, want %q", got, want)
	}
	for level := zapcore.DebugLevel; level <= zapcore.FatalLevel; level++ {
		if i := rankOf(level).index(); LevelName(i) != level.String() || rankOf(level).level() != level {
			t.Errorf("%v has index %d, %s", level, i, LevelName(i))
		}
	}
	if i := rankOf(zapcore.InvalidLevel).index(); i != 7 {
		t.Errorf("a level that is none has index %d, want 7", i)
	}
}

// Each entry counts for its own level, whatever becomes of it.
func TestOutcomesByLevel(t *testing.T) {
	p := &fakeProducer{}
	full := false
	f := &memoryFile{write: func(b []byte) (int, error) {
		if full {
			return 0, errors.New("no space left on device")
		}
		return len(b), nil
	}}
	s := newTestSyncer(t, p, f, &Options{MaxEntryBytes: 1000, SyncTimeout: 40 * time.Millisecond})
	l := New(s, zapcore.DebugLevel, zap.AddStacktrace(zapcore.InvalidLevel))
	l.Debug("acknowledged")
	l.Info("acknowledged")
	l.Info("too large", zap.String("x", strings.Repeat("x", 1000)))
	mustWrite(t, s, "acknowledged\n")
	eventually(t, "these", func() bool { return s.Stats().PendingEntries == 0 })
	p.setHandle(p.hold)
	l.Warn("on file")
	l.Error("on file")
	l.Error("on file")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Levels[2].Accepted != 1 || st.Levels[2].FellBack != 1 {
		t.Errorf("warn: %+v", st.Levels[2])
	}
	l.Debug("waits")
	if n := s.Stats().Levels[0]; n.Accepted != 2 || n.Acked != 1 {
		t.Errorf("debug, with one in the open chunk: %+v", n)
	}
	full = true
	_ = s.Close()
	l.Info("lost")
	got := s.Stats().Levels
	want := LevelStats{
		{Accepted: 2, Acked: 1, Lost: 1}, {Accepted: 3, Acked: 1, FellBack: 1, Lost: 1}, {Accepted: 1, FellBack: 1}, {Accepted: 2, FellBack: 2},
		7: {Accepted: 1, Acked: 1},
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
