package zapkafka

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

func mustWriteFallback(t testing.TB, f *Fallback, line string) {
	t.Helper()
	if n, err := f.Write([]byte(line)); err != nil || n != len(line) {
		t.Fatalf("Write = %d, %v", n, err)
	}
}

// countedFsyncs opens a Fallback and counts its fsyncs; fail, unless nil, is
// asked for the error of each.
func countedFsyncs(t *testing.T, after time.Duration, fail func() error) (*Fallback, *atomic.Int64) {
	t.Helper()
	f := mustOpenFallback(t, t.TempDir(), &FallbackOptions{FsyncAfter: after})
	n := &atomic.Int64{}
	fsync := f.fsync
	f.fsync = func() error { // nothing was written yet, so nobody looks
		defer n.Add(1)
		if fail != nil {
			if err := fail(); err != nil {
				return err
			}
		}
		return fsync()
	}
	return f, n
}

// Who asks for nothing gets no fsync; else each write has one behind it, and an
// idle fallback has none.
func TestFsyncAfter(t *testing.T) {
	for _, after := range []time.Duration{FsyncAtOnce, 20 * time.Millisecond} {
		f, n := countedFsyncs(t, after, nil)
		for i := int64(1); i <= 3; i++ {
			mustWriteFallback(t, f, "entry\n")
			eventually(t, "an fsync of what was written", func() bool { return n.Load() >= i })
		}
		line := spool.AppendEnvelope(nil, spool.Envelope{Value: []byte("entry"), Reason: "too large"})
		if _, err := f.rejectBatch(spool.Batch{Text: line, Ends: []uint32{uint32(len(line))}}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "an fsync of a rejected entry", func() bool { return n.Load() >= 4 })
		mustCloseFallback(t, f)
		if got := n.Load(); got != 4 {
			t.Errorf("FsyncAfter %v: %d fsyncs for 4 writes with time between them", after, got)
		}
	}
	f, n := countedFsyncs(t, 0, nil)
	mustWriteFallback(t, f, "entry\n")
	if f.timed != nil || n.Load() != 0 {
		t.Error("without FsyncAfter there was an fsync that nobody asked for")
	}
}

// Many writes within the time share an fsync.
func TestFsyncAfterIsShared(t *testing.T) {
	f, n := countedFsyncs(t, time.Hour, nil)
	mustWriteFallback(t, f, "entry\n")
	eventually(t, "that the signal is taken", func() bool { return len(f.timed.wrote) == 0 })
	for i := 0; i < 1000; i++ {
		mustWriteFallback(t, f, "entry\n")
	}
	mustCloseFallback(t, f)
	if n.Load() != 0 {
		t.Error("an fsync before its time")
	}
}

// Writes go on while the disk is at an fsync, and what is written meanwhile gets
// one of its own.
func TestFsyncAfterHoldsUpNoWrite(t *testing.T) {
	begun, goOn := make(chan struct{}, 8), make(chan struct{})
	f, n := countedFsyncs(t, FsyncAtOnce, func() error {
		begun <- struct{}{}
		<-goOn
		return nil
	})
	mustWriteFallback(t, f, "first\n")
	select {
	case <-begun:
	case <-time.After(waitTime):
		t.Fatal("no fsync")
	}
	for i := 0; i < 100; i++ {
		mustWriteFallback(t, f, "beside it\n")
	}
	close(goOn)
	eventually(t, "an fsync of the rest", func() bool { return n.Load() == 2 })
	mustCloseFallback(t, f)
	if n.Load() != 2 {
		t.Errorf("%d fsyncs, want one for the first write and one for the rest", n.Load())
	}
}

// What an fsync could not bring to the disk is counted and reported, and the next
// Sync says it, although its own fsync succeeds.
func TestFsyncByTimeThatFails(t *testing.T) {
	broken := errors.New("input/output error")
	var fails atomic.Bool
	f, n := countedFsyncs(t, FsyncAtOnce, func() error {
		if fails.Swap(false) {
			return broken
		}
		return nil
	})
	log := &errorLog{}
	s, err := NewKafkaSyncer(&fakeProducer{handle: refuse}, "test", f, &Options{ErrorHandler: log.handle, Replay: ReplayOptions{Rate: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fails.Store(true)
	mustWrite(t, s, "entry\n")
	eventually(t, "the fsync, and its report", func() bool { return n.Load() > 0 && strings.Contains(log.String(), broken.Error()) })
	if got := f.Stats().FailedFsyncs; got != 1 {
		t.Errorf("FailedFsyncs %d, want 1", got)
	}
	if err := s.Sync(); !errors.Is(err, broken) {
		t.Errorf("Sync = %v, want why the fsync before it failed", err)
	}
	if err := s.Sync(); err != nil {
		t.Errorf("a second Sync = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	f.reportersMu.Lock()
	defer f.reportersMu.Unlock()
	if len(f.reporters) != 0 {
		t.Error("the Fallback keeps the reporter of a syncer that has ended")
	}
}

func TestCloseSaysWhatAnFsyncByTimeDidNot(t *testing.T) {
	broken := errors.New("input/output error")
	f, n := countedFsyncs(t, FsyncAtOnce, func() error { return broken })
	mustWriteFallback(t, f, "entry\n")
	eventually(t, "the fsync", func() bool { return n.Load() > 0 })
	for i := 0; i < 2; i++ {
		if err := f.Close(); !errors.Is(err, broken) {
			t.Errorf("Close %d = %v, want why the fsync failed", i, err)
		}
	}
}

func TestOpenFallbackRefusesANegativeFsyncAfter(t *testing.T) {
	_, err := OpenFallback(t.TempDir(), &FallbackOptions{FsyncAfter: -1})
	if err == nil || !strings.Contains(err.Error(), "FsyncAfter is -1ns") {
		t.Errorf("OpenFallback = %v, want an error that names the field", err)
	}
}
