//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package spool

import (
	"errors"
	"io/fs"
	"os"
)

// acquire takes the making of the file for the lock, for want of one which the
// system gives back when a process dies: after a crash the directory has an
// owner until somebody removes the file, and the next process takes a
// subdirectory.
func acquire(path string) (dirLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, errOwned
	}
	if err != nil {
		return nil, err
	}
	return exclusive{f}, nil
}

type exclusive struct{ *os.File }

func (e exclusive) Close() error {
	os.Remove(e.Name())
	return e.File.Close()
}

func (e exclusive) held() bool {
	_, err := os.Stat(e.Name())
	return err == nil
}

// Remove is what Close is here.
func (e exclusive) Remove() error { return e.Close() }
