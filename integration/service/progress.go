package service

import (
	"fmt"
	"os"
	"unsafe"
)

// progressBytes is the size of the file, a number of 8 bytes for each worker.
const progressBytes = 4096

// Progress is what each worker has begun to log, in memory that is a file: it is
// still there when the process was killed.
type Progress struct {
	mapped []byte
}

// OpenProgress opens the file, or makes it.
func OpenProgress(name string) (*Progress, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping stays
	if err := f.Truncate(progressBytes); err != nil {
		return nil, err
	}
	mapped, err := mapFile(f, progressBytes)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", name, err)
	}
	return &Progress{mapped: mapped}, nil
}

// Begun are the numbers, to be read and written atomically.
func (p *Progress) Begun() []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(p.mapped))), progressBytes/8)
}

// Close ends the use of the numbers.
func (p *Progress) Close() error { return unmapFile(p.mapped) }
