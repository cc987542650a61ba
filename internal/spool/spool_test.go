package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAppendAndReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	fsys := newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	if err := s.SetTopic("app-logs"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "one", "two", "three")
	b := batchOf("four")
	b.PossiblyDuplicate = true
	if n, err := s.Append(b); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	own := Batch{Text: AppendEnvelope(nil, Envelope{Value: []byte("five\n5"), Topic: "audit", Key: []byte("k")})}
	own.Ends = []uint32{uint32(len(own.Text))}
	if n, err := s.Append(own); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if fsys.writes[textExt] != 3 || fsys.writes[indexExt] != 3 {
		t.Errorf("three batches took %v writes, want one each for text and index", fsys.writes)
	}
	text, err := os.ReadFile(segmentPath(dir, 1, textExt))
	if err != nil {
		t.Fatal(err)
	}
	if want := "one\ntwo\nthree\nfour\n" + string(own.Text); string(text) != want {
		t.Errorf("text on file %q, want %q", text, want)
	}

	r, err := OpenReader(segmentPath(dir, 1, textExt))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Topic() != "app-logs" {
		t.Errorf("topic %q, want app-logs", r.Topic())
	}
	want := []string{
		"one 0+4 2024-05-06T07:08:09.123456789Z dup=false topic= key=",
		"two 4+4 2024-05-06T07:08:09.123456789Z dup=false topic= key=",
		"three 8+6 2024-05-06T07:08:10.123456789Z dup=false topic= key=",
		"four 14+5 2024-05-06T07:08:10.123456789Z dup=true topic= key=",
		fmt.Sprintf("five\n5 19+%d 0001-01-01T00:00:00Z dup=false topic=audit key=k", len(own.Text)),
	}
	for _, want := range want {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s %d+%d %s dup=%v topic=%s key=%s", e.Value, e.Offset, e.Length, e.Time.Format(time.RFC3339Nano), e.PossiblyDuplicate, e.Topic, e.Key)
		if got != want || !e.Indexed || !e.Verified {
			t.Errorf("entry %q indexed=%v verified=%v, want %q and both", got, e.Indexed, e.Verified, want)
		}
	}
	if e, err := r.Next(); err == nil || r.IndexError() != nil {
		t.Errorf("after the last entry: %+v, %v, index: %v", e, err, r.IndexError())
	}
}

func TestUntouchedLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	if n, err := s.Append(Batch{}); n != 0 || err != nil {
		t.Errorf("Append of nothing: %d, %v", n, err)
	}
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	mustClose(t, s)
	if n := onDisk(t, dir); n != 0 {
		t.Errorf("%d bytes in an untouched directory", n)
	}
	if paths, err := Segments(dir); len(paths) != 0 || err != nil {
		t.Errorf("segments %v, %v; want none", paths, err)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "made", "too")
	s := mustOpen(t, dir, Options{})
	mustAppend(t, s, "x")
	if _, err := s.Reject(envelopeOf("y")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		filepath.Dir(dir):                0o700,
		dir:                              0o700,
		segmentPath(dir, 1, textExt):     0o600,
		segmentPath(dir, 1, indexExt):    0o600,
		filepath.Join(dir, rejectedName): 0o600,
		filepath.Join(dir, lockName):     0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("mode of %s is %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lockIsDir := filepath.Join(root, "odd")
	if err := os.MkdirAll(filepath.Join(lockIsDir, lockName), 0o700); err != nil {
		t.Fatal(err)
	}
	denied := newFaultFS()
	denied.fail = func(op, name string) error {
		if op == "open" {
			return fs.ErrPermission
		}
		return nil
	}
	readOnly := newFaultFS()
	readOnly.fail = func(op, name string) error {
		if op == "open" {
			return errReadOnly
		}
		return nil
	}
	tests := []struct {
		name, dir string
		fs        fileSystem
		want      []string
	}{
		{"empty path", "", nil, []string{"path is empty"}},
		{"a file", file, nil, []string{file, "it is a file: name a directory"}},
		{"below a file", filepath.Join(file, "x", "y"), nil, []string{filepath.Join(file, "x", "y"), file + " is a file"}},
		{"no access", filepath.Join(root, "p"), denied, []string{filepath.Join(root, "p"), "permission denied: the process needs write access"}},
		{"read-only", filepath.Join(root, "q"), readOnly, []string{filepath.Join(root, "q"), "read-only file system"}},
		{"lock is a directory", lockIsDir, nil, []string{lockIsDir, "is a directory"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Open(test.dir, Options{fs: test.fs})
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
		})
	}
	// A failed Open must not stay the owner.
	s := mustOpen(t, filepath.Join(root, "p"), Options{})
	if s.Dir() != filepath.Join(root, "p") {
		t.Errorf("after a failed Open the directory still has an owner: got %q", s.Dir())
	}
}

func TestEachOpenBeginsASegment(t *testing.T) {
	dir := t.TempDir()
	for i := 0; i < 3; i++ {
		s := mustOpen(t, dir, Options{})
		mustAppend(t, s, fmt.Sprint(i))
		mustClose(t, s)
	}
	paths, err := Segments(dir)
	if err != nil || len(paths) != 3 {
		t.Fatalf("segments %v, %v; want three", paths, err)
	}
	wantValues(t, dir, "0", "1", "2")
}

func TestNumbersAreNotGivenTwice(t *testing.T) {
	dir := t.TempDir()
	// Leftovers of any kind keep their number.
	for _, name := range []string{segmentName(7) + ".cursor", segmentName(3) + textExt, "99.log", "00000000000000000009.d"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, dir, Options{})
	// And so does what appears later under the next name.
	if err := os.Mkdir(segmentPath(dir, 10, textExt), 0o700); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "x")
	if _, err := os.Stat(segmentPath(dir, 11, textExt)); err != nil {
		t.Error(err)
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{SegmentBytes: 10})
	for i := 0; i < 6; i++ {
		mustAppend(t, s, fmt.Sprintf("entry%d", i)) // 7 bytes: two a segment
	}
	mustAppend(t, s, strings.Repeat("x", 100)) // larger than a segment
	paths, err := Segments(dir)
	if err != nil || len(paths) != 4 {
		t.Errorf("segments %v, %v; want 4", paths, err)
	}
	wantValues(t, dir, "entry0", "entry1", "entry2", "entry3", "entry4", "entry5", strings.Repeat("x", 100))
	if got, want := s.Size(), onDisk(t, dir); got != want {
		t.Errorf("Size %d, on disk %d", got, want)
	}
}

func TestTopicChangeBeginsASegment(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	for i, topic := range []string{"a", "b", "b"} {
		if err := s.SetTopic(topic); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, s, fmt.Sprint(i))
	}
	for number, want := range map[uint64]string{1: "a", 2: "b"} {
		r, err := OpenReader(segmentPath(dir, number, textExt))
		if err != nil {
			t.Fatal(err)
		}
		if r.Topic() != want {
			t.Errorf("topic of segment %d is %q, want %q", number, r.Topic(), want)
		}
		r.Close()
	}
	if err := s.SetTopic(strings.Repeat("x", maxTopic+1)); err == nil {
		t.Error("a topic longer than the index can hold was taken")
	}
}

func TestBadBatches(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{})
	for name, b := range map[string]Batch{
		"no newline":       {Text: []byte("ab"), Ends: []uint32{2}},
		"end in the line":  {Text: []byte("a\nb\n"), Ends: []uint32{1, 4}},
		"text left over":   {Text: []byte("a\nb\n"), Ends: []uint32{2}},
		"past the end":     {Text: []byte("a\n"), Ends: []uint32{2, 4}},
		"not ascending":    {Text: []byte("a\nb\n"), Ends: []uint32{4, 2}},
		"empty line":       {Text: []byte("a\n"), Ends: []uint32{2, 2}},
		"text but no ends": {Text: []byte("a\n")},
	} {
		if n, err := s.Append(b); n != 0 || err == nil {
			t.Errorf("%s: Append returned %d, %v; want an error", name, n, err)
		}
		if n, err := s.Reject(b); n != 0 || err == nil {
			t.Errorf("%s: Reject returned %d, %v; want an error", name, n, err)
		}
	}
	if n, err := s.Reject(batchOf("plain")); n != 0 || err == nil {
		t.Errorf("Reject of a plain line: %d, %v; want an error", n, err)
	}
	if s.Size() != 0 {
		t.Errorf("%d bytes were written", s.Size())
	}
}

// TestShortWrites lets the disk take every possible part of a batch and checks
// that whole entries are on file, are told, and that nothing is glued.
func TestShortWrites(t *testing.T) {
	entries := []string{"first entry", "second", "3", "the fourth one"}
	b := batchOf(entries...)
	for _, truncates := range []bool{true, false} {
		for room := 0; room < len(b.Text); room++ {
			t.Run(fmt.Sprintf("room=%d,truncates=%v", room, truncates), func(t *testing.T) {
				dir, fsys := t.TempDir(), newFaultFS()
				s := mustOpen(t, dir, Options{fs: fsys})
				mustAppend(t, s, "before")
				fsys.set(func(f *faultFS) {
					f.room, f.roomFor = room, textExt
					if !truncates {
						f.fail = func(op, _ string) error {
							if op == "truncate" {
								return errIO
							}
							return nil
						}
					}
				})
				whole := 0
				for whole < len(b.Ends) && int(b.Ends[whole]) <= room {
					whole++
				}
				n, err := s.Append(b)
				if n != whole || !errors.Is(err, errNoSpace) || !strings.Contains(err.Error(), segmentPath(dir, 1, textExt)) {
					t.Errorf("Append: %d, %v; want %d and an error of the disk with the path", n, err, whole)
				}
				if got, want := s.Size(), onDisk(t, dir); got != want {
					t.Errorf("Size %d, on disk %d", got, want)
				}
				if n, err := s.Append(batchOf("still no room")); room == 0 && (n != 0 || err == nil) {
					t.Errorf("Append to a full disk: %d, %v", n, err)
				} else if n != 0 {
					t.Skip("the rest of the room took the entry")
				}
				fsys.set(func(f *faultFS) { f.room, f.fail = -1, nil })
				mustAppend(t, s, entries[whole:]...)
				if got, want := s.Size(), onDisk(t, dir); got != want {
					t.Errorf("afterwards Size %d, on disk %d", got, want)
				}
				mustClose(t, s)

				got, err := valuesIn(dir)
				if truncates && err != nil {
					t.Errorf("reading back: %v", err)
				}
				if want := append([]string{"before"}, entries...); strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("read back %q, want %q", got, want)
				}
			})
		}
	}
}

// TestWritesThatFail has a disk that says no, or says something else than what it
// did: the file is what counts, and it has whole entries that were counted, and
// nothing else.
func TestWritesThatFail(t *testing.T) {
	refuses := func(answer error) func(*faultFS) {
		return func(f *faultFS) {
			f.fail = func(op, name string) error {
				if op == "write" && strings.HasSuffix(name, textExt) {
					return answer
				}
				return nil
			}
		}
	}
	for name, test := range map[string]struct {
		fault func(*faultFS)
		n     int
		want  error
	}{
		"EIO":                           {refuses(errIO), 0, errIO},
		"EROFS":                         {refuses(errReadOnly), 0, errReadOnly},
		"EIO with all of it on file":    {func(f *faultFS) { f.say = func(int, error) (int, error) { return 0, errIO } }, 0, errIO},
		"EIO with some of it accounted": {func(f *faultFS) { f.say = func(int, error) (int, error) { return 5, errIO } }, 1, errIO},
		"short without an error":        {func(f *faultFS) { f.say = func(n int, _ error) (int, error) { return n - 1, nil } }, 1, io.ErrShortWrite},
		"EIO after all of it":           {func(f *faultFS) { f.say = func(n int, _ error) (int, error) { return n, errIO } }, 2, errIO},
	} {
		t.Run(name, func(t *testing.T) {
			dir, fsys := t.TempDir(), newFaultFS()
			s := mustOpen(t, dir, Options{fs: fsys})
			mustAppend(t, s, "before")
			fsys.set(test.fault)
			n, err := s.Append(batchOf("one", "two"))
			if n != test.n || !errors.Is(err, test.want) || !strings.Contains(err.Error(), segmentPath(dir, 1, textExt)) {
				t.Errorf("Append: %d, %v; want %d and %v with the path", n, err, test.n, test.want)
			}
			fsys.set(func(f *faultFS) { f.fail, f.say = nil, nil })
			mustAppend(t, s, "after")
			if got, want := s.Size(), onDisk(t, dir); got != want {
				t.Errorf("Size %d, on disk %d", got, want)
			}
			want := append(append([]string{"before"}, []string{"one", "two"}[:test.n]...), "after")
			wantValues(t, dir, want...)
			if st := s.Stats(); st.Stored != uint64(len(want)) {
				t.Errorf("%d stored, want %d", st.Stored, len(want))
			}
		})
	}
}

func TestIndexThatCannotBeWritten(t *testing.T) {
	tests := map[string]func(*faultFS){
		"no room at all": func(f *faultFS) { f.room, f.roomFor = 0, indexExt },
		"half a row":     func(f *faultFS) { f.room, f.roomFor = 20, indexExt },
		"cannot be opened": func(f *faultFS) {
			f.fail = func(op, name string) error {
				if op == "open" && strings.HasSuffix(name, indexExt) {
					return errNoSpace
				}
				return nil
			}
		},
		"half a row that stays": func(f *faultFS) {
			f.room, f.roomFor = 20, indexExt
			f.fail = func(op, name string) error {
				if op == "truncate" {
					return errIO
				}
				return nil
			}
		},
	}
	for name, fault := range tests {
		for _, before := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s after %d rows", name, before), func(t *testing.T) {
				dir, fsys := t.TempDir(), newFaultFS()
				s := mustOpen(t, dir, Options{fs: fsys})
				want := []string{"a", "b", "c"}
				for i := 0; i < before; i++ {
					mustAppend(t, s, "zero")
					want = []string{"zero", "a", "b", "c"}
				}
				fsys.set(fault)
				n, err := s.Append(batchOf("a", "b"))
				if before == 1 && name == "cannot be opened" {
					if err != nil {
						t.Fatal("the index was open already:", err)
					}
				} else if n != 2 || !errors.Is(err, errNoSpace) {
					t.Errorf("Append: %d, %v; want 2 entries and an error about the index", n, err)
				}
				fsys.set(func(f *faultFS) { f.room, f.fail = -1, nil })
				mustAppend(t, s, "c")
				if got, want := s.Size(), onDisk(t, dir); got != want {
					t.Errorf("Size %d, on disk %d", got, want)
				}
				wantValues(t, dir, want...)
				indexed := 0
				if err := ReadAll(dir, func(e Entry) error {
					if e.Indexed {
						indexed++
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
				if indexed < before+1 {
					t.Errorf("%d entries are in the index: it was not taken up again", indexed)
				}
			})
		}
	}
}

func TestSegmentThatCannotBeMade(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	fsys.set(func(f *faultFS) {
		f.fail = func(op, _ string) error {
			if op == "open" {
				return errTooMany
			}
			return nil
		}
	})
	if n, err := s.Append(batchOf("a")); n != 0 || !errors.Is(err, errTooMany) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Append: %d, %v; want the system's reason and the path", n, err)
	}
	if n, err := s.Reject(envelopeOf("r")); n != 0 || !errors.Is(err, errTooMany) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Reject: %d, %v; want the system's reason and the path", n, err)
	}
	fsys.set(func(f *faultFS) { f.fail = nil })
	mustAppend(t, s, "a")
	wantValues(t, dir, "a")
}

func TestFilesTakenAway(t *testing.T) {
	tests := map[string]struct {
		do   func(t *testing.T, path string)
		want []string
	}{
		"removed": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, []string{"after"}},
		"cut to nothing": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			os.Remove(strings.TrimSuffix(path, textExt) + indexExt)
		}, []string{"after"}},
		"renamed": {func(t *testing.T, path string) {
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
		}, []string{"after"}},
		"replaced by one as long": {func(t *testing.T, path string) {
			size := len(contents(t, path))
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			write(t, path, strings.Repeat("x", size-1)+"\n")
			os.Remove(strings.TrimSuffix(path, textExt) + indexExt)
		}, []string{"xxxxxx", "after"}},
		"directory removed": {func(t *testing.T, path string) {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, []string{"after"}},
		"lock removed": {func(t *testing.T, path string) {
			if err := os.Remove(filepath.Join(filepath.Dir(path), lockName)); err != nil {
				t.Fatal(err)
			}
			os.Remove(path)
		}, []string{"after"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "fallback")
			s := mustOpen(t, dir, Options{})
			mustAppend(t, s, "before")
			test.do(t, segmentPath(dir, 1, textExt))
			mustAppend(t, s, "after")
			wantValues(t, dir, test.want...)
			if other := mustOpen(t, dir, Options{}); other.Dir() == dir {
				t.Error("the directory has two owners")
			}
			if err := s.Sync(); err != nil {
				t.Error("Sync:", err)
			}
		})
	}
}

// TestRenamedSegmentIsSynced moves a segment away as a log rotation does.
func TestRenamedSegmentIsSynced(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	mustAppend(t, s, "a")
	path := segmentPath(dir, 1, textExt)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "b")
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(strings.Join(fsys.synced, " "), segmentName(1)+textExt); n != 1 {
		t.Errorf("the renamed segment was synced %d times, want once", n)
	}
}

func TestCap(t *testing.T) {
	entries := make([]string, 50)
	for i := range entries {
		entries[i] = strings.Repeat("x", 1+i*7) // some lengths take two bytes in a row
	}
	whole := mustOpen(t, t.TempDir(), Options{})
	mustAppend(t, whole, entries...)
	for max := int64(1); max <= whole.Size(); max += 13 {
		dir := t.TempDir()
		s := mustOpen(t, dir, Options{MaxBytes: max})
		n, err := s.Append(batchOf(entries...))
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprint(max)) {
			t.Fatalf("cap %d: error %v, want ErrFull with directory and cap", max, err)
		}
		if size := onDisk(t, dir); size > max || size != s.Size() {
			t.Errorf("cap %d: %d bytes on disk, Size %d", max, size, s.Size())
		}
		// The next entry must indeed not have fitted.
		if b := batchOf(entries[:n+1]...); int64(len(b.Text))+int64(len(appendRow(nil, 0, b)))+int64(indexHeader{}.len()) <= max {
			t.Errorf("cap %d: only %d entries were taken", max, n)
		}
		wantValues(t, dir, entries[:n]...)
		mustClose(t, s)
	}
	exact := mustOpen(t, t.TempDir(), Options{MaxBytes: whole.Size()})
	mustAppend(t, exact, entries...)
	if n, err := exact.Append(batchOf("")); n != 0 || !errors.Is(err, ErrFull) {
		t.Errorf("one byte over the cap: %d, %v", n, err)
	}
	if n, err := exact.Reject(envelopeOf("")); n != 0 || !errors.Is(err, ErrFull) {
		t.Errorf("rejected entries are beyond the cap: %d, %v", n, err)
	}
}

func TestCapCountsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	mustAppend(t, s, strings.Repeat("x", 1000))
	if _, err := s.Reject(envelopeOf(strings.Repeat("y", 500))); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	for name, size := range map[string]int{"cursor": 10, "quarantine.jsonl": 20, segmentName(1) + ".cur": 30, "notes.txt": 5000} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := mustOpen(t, dir, Options{MaxBytes: 1500})
	if got, want := again.Size(), onDisk(t, dir)-5000; got != want {
		t.Errorf("Size of an inherited directory %d, want %d", got, want)
	}
	if n, err := again.Append(batchOf("z")); n != 0 || !errors.Is(err, ErrFull) {
		t.Errorf("Append over the cap: %d, %v", n, err)
	}
}

func TestRoomThatSomebodyMade(t *testing.T) {
	dir := t.TempDir()
	now := firstTime
	s := mustOpen(t, dir, Options{MaxBytes: 300, SegmentBytes: 1, now: func() time.Time { return now }})
	mustAppend(t, s, strings.Repeat("x", 150))
	if n, err := s.Append(batchOf(strings.Repeat("y", 150))); n != 0 || !errors.Is(err, ErrFull) {
		t.Fatalf("Append: %d, %v; want it full", n, err)
	}
	if err := os.Remove(segmentPath(dir, 1, textExt)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Append(batchOf(strings.Repeat("y", 100))); n != 0 || !errors.Is(err, ErrFull) {
		t.Fatalf("Append: %d, %v; want no second count within a second", n, err)
	}
	now = now.Add(recountEvery)
	if n, err := s.Append(batchOf(strings.Repeat("y", 50))); n != 1 || err != nil {
		t.Errorf("Append after room was made: %d, %v", n, err)
	}
	if got, want := s.Size(), onDisk(t, dir); got != want {
		t.Errorf("Size %d, on disk %d", got, want)
	}
}

func TestRejected(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, rejectedName)
	reject := func(text string) {
		t.Helper()
		s := mustOpen(t, dir, Options{})
		if n, err := s.Reject(envelopeOf(text)); n != 1 || err != nil {
			t.Fatalf("Reject: %d, %v", n, err)
		}
		if got, want := s.Size(), onDisk(t, dir); got != want {
			t.Errorf("Size %d, on disk %d", got, want)
		}
		mustClose(t, s)
	}
	reject("one")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	reject("two")
	if err := os.Truncate(path, info.Size()+20); err != nil { // a crash in the middle of "two"
		t.Fatal(err)
	}
	reject("three")

	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	damage, err := readFile(r, func(e Entry) error {
		got = append(got, string(e.Value)+" "+e.Reason)
		return nil
	})
	if want := "one too large|three too large"; strings.Join(got, "|") != want || err != nil || len(damage) != 1 {
		t.Errorf("rejected entries %q, damage %v, %v; want %q and one damage", got, damage, err, want)
	}
	if paths, err := Segments(dir); len(paths) != 0 || err != nil {
		t.Errorf("rejected entries are among the segments: %v, %v", paths, err)
	}
}

func TestRejectedFileTakenAway(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	path := filepath.Join(dir, rejectedName)
	for i := 0; i < 2; i++ {
		if n, err := s.Reject(envelopeOf("a")); n != 1 || err != nil {
			t.Fatalf("Reject: %d, %v", n, err)
		}
		if got := strings.Count(contents(t, path), "\n"); got != 1 {
			t.Errorf("%d lines in the rejected file, want 1", got)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRejectedFileTorn leaves half an envelope in the file, which cannot be cut
// off, and goes on.
func TestRejectedFileTorn(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	fsys.set(func(f *faultFS) {
		f.room, f.roomFor = 40, rejectedName
		f.fail = func(op, _ string) error {
			if op == "truncate" {
				return errIO
			}
			return nil
		}
	})
	if n, err := s.Reject(envelopeOf("half")); n != 0 || !errors.Is(err, errNoSpace) {
		t.Errorf("Reject: %d, %v", n, err)
	}
	fsys.set(func(f *faultFS) { f.room, f.fail = -1, nil })
	if n, err := s.Reject(envelopeOf("whole")); n != 1 || err != nil {
		t.Errorf("Reject: %d, %v", n, err)
	}
	got, damage, _ := readMarked(t, filepath.Join(dir, rejectedName))
	if got != "~whole" || len(damage) != 1 {
		t.Errorf("rejected file reads %q, damage %v; want the whole one, and one damage", got, damage)
	}
	if got, want := s.Size(), onDisk(t, dir); got != want {
		t.Errorf("Size %d, on disk %d", got, want)
	}
}

func TestSyncCoversAll(t *testing.T) {
	dir, fsys := filepath.Join(t.TempDir(), "fallback"), newFaultFS()
	s := mustOpen(t, dir, Options{SegmentBytes: 1, fs: fsys})
	mustAppend(t, s, "in a segment that is closed by the next")
	mustAppend(t, s, "in the open one")
	if _, err := s.Reject(envelopeOf("rejected")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	synced := strings.Join(fsys.synced, " ")
	for _, name := range []string{
		segmentName(1) + textExt, segmentName(1) + indexExt, segmentName(2) + textExt, segmentName(2) + indexExt,
		rejectedName, "fallback", filepath.Base(filepath.Dir(dir)),
	} {
		if strings.Count(" "+synced+" ", " "+name+" ") != 1 {
			t.Errorf("%s was not synced once: %s", name, synced)
		}
	}
	fsys.set(func(f *faultFS) { f.synced = nil })
	if err := s.Sync(); err != nil || len(fsys.synced) != 0 {
		t.Errorf("a second Sync: %v, synced %v; want nothing left to do", err, fsys.synced)
	}
}

func TestSyncThatFails(t *testing.T) {
	dir, fsys := filepath.Join(t.TempDir(), "fallback"), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	mustAppend(t, s, "a")
	fsys.set(func(f *faultFS) {
		f.fail = func(op, _ string) error {
			if op == "sync" || op == "syncdir" {
				return errIO
			}
			return nil
		}
	})
	err := s.Sync()
	if !errors.Is(err, errIO) || !strings.Contains(err.Error(), segmentPath(dir, 1, textExt)) {
		t.Errorf("Sync: %v, want the system's reason and the path", err)
	}
	fsys.set(func(f *faultFS) { f.fail, f.synced = nil, nil })
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{segmentName(1) + textExt, segmentName(1) + indexExt, "fallback"} {
		if !strings.Contains(strings.Join(fsys.synced, " "), want) {
			t.Errorf("%s was not tried again: %v", want, fsys.synced)
		}
	}
	mustAppend(t, s, "b")
	if _, err := os.Stat(segmentPath(dir, 2, textExt)); err != nil {
		t.Error("after a failed sync the same segment was written:", err)
	}
	wantValues(t, dir, "a", "b")
}

// TestSyncDoesNotHoldUpWrites ends a segment while its sync is under way.
func TestSyncDoesNotHoldUpWrites(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{SegmentBytes: 1})
	mustAppend(t, s, "a")
	begun, goOn := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.current.text.f = &slowFile{s.current.text.f, func() {
		close(begun)
		<-goOn
	}}
	s.mu.Unlock()
	done := make(chan error)
	go func() { done <- s.Sync() }()
	<-begun
	mustAppend(t, s, "b") // closes the file that is being synced
	close(goOn)
	if err := <-done; err != nil {
		t.Error("Sync of a file closed meanwhile:", err)
	}
	wantValues(t, dir, "a", "b")
}

type slowFile struct {
	file
	wait func()
}

func (f *slowFile) Sync() error {
	f.wait()
	return f.file.Sync()
}

func TestClose(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	mustAppend(t, s, "a")
	mustClose(t, s)
	if !strings.Contains(strings.Join(fsys.synced, " "), segmentName(1)+textExt) {
		t.Error("Close did not sync")
	}
	mustClose(t, s)
	if err := s.Sync(); err != nil {
		t.Error("Sync after Close:", err)
	}
	if n, err := s.Append(batchOf("b")); n != 0 || !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %d, %v", n, err)
	}
	if n, err := s.Reject(envelopeOf("b")); n != 0 || !errors.Is(err, ErrClosed) {
		t.Errorf("Reject after Close: %d, %v", n, err)
	}
	wantValues(t, dir, "a")
}

func TestCloseThatFails(t *testing.T) {
	fsys := newFaultFS()
	dir := t.TempDir()
	s, err := Open(dir, Options{fs: fsys})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "a")
	fsys.set(func(f *faultFS) {
		f.fail = func(op, _ string) error {
			if op == "sync" {
				return errIO
			}
			return nil
		}
	})
	for i := 0; i < 2; i++ {
		if err := s.Close(); !errors.Is(err, errIO) {
			t.Errorf("Close %d: %v, want what the disk said", i+1, err)
		}
	}
	if again := mustOpen(t, dir, Options{}); again.Dir() != dir {
		t.Error("a Close that failed kept the directory")
	}
}

func TestCloseRemovesEmptySegment(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	fsys.set(func(f *faultFS) { f.room, f.roomFor = 0, textExt })
	if n, err := s.Append(batchOf("a")); n != 0 || err == nil {
		t.Fatalf("Append: %d, %v", n, err)
	}
	mustClose(t, s)
	if paths, err := Segments(dir); len(paths) != 0 || err != nil {
		t.Errorf("segments %v, %v; want none", paths, err)
	}
}

func TestConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{SegmentBytes: 4 << 10})
	const writers, batches = 8, 40
	var wg sync.WaitGroup
	for w := 0; w < writers; w++ {
		w := w
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < batches; i++ {
				write, batch := s.Append, batchOf
				if i%10 == 9 {
					write, batch = s.Reject, envelopeOf
				}
				if n, err := write(batch(fmt.Sprintf("%d-%d-a", w, i), fmt.Sprintf("%d-%d-b", w, i))); n != 2 || err != nil {
					t.Errorf("write: %d, %v", n, err)
				}
				if i%16 == 0 {
					if err := s.Sync(); err != nil {
						t.Error(err)
					}
				}
				s.Size()
			}
		}()
	}
	wg.Wait()
	mustClose(t, s)
	next := map[string]int{}
	total := 0
	if err := ReadAll(dir, func(e Entry) error {
		var w, i int
		var part string
		if _, err := fmt.Sscanf(string(e.Value), "%d-%d-%s", &w, &i, &part); err != nil {
			return err
		}
		key := fmt.Sprint(w)
		if at := 2*i + int(part[0]-'a'); at < next[key] {
			t.Errorf("entry %s came after a later one of its writer", e.Value)
		} else {
			next[key] = at + 1
		}
		total++
		return nil
	}); err != nil {
		t.Error(err)
	}
	if want := writers * batches * 2 * 9 / 10; total != want {
		t.Errorf("%d entries, want %d", total, want)
	}
	if got, want := s.Size(), onDisk(t, dir); got != want {
		t.Errorf("Size %d, on disk %d", got, want)
	}
}

func TestAppendAllocations(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{})
	b := largeBatch()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.Append(b); err != nil {
			t.Fatal(err)
		}
	}); n > 4 { // what it takes to look at the file's name
		t.Errorf("%v allocations an Append", n)
	}
}

func largeBatch() Batch {
	entries := make([]string, 1300)
	for i := range entries {
		entries[i] = strings.Repeat("x", 200)
	}
	return batchOf(entries...)
}

func BenchmarkAppend(b *testing.B) {
	s, err := Open(b.TempDir(), Options{MaxBytes: 1 << 30, now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	batch := largeBatch()
	b.SetBytes(int64(len(batch.Text)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if s.Size() > 512<<20 {
			b.StopTimer()
			paths, err := Segments(s.Dir())
			if err != nil {
				b.Fatal(err)
			}
			for _, path := range paths[:len(paths)-1] {
				os.Remove(path)
				os.Remove(strings.TrimSuffix(path, textExt) + indexExt)
			}
			s.mu.Lock()
			_, err = s.countLocked()
			s.mu.Unlock()
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		if _, err := s.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
}
