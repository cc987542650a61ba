//go:build !linux || race

package zapkafka

// newAllocator returns the allocator of a queue. Under the race detector it is
// the heap on all systems, because the detector watches nothing else.
func newAllocator() allocator { return heap{} }
