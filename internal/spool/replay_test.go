package spool

import (
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const all = 1 << 30

func mustReplay(t testing.TB, s *Spool) *Replay {
	t.Helper()
	r, err := s.OpenReplay()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// next takes up to n entries and wants no trouble.
func next(t testing.TB, r *Replay, n int) []Pending {
	t.Helper()
	batch, err := r.Next(n, all)
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return batch
}

func valuesOf(batch []Pending) string {
	var values []string
	for _, e := range batch {
		values = append(values, string(e.Value))
	}
	return strings.Join(values, "|")
}

func done(t testing.TB, r *Replay, batch ...Pending) {
	t.Helper()
	positions := make([]Position, 0, len(batch))
	for _, e := range batch {
		positions = append(positions, e.Position)
	}
	if err := r.Done(positions...); err != nil {
		t.Fatalf("Done: %v", err)
	}
}

// crash ends a Spool as the end of its process does.
func crash(s *Spool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.current != nil {
		s.current.text.f.Close()
		if s.current.index != nil {
			s.current.index.f.Close()
		}
	}
	for _, l := range []*lineFile{s.rejected, s.quarantined} {
		if l != nil {
			l.f.Close()
		}
	}
	for _, b := range s.backlogs {
		b.giveUp()
	}
	if s.lock != nil {
		s.lock.Close()
	}
	s.closeErr = nil
}

// wantStats compares the sheet, and checks that it is balanced.
func wantStats(t testing.TB, s *Spool, want string) {
	t.Helper()
	st := s.Stats()
	if got := sheet(st); got != want {
		t.Errorf("stats %s, want %s", got, want)
	}
	wantBalance(t, st)
}

func wantBalance(t testing.TB, st Stats) {
	t.Helper()
	if in, out := st.Inherited+st.Stored, st.Replayed+st.Rejected+st.Quarantined+st.Evicted+st.OnFile; in != out {
		t.Fatalf("out of balance: %d in, %d out: %+v", in, out, st)
	}
}

// sheet is the counts that are not 0.
func sheet(st Stats) string {
	var parts []string
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"inherited", st.Inherited}, {"stored", st.Stored}, {"replayed", st.Replayed}, {"rejected", st.Rejected},
		{"quarantined", st.Quarantined}, {"evicted", st.Evicted}, {"onfile", st.OnFile}, {"uncounted", uint64(st.Uncounted)},
	} {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", c.name, c.n))
		}
	}
	return strings.Join(parts, " ")
}

// filesIn lists the names in dir but for the lock.
func filesIn(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, strings.TrimLeft(e.Name(), "0"))
		}
	}
	return strings.Join(names, " ")
}

func TestReplayOfWhatIsWritten(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	if err := s.SetTopic("logs"); err != nil {
		t.Fatal(err)
	}
	r := mustReplay(t, s)
	if batch := next(t, r, 10); len(batch) != 0 {
		t.Fatalf("entries of an empty directory: %q", valuesOf(batch))
	}
	mustAppend(t, s, "a", "b")
	own := Batch{PossiblyDuplicate: true, Text: AppendEnvelope(nil, Envelope{
		Value: []byte("c\nc"), Topic: "audit", Key: []byte("k"), Headers: []Header{{Key: "h", Value: []byte("v")}}, Time: lastTime})}
	own.Ends = []uint32{uint32(len(own.Text))}
	if n, err := s.Append(own); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	first := next(t, r, 1)
	rest := next(t, r, 10)
	if valuesOf(first)+"/"+valuesOf(rest) != "a/b|c\nc" {
		t.Fatalf("got %q and %q", valuesOf(first), valuesOf(rest))
	}
	if a := first[0]; a.Topic != "logs" || !a.Time.Equal(firstTime) || a.PossiblyDuplicate || a.Key != nil {
		t.Errorf("plain entry %+v", a)
	}
	if c := rest[1]; c.Topic != "audit" || string(c.Key) != "k" || len(c.Headers) != 1 || !c.Time.Equal(lastTime) || !c.PossiblyDuplicate {
		t.Errorf("entry with a topic of its own %+v", c)
	}
	if st := s.Stats(); !st.Oldest.Equal(firstTime) || st.Bytes != onDisk(t, dir) {
		t.Errorf("oldest %v, %d bytes; want %v, %d", st.Oldest, st.Bytes, firstTime, onDisk(t, dir))
	}
	// Out of order: nothing may be passed over on file.
	done(t, r, rest[1])
	wantStats(t, s, "stored=3 replayed=1 onfile=2")
	if got := cursorOf(t, dir, 1); got != 0 {
		t.Errorf("the cursor is at %d before the first entry was done", got)
	}
	done(t, r, first[0])
	if got := cursorOf(t, dir, 1); got != 2 {
		t.Errorf("the cursor is at %d, want it behind the first entry", got)
	}
	// All done: the segment goes, though it was open for writing.
	done(t, r, rest[0])
	wantStats(t, s, "stored=3 replayed=3")
	if got := filesIn(t, dir); got != "" || s.Size() != 0 {
		t.Errorf("files %q, size %d, want none left", got, s.Size())
	}
	mustAppend(t, s, "d")
	batch := next(t, r, 10)
	if valuesOf(batch) != "d" {
		t.Errorf("behind it came %q", valuesOf(batch))
	}
	done(t, r, batch...)
	done(t, r, batch...) // once more means nothing
	wantStats(t, s, "stored=4 replayed=4")
	if !s.Stats().Oldest.IsZero() {
		t.Error("an oldest entry of none")
	}
}

func TestReplayAfterRestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean=", clean), func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir, Options{SegmentBytes: 10})
			r := mustReplay(t, s)
			mustAppend(t, s, "a", "b", "c", "d", "e", "f")
			mustAppend(t, s, "g", "h")
			batch := next(t, r, 100)
			done(t, r, batch[0], batch[1], batch[3], batch[7])
			wantStats(t, s, "stored=8 replayed=4 onfile=4")
			if clean {
				mustClose(t, s)
			} else {
				crash(s)
			}
			s = mustOpen(t, dir, Options{})
			// What was done beyond the cursor comes again.
			wantStats(t, s, "inherited=6 onfile=6")
			r = mustReplay(t, s)
			batch = next(t, r, 100)
			if got := valuesOf(batch); got != "c|d|e|f|g|h" {
				t.Errorf("after the restart %q", got)
			}
			done(t, r, batch...)
			next(t, r, 1)
			wantStats(t, s, "inherited=6 replayed=6")
			if got := filesIn(t, dir); got != "" {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func TestAgain(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{SegmentBytes: 4})
	r := mustReplay(t, s)
	mustAppend(t, s, "a", "b")
	mustAppend(t, s, "c", "d")
	mustAppend(t, s, "e")
	batch := next(t, r, 100)
	r.Again(batch[1].Position, batch[3].Position, batch[4].Position)
	if got := valuesOf(next(t, r, 2)); got != "b|d" {
		t.Errorf("given back, and got %q", got)
	}
	if got := valuesOf(next(t, r, 100)); got != "e" {
		t.Errorf("given back, and got %q", got)
	}
	done(t, r, batch...)
	if got := valuesOf(next(t, r, 100)); got != "" {
		t.Errorf("after all were done: %q", got)
	}
	wantStats(t, s, "stored=5 replayed=5")
}

// TestPassOver: what was passed over does not come before it is recalled, nor hold
// up what is behind it, nor take memory.
func TestPassOver(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{SegmentBytes: 4})
	r := mustReplay(t, s)
	mustAppend(t, s, "a", "b")
	mustAppend(t, s, "c", "d")
	mustAppend(t, s, "e")
	batch := next(t, r, 100)
	r.PassOver(batch[0].Position, batch[1].Position, batch[2].Position)
	done(t, r, batch[3])
	if got := r.Fragments(); got != 1 {
		t.Errorf("%d fragments of three entries passed over and one that is done, want 1", got)
	}
	mustAppend(t, s, "f")
	if got := valuesOf(next(t, r, 100)); got != "f" {
		t.Errorf("behind what was passed over: %q", got)
	}
	r.Recall()
	if got := valuesOf(next(t, r, 100)); got != "a|b|c" {
		t.Errorf("recalled, and got %q", got)
	}
	r.Recall()
	if got := valuesOf(next(t, r, 100)); got != "" {
		t.Errorf("recalled with nothing passed over: %q", got)
	}
	r.PassOver(batch[0].Position)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = mustReplay(t, s)
	rest := next(t, r, 100)
	if got := valuesOf(rest); got != "a|b|c|e|f" {
		t.Errorf("the next replay got %q", got)
	}
	done(t, r, rest...)
	wantStats(t, s, "stored=6 replayed=6")
}

// TestAgainWhileNextReads gives an entry back at the worst moments: between the
// reading of others and the note that they were read.
func TestAgainWhileNextReads(t *testing.T) {
	for _, atEnd := range []bool{false, true} {
		s := mustOpen(t, t.TempDir(), Options{})
		r := mustReplay(t, s)
		mustAppend(t, s, "a", "b", "c")
		first := next(t, r, 1)
		r.mu.Lock()
		g, err := r.pick()
		if err != nil {
			t.Fatal(err)
		}
		batch, err := r.read(g, nil, 2, all)
		if err != nil {
			t.Fatal(err)
		}
		if atEnd {
			batch = r.take(g, batch, 0)
			r.Again(first[0].Position)
			r.atEnd(g)
		} else {
			r.Again(first[0].Position)
			batch = r.take(g, batch, 0)
		}
		r.mu.Unlock()
		if got := valuesOf(batch) + "|" + valuesOf(next(t, r, 10)); got != "b|c|a" {
			t.Errorf("at the end: %v: got %q, want the first entry again", atEnd, got)
		}
	}
}

func TestReject(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys, MaxBytes: 200})
	if err := s.SetTopic("logs"); err != nil {
		t.Fatal(err)
	}
	r := mustReplay(t, s)
	mustAppend(t, s, "a", "b")
	batch := next(t, r, 100)
	fsys.set(func(f *faultFS) { f.room, f.roomFor = 10, rejectedName })
	if err := r.Reject(batch[0], "too large"); !errors.Is(err, errNoSpace) {
		t.Errorf("Reject on a full disk: %v", err)
	}
	wantStats(t, s, "stored=2 onfile=2")
	done(t, r, batch[1])
	fsys.set(func(f *faultFS) { f.room = -1 })
	// The disk has room again, and the caller tries once more.
	if err := r.Reject(batch[0], "too large"); err != nil {
		t.Error(err)
	}
	wantStats(t, s, "stored=2 replayed=1 rejected=1")
	if got := filesIn(t, dir); got != rejectedName {
		t.Errorf("files %q", got)
	}
	if got, want := contents(t, dir+"/"+rejectedName),
		`{"zapkafka_envelope":1,"topic":"logs","time":"2024-05-06T07:08:09.123456789Z","reason":"too large","value":"a"}`+"\n"; got != want {
		t.Errorf("rejected %s, want %s", got, want)
	}
	if got, want := s.Size(), onDisk(t, dir); got != want {
		t.Errorf("Size %d, on disk %d", got, want)
	}
	if fsys.durable[dir+"/"+rejectedName] == 0 {
		t.Error("the segment went before the rejected entry was synced")
	}
}

// cursorOf is the offset on file.
func cursorOf(t testing.TB, dir string, number uint64) int64 {
	t.Helper()
	text, err := os.Open(segmentPath(dir, number, textExt))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	c, err := readCursor(osFS{}, segmentPath(dir, number, cursorExt), number, text, all)
	if err != nil {
		t.Fatal(err)
	}
	return c.offset
}

// TestMarkedAsPossiblyDuplicate restarts with entries that were with the caller.
func TestMarkedAsPossiblyDuplicate(t *testing.T) {
	for _, end := range []string{"crash", "close", "replay closed", "machine crash"} {
		t.Run(end, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir, Options{})
			r := mustReplay(t, s)
			mustAppend(t, s, "a", "b", "c", "d")
			batch := next(t, r, 3)
			done(t, r, batch[0])
			switch end {
			case "close":
				mustClose(t, s)
			case "replay closed":
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			default:
				crash(s)
			}
			want := "b?c?d"
			if end == "machine crash" { // the tail is another: all again
				overwrite(t, segmentPath(dir, 1, textExt), 0, "X")
				want = "X?b?c?d"
			}
			if end != "replay closed" {
				s = mustOpen(t, dir, Options{})
			}
			got := ""
			for _, e := range next(t, mustReplay(t, s), 10) {
				got += string(e.Value)
				if e.PossiblyDuplicate {
					got += "?"
				}
			}
			if got != want {
				t.Errorf("replayed %q, want %q", got, want)
			}
		})
	}
}

// TestDoubt: what Kafka may have got is marked when it comes again, and nothing
// else, as long as not too many parts are in doubt.
func TestDoubt(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{})
	r := mustReplay(t, s)
	mustAppend(t, s, "a", "b", "c", "d")
	marked := func(batch []Pending) (values string) {
		for _, e := range batch {
			values += string(e.Value)
			if e.PossiblyDuplicate {
				values += "?"
			}
		}
		return values
	}
	batch := next(t, r, 10)
	r.Doubt(batch[1].Position, batch[2].Position)
	r.PassOver(batch[0].Position, batch[1].Position, batch[3].Position)
	r.Again(batch[2].Position)
	r.Recall()
	batch = next(t, r, 10)
	if got := marked(batch); got != "ab?c?d" {
		t.Errorf("again %q, want ab?c?d", got)
	}
	done(t, r, batch...)
	many := make([]string, 4*maxDoubts)
	for i := range many {
		many[i] = "x"
	}
	mustAppend(t, s, many...)
	batch = next(t, r, len(many))
	for i := 0; i < len(batch); i += 2 {
		r.Doubt(batch[i].Position)
	}
	for _, e := range batch {
		r.PassOver(e.Position)
	}
	if got := len(s.own.segments[0].doubt); got > maxDoubts {
		t.Errorf("%d parts in doubt are kept, want %d at most", got, maxDoubts)
	}
	r.Recall()
	for i, e := range next(t, r, len(many)) {
		if i%2 == 0 && !e.PossiblyDuplicate {
			t.Fatalf("entry %d, in doubt, is not marked", i)
		}
	}
}

// TestReplayBehindTheWriter replays while others append, and sees each entry
// once and whole.
func TestReplayBehindTheWriter(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{SegmentBytes: 2 << 10})
	r := mustReplay(t, s)
	const writers, batches = 4, 150
	var wg sync.WaitGroup
	for w := 0; w < writers; w++ {
		w := w
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < batches; i++ {
				pad := strings.Repeat("x", i%50)
				if n, err := s.Append(batchOf(fmt.Sprintf("%d-%d-a%s", w, i, pad), fmt.Sprintf("%d-%d-b%s", w, i, pad))); n != 2 || err != nil {
					t.Errorf("Append: %d, %v", n, err)
				}
			}
		}()
	}
	landing := make(chan []Pending, 16)
	rnd, back := rand.New(rand.NewSource(1)), map[string]bool{}
	wg.Add(1)
	go func() {
		defer wg.Done()
		for batch := range landing {
			positions := make([]Position, 0, len(batch))
			for i := range batch { // from behind: acknowledgements come in any order
				positions = append(positions, batch[len(batch)-1-i].Position)
			}
			if first := string(batch[0].Value); rnd.Intn(4) == 0 && !back[first] {
				back[first] = true // and some are given back, once
				r.Again(batch[0].Position)
				positions = positions[:len(positions)-1]
			}
			if err := r.Done(positions...); err != nil {
				t.Error(err)
			}
		}
	}()
	seen := map[string]int{}
	deadline := time.Now().Add(time.Minute)
	for s.Stats().Replayed < 2*writers*batches && time.Now().Before(deadline) {
		batch := next(t, r, 7)
		for _, e := range batch {
			seen[string(e.Value)]++
		}
		if len(batch) > 0 {
			landing <- batch
		}
		wantBalance(t, s.Stats())
	}
	close(landing)
	wg.Wait()
	for v, n := range seen {
		if n != 1 && (n != 2 || !back[v]) {
			t.Errorf("%q came %d times, given back: %v", v, n, back[v])
		}
	}
	next(t, r, 1)
	wantStats(t, s, fmt.Sprintf("stored=%d replayed=%d", 2*writers*batches, 2*writers*batches))
	if n := s.Stats().Unindexed; n != 0 {
		t.Errorf("%d entries were read without the index", n)
	}
	if got := filesIn(t, s.Dir()); got != "" {
		t.Errorf("left behind: %q", got)
	}
}

// TestReaderStopsAtTheKnownEnd opens a segment of which the writer says how far
// it is whole.
func TestReaderStopsAtTheKnownEnd(t *testing.T) {
	dir := t.TempDir()
	path := segmentPath(dir, 1, textExt)
	write(t, path, "a\nb\nbeing writ")
	f, err := openStored(osFS{}, path, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := ""
	damage, err := readFile(f.Reader, func(e Entry) error {
		got += string(e.Value)
		return nil
	})
	if got != "ab" || len(damage) != 0 || err != nil {
		t.Errorf("read %q, %v, %v", got, damage, err)
	}
	if _, err := openStored(osFS{}, path, 100, 0); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), path) {
		t.Errorf("opened beyond its end: %v", err)
	}
}

// TestLinesOfSomebodyElse has somebody write into the segment that we write.
func TestLinesOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	mustAppend(t, s, "a")
	extend(t, segmentPath(dir, 1, textExt), "x\ny\nz\n")
	mustAppend(t, s, "b") // in a segment of its own
	// That there is more is known, not how much.
	wantStats(t, s, "inherited=1 stored=2 onfile=3")
	r := mustReplay(t, s)
	batch := next(t, r, 10)
	if got := valuesOf(batch); got != "a|x|y|z|b" {
		t.Errorf("replayed %q", got)
	}
	done(t, r, batch...)
	next(t, r, 1)
	wantStats(t, s, "inherited=3 stored=2 replayed=5")
}

// TestShortenedByOthers loses entries under the eyes of the replay.
func TestShortenedByOthers(t *testing.T) {
	dir := t.TempDir()
	now := firstTime
	s := mustOpen(t, dir, Options{now: func() time.Time { return now }})
	mustAppend(t, s, "a", "b", "c")
	r := mustReplay(t, s)
	batch := next(t, r, 1)
	if err := os.Truncate(segmentPath(dir, 1, textExt), 4); err != nil {
		t.Fatal(err)
	}
	more, err := r.Next(10, all)
	if len(more) > 0 && valuesOf(more) != "b|c" { // read before it was cut
		t.Errorf("replayed %q, %v", valuesOf(more), err)
	}
	mustAppend(t, s, "d")
	now = now.Add(retryEvery)
	for i := 0; i < 3; i++ {
		batch = append(batch, append(more, next(t, r, 10)...)...)
		done(t, r, batch...)
		batch, more = nil, nil
		now = now.Add(retryEvery)
	}
	st := s.Stats()
	wantBalance(t, st)
	if st.OnFile != 0 || filesIn(t, dir) != "" && filesIn(t, dir) != quarantineName {
		t.Errorf("in the end %+v, files %s", st, filesIn(t, dir))
	}
}

// TestDeletionWaitsForSync ends a segment while a Sync of the rejected file has
// begun and not ended.
// TestShortenedWhileQuarantined shortens the file of a dead owner between the
// reading of a damaged part and its move: the error is none that means the end.
func TestShortenedWhileQuarantined(t *testing.T) {
	root := t.TempDir()
	first := mustOpen(t, root, Options{})
	fs, now := newFaultFS(), firstTime
	path := segmentPath(root, 1, textExt)
	armed, reads := false, 0
	fs.before = func(op, name string) {
		if op != "read" || !armed {
			return
		}
		if reads++; reads == 2 { // the first was the reader's
			shorten(t, path, 5)
		}
	}
	s := mustOpen(t, root, Options{fs: fs, now: func() time.Time { return now }})
	mustClose(t, first)
	write(t, path, "good\nda\x00maged\n")
	r := mustAdopt(t, s)[0]
	armed = true
	batch, err := r.Next(10, all)
	if errors.Is(err, io.EOF) || !errors.Is(err, io.ErrUnexpectedEOF) || valuesOf(batch) != "good" {
		t.Fatalf("%q, %v", valuesOf(batch), err)
	}
	done(t, r, batch...)
	now = now.Add(retryEvery)
	if got := drained(t, r); got != "" {
		t.Errorf("then came %q", got)
	}
	wantBalance(t, s.Stats())
	if st := s.Stats(); st.Replayed != 1 || st.OnFile != 0 {
		t.Errorf("%+v, want one replayed and none on file", st)
	}
}

func TestDeletionWaitsForSync(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{})
	r := mustReplay(t, s)
	mustAppend(t, s, "a", "b")
	batch := next(t, r, 10)
	if err := r.Reject(batch[0], "refused"); err != nil {
		t.Fatal(err)
	}
	begun, goOn := make(chan struct{}), make(chan struct{})
	var syncs atomic.Int32
	s.mu.Lock()
	s.rejected.f = &slowFile{s.rejected.f, func() {
		if syncs.Add(1) == 1 {
			close(begun)
			<-goOn
		}
	}}
	s.mu.Unlock()
	ended := make(chan error)
	go func() { ended <- s.Sync() }()
	<-begun
	done(t, r, batch[1])
	if syncs.Load() != 2 || filesIn(t, s.Dir()) != rejectedName {
		t.Errorf("%d syncs, files %q: the segment went on the word of a Sync that was under way", syncs.Load(), filesIn(t, s.Dir()))
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
