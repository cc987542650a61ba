package spool

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// waitTime is how long a test waits for what must come.
const waitTime = 20 * time.Second

// gate lets nobody read a text as long as it is shut.
type gate struct {
	shut   atomic.Bool
	waits  chan struct{} // gets a value for each read that waits
	opened chan struct{}
}

func newGate(fs *faultFS) *gate {
	g := &gate{waits: make(chan struct{}, 100), opened: make(chan struct{})}
	fs.before = func(op, name string) {
		if op == "read" && strings.HasSuffix(name, textExt) && g.shut.Load() {
			g.waits <- struct{}{}
			<-g.opened
		}
	}
	return g
}

func (g *gate) wait(t *testing.T) {
	t.Helper()
	select {
	case <-g.waits:
	case <-time.After(waitTime):
		t.Fatal("nobody reads")
	}
}

func (g *gate) open() {
	g.shut.Store(false)
	close(g.opened)
}

// soon runs f, which must not wait for the gate.
func (g *gate) soon(t *testing.T, what string, f func()) {
	t.Helper()
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
	}()
	select {
	case <-over:
	case <-time.After(waitTime):
		g.open()
		<-over
		t.Fatalf("%s waits", what)
	}
}

// leaveUnindexed leaves a segment that can only be counted by reading it.
func leaveUnindexed(t *testing.T, dir string, n int) {
	t.Helper()
	write(t, segmentPath(dir, 1, textExt), strings.Repeat("an entry\n", n))
}

// openUncounted opens a directory in which Open can count nothing.
func openUncounted(t *testing.T, dir string, o Options, fs *faultFS) *Spool {
	t.Helper()
	fs.fail = func(op, name string) error {
		if op == "read" {
			return errIO
		}
		return nil
	}
	s := mustOpen(t, dir, o)
	fs.set(func(f *faultFS) { f.fail = nil })
	return s
}

// TestAppendBesideAdoption appends while an adopted directory is counted.
func TestAppendBesideAdoption(t *testing.T) {
	root := t.TempDir()
	first := mustOpen(t, root, Options{})
	fs := newFaultFS()
	gate := newGate(fs)
	s := mustOpen(t, root, Options{fs: fs})
	mustClose(t, first)
	leaveUnindexed(t, root, 3)
	gate.shut.Store(true)
	adopted := make(chan []*Replay)
	go func() { adopted <- mustAdopt(t, s) }()
	gate.wait(t)
	wantStats(t, s, "uncounted=1")
	gate.soon(t, "an Append beside the counting", func() { mustAppend(t, s, "a", "b") })
	wantStats(t, s, "stored=2 onfile=2 uncounted=1")
	gate.open()
	replays := <-adopted
	wantStats(t, s, "inherited=3 stored=2 onfile=5")
	if got := drained(t, replays[0]); got != "an entry|an entry|an entry" {
		t.Errorf("adopted %q", got)
	}
}

// TestEvictionOfTheUncounted makes room by a segment that nobody has counted yet.
// The Append that needs the room does not wait for that.
func TestEvictionOfTheUncounted(t *testing.T) {
	dir := t.TempDir()
	leaveUnindexed(t, dir, 50)
	fs := newFaultFS()
	gate := newGate(fs)
	s := openUncounted(t, dir, Options{MaxBytes: 500, Evict: true, fs: fs}, fs)
	wantStats(t, s, "uncounted=1")
	gate.shut.Store(true)
	gate.soon(t, "an Append that makes room", func() { mustAppend(t, s, strings.Repeat("a", 199)) })
	gate.wait(t)
	wantStats(t, s, "stored=1 onfile=1 uncounted=1")
	if got := filesIn(t, dir); got != "2.idx 2.log" {
		t.Errorf("files %q", got)
	}
	gate.open()
	s.counting.Wait()
	wantStats(t, s, "inherited=50 stored=1 evicted=50 onfile=1")
	if got, want := s.Size(), onDisk(t, dir); got != want {
		t.Errorf("Size %d, on disk %d", got, want)
	}
}

// TestCountingStops ends the counting of much text in the middle, and goes on with
// another Replay.
func TestCountingStops(t *testing.T) {
	dir := t.TempDir()
	const n = 200_000
	leaveUnindexed(t, dir, n)
	fs := newFaultFS()
	stop := make(chan struct{})
	var armed atomic.Bool
	var reads atomic.Int32
	fs.before = func(op, name string) {
		if op == "read" && armed.Load() && reads.Add(1) == 2 {
			close(stop)
		}
	}
	s := openUncounted(t, dir, Options{fs: fs}, fs)
	armed.Store(true)
	s.CountUntil(stop)
	r := mustReplay(t, s)
	if batch, err := r.Next(10, all); !errors.Is(err, ErrCountingStopped) || len(batch) != 0 || reads.Load() > 3 {
		t.Errorf("%d entries, %v after %d reads; want counting to end at once", len(batch), err, reads.Load())
	}
	wantStats(t, s, "uncounted=1")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s.CountUntil(make(chan struct{}))
	if batch := next(t, mustReplay(t, s), 10); len(batch) != 10 {
		t.Errorf("the next Replay got %d entries", len(batch))
	}
	wantStats(t, s, "inherited=200000 onfile=200000")
}

// TestCloseEndsCounting closes while Next counts.
func TestCloseEndsCounting(t *testing.T) {
	dir := t.TempDir()
	leaveUnindexed(t, dir, 200_000)
	fs := newFaultFS()
	gate := newGate(fs)
	s := openUncounted(t, dir, Options{fs: fs}, fs)
	r := mustReplay(t, s)
	gate.shut.Store(true)
	result := make(chan error)
	go func() {
		_, err := r.Next(10, all)
		result <- err
	}()
	gate.wait(t)
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for end := time.Now().Add(waitTime); !s.closing.Load(); {
		if time.Now().After(end) {
			t.Fatal("Close does not begin")
		}
		<-time.After(time.Millisecond)
	}
	gate.open()
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("Next = %v, want ErrClosed", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wantStats(t, s, "uncounted=1")
}
