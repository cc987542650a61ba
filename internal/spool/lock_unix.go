//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package spool

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// acquire uses flock(2), whose lock belongs to the opened file: a second Open
// in the same process is refused as one in another process is.
func acquire(path string) (dirLock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(f); err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, errOwned
			}
			return nil, fmt.Errorf("lock %q: %w: the directory must be on a file system with locks", path, err)
		}
		// Somebody may have removed the file after we opened it and before we
		// locked it. Then the lock is on a file which the next one will not see.
		if l := (fileLock{f}); l.held() {
			return l, nil
		}
		f.Close()
	}
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

type fileLock struct{ *os.File }

func (l fileLock) held() bool {
	locked, err := l.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(l.Name())
	return err == nil && os.SameFile(locked, named)
}

// Remove removes the file before it gives up the lock. Who has the same file
// open gets the lock then, and sees that it is on a file which is gone.
func (l fileLock) Remove() error {
	err := os.Remove(l.Name())
	l.Close()
	return err
}
