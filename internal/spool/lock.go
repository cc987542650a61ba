package spool

import "errors"

// errOwned is what acquire returns for a directory with a living owner.
var errOwned = errors.New("the directory has an owner")

// dirLock is the ownership of a directory. acquire(path) makes the lock file and
// takes it, or returns errOwned. The end of the process gives it up as Close
// does. The file stays: removing it would let two owners in, one with a lock on
// the file that is gone and one with a lock on its successor.
//
// Only who gives up a directory for good, to remove it too, calls Remove: from
// that moment he has no more business there. Another who makes the file anew is
// the owner, and his file keeps the directory from being removed; one who comes
// after the directory is gone makes it again.
type dirLock interface {
	// held reports whether the lock is still on the file of its name.
	held() bool
	Close() error
	// Remove removes the file and gives up the lock.
	Remove() error
}
