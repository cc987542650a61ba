package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// failingFile is a fallback that takes nothing.
func failingFile() *memoryFile {
	return &memoryFile{write: func([]byte) (int, error) { return 0, errors.New("no space left on device") }}
}

// shownAndWithheld reads what a last resort wrote.
func shownAndWithheld(t *testing.T, out *memoryFile) (shown []string, withheld int) {
	t.Helper()
	for _, line := range out.lines() {
		rest, ok := strings.CutPrefix(line, "zapkafka: lost: ")
		if !ok {
			t.Errorf("line %q", line)
		}
		if count, ok := strings.CutPrefix(rest, "and "); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(count, " entries more, which are not shown"))
			if err != nil {
				t.Error(err)
			}
			withheld += n
			continue
		}
		shown = append(shown, rest)
	}
	return shown, withheld
}

// What is lost is shown or counted as not shown, each entry once, wherever it was
// when nobody would take it.
func TestLastResortIsToldOfAllThatIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		handle func(p *fakeProducer) func(context.Context, []*Record)
		o      Options
		close  bool // before the entries
		n      int
	}{
		"refused by Kafka": {handle: func(*fakeProducer) func(context.Context, []*Record) { return refuse }, n: 500},
		"never with Kafka": {
			handle: func(*fakeProducer) func(context.Context, []*Record) {
				return func(ctx context.Context, records []*Record) { <-ctx.Done(); refuse(ctx, records) }
			}, n: 5000, o: Options{OutageAfter: -1},
		},
		"no room":        {handle: func(p *fakeProducer) func(context.Context, []*Record) { return p.hold }, n: 60_000, o: Options{BufferBytes: 4 << 20}},
		"too large":      {n: 30, o: Options{MaxEntryBytes: 10}},
		"after Shutdown": {n: 30, close: true},
	} {
		t.Run(name, func(t *testing.T) {
			p, out := &fakeProducer{}, &memoryFile{}
			if test.handle != nil {
				p.handle = test.handle(p)
			}
			o := test.o
			o.LastResort, o.CloseTimeout, o.MaxWait, o.ErrorHandler = out, 100*time.Millisecond, -1, func(error) {}
			s, err := NewKafkaSyncer(p, "test", failingFile(), &o)
			if err != nil {
				t.Fatal(err)
			}
			if test.close {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for i := 0; i < test.n; i++ {
				_, _ = fmt.Fprintf(s, "entry %06d %s\n", i, strings.Repeat("x", 180))
			}
			_ = s.Close()
			lost := int(s.Stats().Lost.Total())
			if lost == 0 {
				t.Fatalf("nothing is lost: %+v", s.Stats())
			}
			// After Shutdown the rest is told with the next line only.
			eventually(t, "the lines", func() bool {
				shown, withheld := shownAndWithheld(t, out)
				return len(shown)+withheld == lost || test.close && len(shown) == lastResortLines
			})
			shown, _ := shownAndWithheld(t, out)
			seen := map[string]bool{}
			for _, line := range shown {
				if !strings.HasPrefix(line, "entry 0") || seen[line] {
					t.Errorf("shown: %q", line)
				}
				seen[line] = true
			}
			if len(shown) == 0 {
				t.Error("nothing was shown")
			}
			checkBalance(t, s.Stats())
		})
	}
}

// A write that hangs at the end of Shutdown takes its entries with it, and those
// that wait for the same disk.
func TestLastResortAfterAWriteThatHangs(t *testing.T) {
	goOn := make(chan struct{})
	f := &memoryFile{write: func(p []byte) (int, error) { <-goOn; return len(p), nil }}
	var writers []<-chan struct{}
	for name, handle := range map[string]func(*fakeProducer) func(context.Context, []*Record){
		"with the client": func(p *fakeProducer) func(context.Context, []*Record) { return p.hold },
		"refused":         func(*fakeProducer) func(context.Context, []*Record) { return refuse },
		"waiting": func(*fakeProducer) func(context.Context, []*Record) {
			return func(ctx context.Context, records []*Record) { <-ctx.Done(); refuse(ctx, records) }
		},
	} {
		p, out := &fakeProducer{}, &memoryFile{}
		p.handle = handle(p)
		s, err := NewKafkaSyncer(p, "test", f, &Options{
			LastResort: out, ErrorHandler: func(error) {}, CloseTimeout: 100 * time.Millisecond, Linger: -1,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 7; i++ {
			mustWrite(t, s, fmt.Sprintf("entry %d\n", i))
			eventually(t, "the first to be with the client", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.produces > 0 })
		}
		_ = s.Close()
		shown, _ := shownAndWithheld(t, out)
		if lost := s.Stats().Lost.FallbackStuck; lost != 7 || len(shown) != 7 {
			t.Errorf("%s: %d lost, and shown are %q", name, lost, shown)
		}
		checkBalance(t, s.Stats())
		writers = append(writers, s.writer.done)
	}
	close(goOn)
	for _, done := range writers {
		waitUntil(done, time.Now().Add(waitTime))
	}
}

// Ten in a second, then how many more there were.
func TestLastResortIsLimited(t *testing.T) {
	out := &memoryFile{}
	l := newLastResort(out)
	begin := time.Now()
	for i := 0; i < 1000; i++ {
		l.take([]byte("entry\n"))
	}
	eventually(t, "all to be told", func() bool { _, withheld := shownAndWithheld(t, out); return withheld > 0 })
	shown, withheld := shownAndWithheld(t, out)
	if time.Since(begin) < lastResortWindow && len(shown) != lastResortLines || len(shown)+withheld != 1000 {
		t.Errorf("%d shown, %d withheld", len(shown), withheld)
	}
	eventually(t, "the goroutine to end", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.idle == nil })
	l.mu.Lock()
	l.begun = time.Now().Add(-lastResortWindow)
	l.withheld = 7 // of the window that is over
	l.mu.Unlock()
	l.take([]byte("the next second"))
	<-l.end()
	lines := out.lines()
	if n := len(lines); lines[n-2] != "zapkafka: lost: and 7 entries more, which are not shown" || lines[n-1] != "zapkafka: lost: the next second" {
		t.Errorf("the last lines are %q", lines[n-2:])
	}
}

// After Shutdown nobody waits for the end of a second, and still there are no more
// lines in it.
func TestLastResortIsLimitedAfterShutdown(t *testing.T) {
	out := &memoryFile{}
	l := newLastResort(out)
	<-l.end()
	l.mu.Lock()
	l.begun = time.Now().Add(time.Hour) // a second that does not end
	l.mu.Unlock()
	for i := 0; i < 100; i++ {
		l.take([]byte("entry"))
		eventually(t, "the goroutine to end", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.idle == nil })
	}
	if shown, withheld := shownAndWithheld(t, out); len(shown) != lastResortLines || withheld != 0 || l.withheld != 90 {
		t.Errorf("%d shown, %d told, %d withheld", len(shown), withheld, l.withheld)
	}
}

func TestLastResortCutsLongEntries(t *testing.T) {
	out := &memoryFile{}
	l := newLastResort(out)
	l.take([]byte(strings.Repeat("é", 10_000)))
	<-l.end()
	line := out.lines()[0]
	if len(line) > 4096 || !strings.HasSuffix(line, "é (and 16000 bytes more)") {
		t.Errorf("a line of %d bytes that ends in %q", len(line), line[len(line)-40:])
	}
}

// A standard error that nobody reads holds up no log call, and is left behind by
// Shutdown.
func TestLastResortThatHangs(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := NewKafkaSyncer(&fakeProducer{handle: refuse}, "test", failingFile(), &Options{
		LastResort: fullPipe(t, w), ErrorHandler: func(error) {}, CloseTimeout: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	for round := 0; round < 20; round++ {
		for i := 0; i < 1000; i++ {
			mustWrite(t, s, string(line200))
		}
		eventually(t, "all to be lost", func() bool { return s.Stats().PendingEntries == 0 })
		l := s.q.lastResort
		l.mu.Lock()
		if len(l.lines) > lastResortLines {
			t.Errorf("%d lines wait", len(l.lines))
		}
		l.begun = time.Time{} // the next second
		l.mu.Unlock()
	}
	s.q.lastResort.mu.Lock()
	idle := s.q.lastResort.idle
	s.q.lastResort.mu.Unlock()
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "LastResort has not returned") {
		t.Errorf("Close = %v, want that a Write hangs", err)
	}
	if lost := s.Stats().Lost.Total(); lost != 20_000 {
		t.Errorf("lost %d, want 20,000", lost)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // until w is closed
	if !waitUntil(idle, time.Now().Add(waitTime)) {
		t.Error("the goroutine does not end")
	}
	w.Close()
}

// fullPipe returns a writer to a pipe that has no room left.
func fullPipe(t *testing.T, w *os.File) zapcore.WriteSyncer {
	t.Helper()
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Skip("pipes have no deadlines here: ", err)
	}
	if _, err := w.Write(make([]byte, 16<<20)); err == nil {
		t.Fatal("the pipe takes everything")
	}
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestLastResortDefaults(t *testing.T) {
	o, err := (*Options)(nil).withDefaults()
	if err != nil || o.LastResort != os.Stderr {
		t.Errorf("by default %v, %v; want standard error", o.LastResort, err)
	}
	off := newLastResort(io.Discard)
	off.take([]byte("entry"))
	if off.idle != nil || off.withheld != 0 {
		t.Error("io.Discard does not switch it off")
	}
	<-off.end()
}
