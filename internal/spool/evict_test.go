package spool

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestEviction(t *testing.T) {
	dir := t.TempDir()
	const max = 8 << 10
	s := mustOpen(t, dir, Options{MaxBytes: max, Evict: true})
	const n = 1000
	for i := 0; i < n; i++ {
		mustAppend(t, s, fmt.Sprintf("entry %04d", i))
		if size := onDisk(t, dir); size > max || size != s.Size() {
			t.Fatalf("%d bytes on disk, Size %d, the cap is %d", size, s.Size(), max)
		}
	}
	values, err := valuesIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept := len(values)
	for i, v := range values {
		if want := fmt.Sprintf("entry %04d", n-kept+i); v != want {
			t.Fatalf("entry %d on file is %q, want %q: the newest, without a gap", i, v, want)
		}
	}
	wantStats(t, s, fmt.Sprintf("stored=%d evicted=%d onfile=%d", n, n-kept, kept))
	if size := onDisk(t, dir); size < max*3/4 {
		t.Errorf("%d of %d bytes are used: too much was deleted at once", size, max)
	}
}

// TestEvictionCounts deletes segments that were counted in each possible way.
func TestEvictionCounts(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"as written", func(*testing.T, string) {}, "inherited=3 stored=1 evicted=3 onfile=1"},
		{"no index", func(t *testing.T, dir string) {
			if err := os.Remove(segmentPath(dir, 1, indexExt)); err != nil {
				t.Fatal(err)
			}
		}, "inherited=3 stored=1 evicted=3 onfile=1"},
		{"torn", func(t *testing.T, dir string) { extend(t, segmentPath(dir, 1, textExt), "half") },
			"inherited=4 stored=1 evicted=4 onfile=1"},
		{"cut", func(t *testing.T, dir string) { shorten(t, segmentPath(dir, 1, textExt), 3) },
			"inherited=3 stored=1 evicted=3 onfile=1"},
		{"half replayed", func(t *testing.T, dir string) {
			text := contents(t, segmentPath(dir, 1, textExt))
			write(t, segmentPath(dir, 1, cursorExt), slotFor(1, 1, text, int64(len(text)/3*2)))
		}, "inherited=1 stored=1 evicted=1 onfile=1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir, Options{})
			mustAppend(t, s, strings.Repeat("a", 99), strings.Repeat("b", 99), strings.Repeat("c", 99))
			mustClose(t, s)
			test.spoil(t, dir)
			s = mustOpen(t, dir, Options{MaxBytes: 400, Evict: true})
			mustAppend(t, s, strings.Repeat("d", 199))
			wantStats(t, s, test.want)
			wantValues(t, dir, strings.Repeat("d", 199))
			if got := filesIn(t, dir); got != "2.idx 2.log" {
				t.Errorf("files %q", got)
			}
			if got, want := s.Size(), onDisk(t, dir); got != want {
				t.Errorf("Size %d, on disk %d", got, want)
			}
		})
	}
}

// TestEvictionUnderReplay deletes a segment in the middle of its replay.
func TestEvictionUnderReplay(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{MaxBytes: 1000, SegmentBytes: 1, Evict: true})
	r := mustReplay(t, s)
	mustAppend(t, s, strings.Repeat("a", 99), strings.Repeat("b", 99), strings.Repeat("c", 99), strings.Repeat("d", 99))
	batch := next(t, r, 3)
	done(t, r, batch[0], batch[2]) // b is with us, d was not read yet
	mustAppend(t, s, strings.Repeat("e", 500))
	wantStats(t, s, "stored=5 replayed=2 evicted=2 onfile=1")
	done(t, r, batch[1]) // too late: nobody knew, and it was counted
	r.Again(batch[1].Position)
	if err := r.Reject(batch[1], "late"); err != nil {
		t.Error(err)
	}
	wantStats(t, s, "stored=5 replayed=2 evicted=2 onfile=1")
	batch = next(t, r, 10)
	if got := valuesOf(batch); got != strings.Repeat("e", 500) {
		t.Errorf("then came %q", got)
	}
	done(t, r, batch...)
	wantStats(t, s, "stored=5 replayed=3 evicted=2")
	if got := filesIn(t, dir); got != "" {
		t.Errorf("left behind: %q", got)
	}
}

func TestEvictionThatFails(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{MaxBytes: 1000, SegmentBytes: 1, Evict: true, fs: fsys})
	for i := 0; i < 3; i++ {
		mustAppend(t, s, strings.Repeat(fmt.Sprint(i), 200))
	}
	fsys.set(func(f *faultFS) {
		f.fail = func(op, name string) error {
			if op == "remove" && name != segmentName(2)+textExt {
				return errReadOnly
			}
			return nil
		}
	})
	// The oldest cannot be deleted: the next one is, and nobody waits.
	mustAppend(t, s, strings.Repeat("3", 200))
	fsys.set(func(f *faultFS) { f.fail = func(string, string) error { return errReadOnly } })
	n, err := s.Append(batchOf(strings.Repeat("4", 400)))
	if n != 0 || !errors.Is(err, ErrFull) || !errors.Is(err, errReadOnly) || !strings.Contains(err.Error(), segmentPath(dir, 1, textExt)) {
		t.Errorf("Append: %d, %v; want it full, and why", n, err)
	}
	fsys.set(func(f *faultFS) { f.fail = nil })
	mustAppend(t, s, strings.Repeat("4", 400))
	wantBalance(t, s.Stats())
	if st := s.Stats(); st.Evicted < 2 {
		t.Errorf("stats %+v", st)
	}
}

// TestEvictionSparesTheLive has no other segment to delete.
func TestEvictionSparesTheLive(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{MaxBytes: 4000, Evict: true})
	mustAppend(t, s, "a")
	n, err := s.Append(batchOf(strings.Repeat("b", 100), strings.Repeat("c", 4000)))
	if n != 1 || !errors.Is(err, ErrFull) {
		t.Errorf("Append of more than the cap: %d, %v; want what fits", n, err)
	}
	wantValues(t, dir, "a", strings.Repeat("b", 100))
	wantStats(t, s, "stored=2 onfile=2")
}

func TestFilesTakenAwayCountAsEvicted(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{SegmentBytes: 1})
	mustAppend(t, s, "a", "b")
	mustAppend(t, s, "c")
	mustAppend(t, s, "d")
	for _, number := range []uint64{1, 3} {
		if err := os.Remove(segmentPath(dir, number, textExt)); err != nil {
			t.Fatal(err)
		}
	}
	r := mustReplay(t, s)
	batch, err := r.Next(10, all)
	if valuesOf(batch) != "c" || err == nil || !strings.Contains(err.Error(), segmentPath(dir, 1, textExt)) {
		t.Errorf("Next: %q, %v; want what is there, and what is not", valuesOf(batch), err)
	}
	done(t, r, batch...)
	mustAppend(t, s, "e") // notices that the open segment is gone
	wantStats(t, s, "stored=5 replayed=1 evicted=3 onfile=1")
}
