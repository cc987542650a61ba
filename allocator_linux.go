//go:build !race

package zapkafka

import (
	"runtime"
	"sync"
	"syscall"
)

// newAllocator returns the allocator of a queue: arenas outside of the heap.
func newAllocator() allocator {
	a := &mapped{all: make(map[*byte][]byte)}
	// Records that a client still holds lead to the queue, and that to the
	// allocator: when nobody is left, nobody reads.
	runtime.SetFinalizer(a, (*mapped).unmap)
	return a
}

// mapped takes arenas from the system directly. On the heap they would count
// for the collector's pace: with 32 MiB of them it lets the program's own
// garbage grow by as much again (GOGC=100) before it looks, and the resident
// memory of a program in an outage is half as much again as the bound.
//
// An arena that is released gives its pages back but stays mapped, for the next
// one: whoever reads it against the contract sees zeros, not a fault.
type mapped struct {
	mu   sync.Mutex
	free [][]byte
	all  map[*byte][]byte // by the first byte
}

func (a *mapped) allocate(n int) []byte {
	if n != arenaBytes {
		return make([]byte, n) // a single large entry, soon gone
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := len(a.free) - 1; last >= 0 {
		text := a.free[last]
		a.free[last] = nil
		a.free = a.free[:last]
		return text
	}
	text, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n) // too many mappings, or a limit on address space
	}
	a.all[&text[0]] = text
	return text
}

func (a *mapped) release(text []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(text) != arenaBytes || a.all[&text[0]] == nil {
		return
	}
	// Fails if the program has locked its memory (mlockall). Then the pages stay,
	// for the next chunk all the same.
	_ = syscall.Madvise(text, syscall.MADV_DONTNEED)
	a.free = append(a.free, text)
}

// unmap ends the mappings.
func (a *mapped) unmap() {
	for _, text := range a.all {
		_ = syscall.Munmap(text)
	}
}
