package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SPOOL_TEST_OWN"); dir != "" {
		os.Exit(ownForParent(dir))
	}
	goleak.VerifyTestMain(m)
}

// What a system says; not every one has these as constants.
var (
	errNoSpace  = errors.New("no space left on device")
	errReadOnly = errors.New("read-only file system")
	errTooMany  = errors.New("too many open files")
	errIO       = errors.New("input/output error")
)

// faultFS is the real file system with faults in it.
type faultFS struct {
	osFS
	mu sync.Mutex
	// room is how many more bytes the disk takes in files whose name ends in
	// roomFor; negative: any number.
	room    int
	roomFor string
	// fail, if it returns an error, is the answer to an operation ("open",
	// "read", "truncate", "sync", "syncdir", "readdir", "remove", "write") on a
	// file of that base name.
	fail func(op, name string) error
	// before is called before each operation, and may block it. It is set before
	// the first of them.
	before func(op, name string)
	// say, unless nil, changes what a write to a file of text says that it did.
	say     func(n int, err error) (int, error)
	writes  map[string]int   // calls by extension
	synced  []string         // base names, in order
	durable map[string]int64 // size at the last sync, by path
}

func newFaultFS() *faultFS {
	return &faultFS{room: -1, writes: map[string]int{}, durable: map[string]int64{}}
}

func (f *faultFS) do(op, name string) error {
	if f.before != nil {
		f.before(op, filepath.Base(name))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if op == "sync" || op == "syncdir" {
		f.synced = append(f.synced, filepath.Base(name))
	}
	if f.fail != nil {
		if err := f.fail(op, filepath.Base(name)); err != nil {
			return &os.PathError{Op: op, Path: name, Err: err}
		}
	}
	return nil
}

func (f *faultFS) set(change func(*faultFS)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *faultFS) OpenFile(name string, flag int, perm os.FileMode) (file, error) {
	if err := f.do("open", name); err != nil {
		return nil, err
	}
	under, err := f.osFS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{file: under, fs: f, name: name}, nil
}

func (f *faultFS) SyncDir(name string) error {
	if err := f.do("syncdir", name); err != nil {
		return err
	}
	return f.osFS.SyncDir(name)
}

func (f *faultFS) Remove(name string) error {
	if err := f.do("remove", name); err != nil {
		return err
	}
	return f.osFS.Remove(name)
}

func (f *faultFS) ReadDir(name string) ([]os.DirEntry, error) {
	if err := f.do("readdir", name); err != nil {
		return nil, err
	}
	return f.osFS.ReadDir(name)
}

type faultFile struct {
	file
	fs   *faultFS
	name string
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.do("write", f.name); err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	f.fs.writes[filepath.Ext(f.name)]++
	short := f.fs.room >= 0 && strings.HasSuffix(f.name, f.fs.roomFor)
	n := len(p)
	if short {
		if n > f.fs.room {
			n = f.fs.room
		}
		f.fs.room -= n
	}
	f.fs.mu.Unlock()
	m, err := f.file.WriteAt(p[:n], off)
	if err == nil && n < len(p) {
		err = &os.PathError{Op: "write", Path: f.name, Err: errNoSpace}
	}
	f.fs.mu.Lock()
	say := f.fs.say
	f.fs.mu.Unlock()
	if say != nil && strings.HasSuffix(f.name, textExt) {
		return say(m, err)
	}
	return m, err
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fs.do("truncate", f.name); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultFile) Sync() error {
	if err := f.fs.do("sync", f.name); err != nil {
		return err
	}
	err := f.file.Sync()
	if info, statErr := f.file.Stat(); err == nil && statErr == nil {
		f.fs.set(func(fs *faultFS) { fs.durable[f.name] = info.Size() })
	}
	return err
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.do("read", f.name); err != nil {
		return 0, err
	}
	return f.file.ReadAt(p, off)
}

var (
	firstTime = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)
	lastTime  = firstTime.Add(time.Second)
)

// batchOf makes a batch of plain entries.
func batchOf(entries ...string) Batch {
	b := Batch{First: firstTime, Last: lastTime}
	for _, e := range entries {
		b.Text = append(append(b.Text, e...), '\n')
		b.Ends = append(b.Ends, uint32(len(b.Text)))
	}
	return b
}

// envelopeOf makes a batch for the rejected file.
func envelopeOf(entries ...string) Batch {
	b := Batch{First: firstTime, Last: lastTime}
	for _, e := range entries {
		b.Text = AppendEnvelope(b.Text, Envelope{Value: []byte(e), Reason: "too large"})
		b.Ends = append(b.Ends, uint32(len(b.Text)))
	}
	return b
}

func mustOpen(t *testing.T, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustAppend(t *testing.T, s *Spool, entries ...string) {
	t.Helper()
	n, err := s.Append(batchOf(entries...))
	if err != nil || n != len(entries) {
		t.Fatalf("Append of %d entries: %d, %v", len(entries), n, err)
	}
}

func mustClose(t *testing.T, s *Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// valuesIn reads all values back. The slices of entries are the reader's, so
// they are copied.
func valuesIn(dir string) ([]string, error) {
	var values []string
	err := ReadAll(dir, func(e Entry) error {
		values = append(values, string(e.Value))
		return nil
	})
	return values, err
}

func wantValues(t *testing.T, dir string, want ...string) {
	t.Helper()
	got, err := valuesIn(dir)
	if err != nil {
		t.Errorf("reading back: %v", err)
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("entries read back:\n got %q\nwant %q", got, want)
	}
}

// onDisk is the sum that the cap is about, taken from the directory itself.
func onDisk(t *testing.T, dir string) int64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != lockName {
			sum += info.Size()
		}
	}
	return sum
}

func segmentPath(dir string, number uint64, ext string) string {
	return filepath.Join(dir, segmentName(number)+ext)
}
