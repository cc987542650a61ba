package spool

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestReplayMemory replays much more than it may hold.
func TestReplayMemory(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{SegmentBytes: 16 << 20})
	b := largeBatch()
	for i := 0; i < 200; i++ { // 50 MiB
		if n, err := s.Append(b); n != len(b.Ends) || err != nil {
			t.Fatal(n, err)
		}
	}
	crash(s)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, peak := heap(), uint64(0)
	s = mustOpen(t, dir, Options{})
	r := mustReplay(t, s)
	for i := 0; ; i++ {
		batch := next(t, r, 1000)
		if len(batch) == 0 {
			break
		}
		done(t, r, batch...)
		if i%20 == 0 {
			if h := heap(); h > peak {
				peak = h
			}
		}
	}
	if st := s.Stats(); st.Replayed != uint64(200*len(b.Ends)) {
		t.Errorf("stats %+v", st)
	}
	if peak > before+8<<20 {
		t.Errorf("%d MiB of heap in use, for batches of 200 KiB", (peak-before)>>20)
	}
	crash(s) // a Close would sync all of it
}

// TestSegmentWithoutIndexIsCountedLater has more text without an index than Open
// reads, nearly all of it a hole in the file.
func TestSegmentWithoutIndexIsCountedLater(t *testing.T) {
	dir := t.TempDir()
	path := segmentPath(dir, 1, textExt)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	const hole = countBudget + 1<<20
	for at, text := range map[int64]string{0: "a\n", 2 + hole: "\nb\n"} {
		if _, err := f.WriteAt([]byte(text), at); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	write(t, segmentPath(dir, 2, textExt), "c\n")

	s := mustOpen(t, dir, Options{})
	wantStats(t, s, "inherited=1 onfile=1 uncounted=1")
	r := mustReplay(t, s)
	batch := next(t, r, 1)
	wantStats(t, s, "inherited=4 onfile=4")
	batch = append(batch, next(t, r, 10)...)
	if got := valuesOf(batch); got != "a|b|c" {
		t.Errorf("replayed %q", got)
	}
	done(t, r, batch...)
	next(t, r, 1)
	wantStats(t, s, "inherited=4 replayed=3 quarantined=1")
	lines := strings.Count(contents(t, dir+"/"+quarantineName), "\n")
	if want := hole/pieceBytes + 1; lines != want {
		t.Errorf("the hole is on %d lines of the quarantine, want %d", lines, want)
	}
	if size := s.Size(); size > 100<<10 {
		t.Errorf("the quarantine has %d bytes for a hole", size)
	}
}

func BenchmarkReplay(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer crash(s)
	r := mustReplay(b, s)
	batch := largeBatch()
	b.SetBytes(int64(len(batch.Text)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		b.StopTimer()
		if _, err := s.Append(batch); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for {
			entries := next(b, r, 1000)
			if len(entries) == 0 {
				break
			}
			done(b, r, entries...)
		}
	}
}
