package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OwnerState says whether a fallback directory has a living owner.
type OwnerState int

const (
	// OwnerUnknown means that this system does not tell who holds a lock.
	OwnerUnknown OwnerState = iota
	// OwnerNone means that no process holds the lock, as far as this process can
	// see: one of another container, or of another host that shares the file
	// system, it cannot.
	OwnerNone
	// OwnerAlive means that a living process holds the lock.
	OwnerAlive
)

// String returns "unknown", "none" or "alive".
func (s OwnerState) String() string {
	switch s {
	case OwnerNone:
		return "none"
	case OwnerAlive:
		return "alive"
	}
	return "unknown"
}

// Owner is what can be told about the owner of a directory from outside.
type Owner struct {
	State OwnerState
	// PID is the process that holds the lock; 0 if there is none or it is not
	// known.
	PID int
}

// FindOwner says who owns dir, without touching the lock: to try it, even for a
// moment, would send a process that opens the directory in this moment to a
// subdirectory. So it can tell on Linux only, and elsewhere where there is no
// lock file. It is the state of a moment.
func FindOwner(dir string) (Owner, error) {
	lock, err := os.Stat(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return Owner{State: OwnerNone}, nil
	}
	if err != nil {
		return Owner{}, fmt.Errorf("look for the owner of %q: %w", dir, cause(err))
	}
	return holder(lock), nil
}
