package spool

import (
	"os"
	"syscall"
)

// errSharingViolation is ERROR_SHARING_VIOLATION of winerror.h.
const errSharingViolation = syscall.Errno(32)

// acquire opens the file with a share mode of none: as long as the handle is
// open, every other attempt fails, in this process or in another.
func acquire(path string) (dirLock, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err == errSharingViolation {
		return nil, errOwned
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fileLock{os.NewFile(uintptr(h), path)}, nil
}

type fileLock struct{ *os.File }

// held is always true: a file that is open in this way cannot be removed.
func (fileLock) held() bool { return true }

// Remove fails if somebody else has opened the file in the moment between.
func (l fileLock) Remove() error {
	l.Close()
	return os.Remove(l.Name())
}
