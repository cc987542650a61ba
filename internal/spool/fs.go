package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// fileSystem is the part of os through which a Spool writes, so that tests can
// stand a failing disk in its place. Reading needs no such seam.
type fileSystem interface {
	OpenFile(name string, flag int, perm os.FileMode) (file, error)
	Mkdir(name string, perm os.FileMode) error
	Stat(name string) (os.FileInfo, error)
	ReadDir(name string) ([]os.DirEntry, error)
	Remove(name string) error
	// SyncDir makes the names in a directory last.
	SyncDir(name string) error
}

type file interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

type osFS struct{}

func (osFS) OpenFile(name string, flag int, perm os.FileMode) (file, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File in a file is not nil
	}
	return f, nil
}

func (osFS) Mkdir(name string, perm os.FileMode) error  { return os.Mkdir(name, perm) }
func (osFS) Stat(name string) (os.FileInfo, error)      { return os.Stat(name) }
func (osFS) ReadDir(name string) ([]os.DirEntry, error) { return os.ReadDir(name) }
func (osFS) Remove(name string) error                   { return os.Remove(name) }

func (osFS) SyncDir(name string) error {
	switch runtime.GOOS {
	case "windows", "plan9", "js", "wasip1":
		return nil // there a directory cannot be synced
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	// fsync(2): EINVAL is "a special file which does not support
	// synchronization", which some network file systems say of directories.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// makeDir makes dir and what is missing above it, and returns the directories
// that have got a new name in them.
func makeDir(fsys fileSystem, dir string) (changed []string, err error) {
	info, err := fsys.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil, nil
	case err == nil:
		return nil, errNotDir(dir)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
		return nil, err // with ENOTDIR one of the parents says which is the file
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if changed, err = makeDir(fsys, parent); err != nil {
			return nil, err
		}
	}
	// Another process may make it between Stat and Mkdir.
	if err := fsys.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return append(changed, parent), nil
}

type errNotDir string

func (e errNotDir) Error() string { return string(e) + " is a file" }

// cause strips the operation and path that os puts around an error, as ours
// names both.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	if err == io.EOF { //nolint:errorlint // ReadAt returns it as it is
		// A file became shorter than it was. io.EOF itself means the end of what
		// there is to read.
		return io.ErrUnexpectedEOF
	}
	return err
}
