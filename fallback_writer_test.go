package zapkafka

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// What a full disk left of a line does not become the beginning of the next
// entry that counts as on file.
func TestTornLineStandsAlone(t *testing.T) {
	p := &fakeProducer{handle: refuse}
	var writes atomic.Int32
	f := &memoryFile{write: func(b []byte) (int, error) {
		if writes.Add(1) == 1 {
			return len(b) / 2, errors.New("no space left on device")
		}
		return len(b), nil
	}}
	s := newTestSyncer(t, p, f, nil)
	mustWrite(t, s, "first entry\n")
	eventually(t, "the first to be lost", func() bool { return s.Stats().Lost.FallbackFailed == 1 })
	mustWrite(t, s, "second entry\n")
	eventually(t, "the second on file", func() bool { return s.Stats().FellBack.DeliveryFailed == 1 })
	if got := strings.Join(f.lines(), "|"); !strings.HasSuffix(got, "|second entry") {
		t.Errorf("on file %q, want the second entry as a line", got)
	}
}

// A torn line is ended before the next write, as often as that takes, and a
// write that ended with a line needs nothing.
func TestPlainFallbackEndsTornLines(t *testing.T) {
	var text strings.Builder
	var takes []int // what the next writes take; an error for less than all
	f := newPlainFallback(funcWriter(func(p []byte) (int, error) {
		n, err := len(p), error(nil)
		if len(takes) > 0 {
			if takes[0] < n {
				n, err = takes[0], errors.New("no space left on device")
			}
			takes = takes[1:]
		}
		text.Write(p[:n])
		return n, err
	}))
	b := spool.Batch{Text: []byte("abc\ndef\n"), Ends: []uint32{4, 8}}
	for i, tt := range []struct {
		takes   []int
		entries int
		failed  bool
		text    string
	}{
		{[]int{4}, 1, true, "abc\n"},                     // up to the end of a line
		{nil, 2, false, "abc\ndef\n"},                    // so nothing is torn
		{[]int{6}, 1, true, "abc\nde"},                   // torn
		{[]int{0}, 0, true, ""},                          // the newline finds no room either
		{[]int{0}, 0, true, ""},                          // nor now
		{[]int{1, 2}, 0, true, "\nab"},                   // ended, and torn again at once
		{nil, 2, false, "\nabc\ndef\n"},                  // ended
		{nil, 2, false, "abc\ndef\n"},                    // once
		{[]int{0}, 0, true, ""},                          // nothing written, nothing torn
		{[]int{100}, 2, false, "abc\ndef\n"},             // as is to be seen
		{[]int{7}, 1, true, "abc\ndef"},                  // all but the newline: not on file
		{[]int{100, 100}, 2, false, "\n" + "abc\ndef\n"}, // and not to be read as if it were the next
	} {
		text.Reset()
		takes = tt.takes
		n, err := f.appendBatch(b)
		if n != tt.entries || (err != nil) != tt.failed || text.String() != tt.text {
			t.Errorf("write %d: %d entries, %v, text %q; want %d, failed %v, %q", i, n, err, text.String(), tt.entries, tt.failed, tt.text)
		}
	}
	short := newPlainFallback(funcWriter(func(p []byte) (int, error) { return 3, nil }))
	if n, err := short.appendBatch(b); n != 0 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that takes 3 bytes and says nothing: %d, %v; want 0 and ErrShortWrite", n, err)
	}
}

// An error beside entries that are all on file (an index that could not be
// written) is reported and is no reason to lose anything.
func TestErrorBesideAWholeWriteLosesNothing(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	log := &errorLog{}
	f := &memoryFile{write: func(b []byte) (int, error) {
		return len(b), errors.New("on file, but not in the index")
	}}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20, MaxWait: waitTime, ErrorHandler: log.handle})
	for i := 0; i < 40_000; i++ { // twice the bound
		mustWrite(t, s, string(line200))
	}
	p.answer()
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	st := s.Stats()
	if st.FellBack.QueueFull == 0 || st.Lost.Total() != 0 {
		t.Errorf("fell back %+v, lost %+v; want some and none", st.FellBack, st.Lost)
	}
	eventually(t, "the report", func() bool { return strings.Contains(log.String(), "not in the index") })
}

// With a fallback at its cap Write says so, and what is lost is counted by that
// reason.
func TestFullFallbackIsNamed(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := mustOpenFallback(t, t.TempDir(), &FallbackOptions{MaxBytes: 64 << 10})
	s, err := NewKafkaSyncer(p, "test", f, &Options{BufferBytes: 4 << 20, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err = s.Write(line200); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFallbackFull) || !errors.Is(err, ErrQueueFull) {
		t.Errorf("Write = %v, want ErrQueueFull and ErrFallbackFull", err)
	}
	if st := s.Stats(); st.Lost.FallbackFull != 1 || st.Lost.Total() != 1 {
		t.Errorf("lost %+v, want the one that Write said, the fallback being full", st.Lost)
	}
	// The end loses what Kafka does not take, by the same reason.
	if err := shutdownWithin(t, s, 0); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("Shutdown = %v, want what is lost", err)
	}
	st := s.Stats()
	checkBalance(t, st)
	if st.Lost.FallbackFull != st.Lost.Total() || st.Lost.Total() < 10_000 {
		t.Errorf("lost %+v, want all that was in memory", st.Lost)
	}
	if _, err := s.Write([]byte(strings.Repeat("x", 64<<10))); !errors.Is(err, ErrFallbackFull) || !errors.Is(err, ErrClosed) {
		t.Errorf("Write after Shutdown = %v, want ErrClosed and ErrFallbackFull", err)
	}
}
