package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustAdopt(t testing.TB, s *Spool) []*Replay {
	t.Helper()
	replays, err := s.Adopt()
	if err != nil {
		t.Fatalf("Adopt: %v", err)
	}
	return replays
}

// drained replays all of an adopted directory.
func drained(t testing.TB, r *Replay) string {
	t.Helper()
	var values []string
	for i := 0; ; i++ {
		batch, err := r.Next(2, all)
		for _, e := range batch {
			values = append(values, string(e.Value))
		}
		if errors.Is(err, io.EOF) {
			return strings.Join(values, "|")
		}
		if err != nil || i > 1000 {
			t.Fatalf("Next: %v", err)
		}
		done(t, r, batch...)
	}
}

func TestAdoption(t *testing.T) {
	root := t.TempDir()
	first, second, third := mustOpen(t, root, Options{}), mustOpen(t, root, Options{}), mustOpen(t, root, Options{})
	mustAppend(t, first, "a", "b")
	mustAppend(t, second, "c")
	mustAppend(t, third, "d", "e", "f")
	if replays := mustAdopt(t, third); len(replays) != 0 {
		t.Fatalf("adopted from the living: %v", replays[0].Dir())
	}
	crash(first)
	crash(second)
	extend(t, segmentPath(second.Dir(), 1, textExt), "half")

	replays := mustAdopt(t, third)
	var dirs []string
	for _, r := range replays {
		dirs = append(dirs, r.Dir())
	}
	if fmt.Sprint(dirs) != fmt.Sprint([]string{root, second.Dir()}) {
		t.Fatalf("adopted %v", dirs)
	}
	wantStats(t, third, "inherited=4 stored=3 onfile=7")
	if again := mustAdopt(t, third); len(again) != 0 {
		t.Error("adopted twice")
	}
	// They are in use now.
	if fourth := mustOpen(t, root, Options{}); fourth.Dir() != filepath.Join(root, "owner-0004") {
		t.Errorf("another took %s", fourth.Dir())
	}
	size := third.Size()
	if got := drained(t, replays[1]); got != "c" {
		t.Errorf("of the second came %q", got)
	}
	if _, err := os.Stat(second.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty directory of the second is there: %v", err)
	}
	if got := drained(t, replays[0]); got != "a|b" {
		t.Errorf("of the first came %q", got)
	}
	if got := filesIn(t, root); got != "owner-0003 owner-0004" {
		t.Errorf("left in the root: %q", got)
	}
	wantStats(t, third, "inherited=4 stored=3 replayed=3 quarantined=1 onfile=3")
	if q := contents(t, filepath.Join(third.Dir(), quarantineName)); !strings.Contains(q, `"file":"owner-0002/00000000000000000001.log"`) {
		t.Errorf("in the quarantine: %s", q)
	}
	if third.Size() <= size || third.Size() != onDisk(t, third.Dir()) {
		t.Errorf("Size %d, on disk %d", third.Size(), onDisk(t, third.Dir()))
	}
	if _, err := replays[0].Next(1, all); !errors.Is(err, ErrClosed) {
		t.Errorf("Next after the end: %v", err)
	}
	// Both are free again.
	if next := mustOpen(t, root, Options{}); next.Dir() != root {
		t.Errorf("the root was not given up: another took %s", next.Dir())
	}
	if next := mustOpen(t, root, Options{}); next.Dir() != second.Dir() {
		t.Errorf("the second was not given up: another took %s", next.Dir())
	}
}

func TestAdoptionFromAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	_, end := startOwner(t, dir)
	s := mustOpen(t, dir, Options{})
	if len(mustAdopt(t, s)) != 0 {
		t.Error("adopted from a living process")
	}
	end()
	replays := mustAdopt(t, s)
	if len(replays) != 1 {
		t.Fatalf("%d directories to adopt, want 1", len(replays))
	}
	if got := drained(t, replays[0]); got != "of the child" {
		t.Errorf("adopted %q", got)
	}
}

// TestAdoptionGivenUp ends in the middle, in each way.
func TestAdoptionGivenUp(t *testing.T) {
	for name, end := range map[string]func(*Spool, *Replay) error{
		"replay closed": func(_ *Spool, r *Replay) error { return r.Close() },
		"spool closed":  func(s *Spool, _ *Replay) error { return s.Close() },
		"crash":         func(s *Spool, _ *Replay) error { crash(s); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			first, second, third := mustOpen(t, root, Options{}), mustOpen(t, root, Options{}), mustOpen(t, root, Options{})
			mustAppend(t, first, "a", "b", "c")
			mustClose(t, first)
			r := mustAdopt(t, second)[0]
			if len(mustAdopt(t, third)) != 0 {
				t.Fatal("two have it")
			}
			batch := next(t, r, 2)
			done(t, r, batch[0])
			if err := end(second, r); err != nil {
				t.Fatal(err)
			}
			if err := r.Done(batch[1].Position); !errors.Is(err, ErrClosed) {
				t.Errorf("Done after the end: %v", err)
			}
			wantBalance(t, second.Stats())
			replays := mustAdopt(t, third)
			if len(replays) != 1 {
				t.Fatalf("%d directories to adopt, want 1", len(replays))
			}
			if got := drained(t, replays[0]); got != "b|c" {
				t.Errorf("the next one got %q", got)
			}
		})
	}
}

func TestAdoptionOfNothing(t *testing.T) {
	root := t.TempDir()
	s := mustOpen(t, root, Options{})
	for _, dir := range []string{"owner-0002", "owner-0003", "owner-0004", "owner-x", "other"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "owner-0002", lockName), "")
	write(t, filepath.Join(root, "owner-0003", rejectedName), "x\n") // somebody's to look at
	write(t, filepath.Join(root, "owner-0004", segmentName(3)+indexExt), "x\n")
	write(t, segmentPath(filepath.Join(root, "other"), 1, textExt), "a\n")
	if replays := mustAdopt(t, s); len(replays) != 0 {
		t.Errorf("adopted %s", replays[0].Dir())
	}
	if got := filesIn(t, root); got != "other owner-0003 owner-x" {
		t.Errorf("left: %q", got)
	}
}

func TestAdoptionThatFails(t *testing.T) {
	root, fsys := t.TempDir(), newFaultFS()
	first, second := mustOpen(t, root, Options{}), mustOpen(t, root, Options{fs: fsys})
	mustAppend(t, first, "a")
	mustClose(t, first)
	fsys.set(func(f *faultFS) {
		f.fail = func(op, _ string) error {
			if op == "readdir" {
				return errIO
			}
			return nil
		}
	})
	if _, err := second.Adopt(); !errors.Is(err, errIO) || !strings.Contains(err.Error(), root) {
		t.Errorf("Adopt: %v", err)
	}
	fsys.set(func(f *faultFS) { f.fail = nil })
	if got := drained(t, mustAdopt(t, second)[0]); got != "a" {
		t.Errorf("adopted %q", got)
	}
	mustClose(t, second)
	if _, err := second.Adopt(); !errors.Is(err, ErrClosed) {
		t.Errorf("Adopt after Close: %v", err)
	}
}

// TestManyStartAndDie has several owners of one directory at once, each of which
// writes, adopts, replays a part, and ends, with Close or without. No entry is
// replayed by two at the same time, and none is lost.
func TestManyStartAndDie(t *testing.T) {
	root := t.TempDir()
	const owners, livesEach = 4, 12
	var (
		mu      sync.Mutex
		holder  = map[string]int{} // who has the entry in flight
		acked   = map[string]bool{}
		written = map[string]bool{}
	)
	deadline := time.Now().Add(2 * time.Minute)
	live := func(owner, life int) error {
		s, err := Open(root, Options{SegmentBytes: 30})
		if err != nil {
			return err
		}
		for i := 0; i < 6; i++ {
			v := fmt.Sprintf("%d-%d-%d", owner, life, i)
			if _, err := s.Append(batchOf(v)); err != nil {
				return err
			}
			mu.Lock()
			written[v] = true
			mu.Unlock()
		}
		own, err := s.OpenReplay()
		if err != nil {
			return err
		}
		adopted, err := s.Adopt()
		if err != nil {
			return err
		}
		var held []string
		for _, r := range append(adopted, own) {
			batch, err := r.Next(5+life%5, all)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			mu.Lock()
			for _, e := range batch {
				v := string(e.Value)
				if by := holder[v]; by != 0 {
					t.Errorf("%s is with %d and with %d", v, by, owner)
				}
				holder[v] = owner
				held = append(held, v)
			}
			for _, e := range batch[:len(batch)*3/4] {
				acked[string(e.Value)] = true
			}
			mu.Unlock()
			var positions []Position
			for _, e := range batch[:len(batch)*3/4] {
				positions = append(positions, e.Position)
			}
			if err := r.Done(positions...); err != nil {
				return err
			}
		}
		if st := s.Stats(); st.Inherited+st.Stored != st.Replayed+st.OnFile {
			t.Errorf("out of balance: %+v", st)
		}
		// From here on the next owner may have them.
		mu.Lock()
		for _, v := range held {
			holder[v] = 0
		}
		mu.Unlock()
		if life%2 == 0 {
			return s.Close()
		}
		crash(s)
		return nil
	}
	var wg sync.WaitGroup
	for o := 1; o <= owners; o++ {
		o := o
		wg.Add(1)
		go func() {
			defer wg.Done()
			for l := 0; l < livesEach && time.Now().Before(deadline); l++ {
				if err := live(o, l); err != nil {
					t.Errorf("owner %d: %v", o, err)
					return
				}
			}
		}()
	}
	wg.Wait()
	heir := mustOpen(t, root, Options{})
	replays := append(mustAdopt(t, heir), mustReplay(t, heir))
	for _, r := range replays {
		for {
			batch, err := r.Next(100, all)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if len(batch) == 0 {
				break
			}
			for _, e := range batch {
				acked[string(e.Value)] = true
			}
			done(t, r, batch...)
		}
	}
	var lost []string
	for v := range written {
		if !acked[v] {
			lost = append(lost, v)
		}
	}
	sort.Strings(lost)
	if len(lost) > 0 {
		t.Errorf("lost: %v", lost)
	}
	if got := filesIn(t, root); got != "" {
		t.Errorf("left behind: %q", got)
	}
}
