package zapkafka

import "unsafe"

const (
	// arenaBytes is the size of the memory that a chunk's entries are copied
	// into. Large enough that one system call spills a thousand usual entries,
	// small enough that a sink which logs little holds little.
	arenaBytes = 256 << 10

	// largeBytes is the length from which an entry gets memory of its own: half
	// an arena, so that no arena is left less than half full for lack of room.
	largeBytes = arenaBytes / 2

	// maxChunkRecords bounds the entries of a chunk, and with them the size of
	// the record block that is made for it when it goes to the producer. At 128
	// bytes an entry both limits are reached together.
	maxChunkRecords = 2048
)

// allocator supplies the text memory of chunks. It is the one place to change
// when that memory is to be something else than the heap, a mapped file say.
// allocate may return a slice with old content; release gets back exactly what
// allocate returned, at a moment when nobody can look at it any more. Both are
// called from any goroutine, and release under the queue's lock.
type allocator interface {
	allocate(n int) []byte
	release(text []byte)
}

// memory is what one filling of a chunk is written into. It is reused for
// later chunks; the chunk and its records are not (see chunk).
//
// Entries fill text from the front, each with its final newline, so that the
// front is what a file of the fallback holds and goes there in one write. The
// bytes of keys and header values fill it from the back.
type memory struct {
	text    []byte
	ends    []uint32      // capacity: the most entries of a chunk
	ranks   []levelRank   // of all entries; its length is the capacity of ends
	times   []int64       // nil until an entry with a time of its own comes; Unix nanoseconds, 0 for none
	details []entryDetail // nil until an entry with a meta comes
	headers []Header      // of all entries, one after the other; never grown past its capacity
}

// entryDetail is what an entry has beside its line. It stands at the entry's
// index in memory.details.
type entryDetail struct {
	topic                   string // "" for the syncer's
	key                     []byte
	firstHeader, lastHeader uint32 // in memory.headers
}

const (
	detailSize = int64(unsafe.Sizeof(entryDetail{}))
	headerSize = int64(unsafe.Sizeof(Header{}))
	chunkSize  = int64(unsafe.Sizeof(chunk{}))
	timeSize   = 8
	entrySize  = 4 + 1 // of ends and ranks
)

// newMemory returns memory for as many entries in text.
func newMemory(text []byte, entries int) *memory {
	return &memory{text: text, ends: make([]uint32, 0, entries), ranks: make([]levelRank, entries)}
}

// lacks is what it costs, in bytes, to make room for the metas of as many
// entries, if theirs have what this one has; 0 if there is room.
func (m *memory) lacks(of *meta, entries int) int64 {
	n := int64(0)
	if !of.time.IsZero() && (m == nil || m.times == nil) {
		n += timeSize * int64(entries)
	}
	if !of.bare() && (m == nil || m.details == nil) {
		n += (detailSize + headerSize) * int64(entries)
	}
	return n
}

// extend makes that room.
func (m *memory) extend(of *meta, entries int) {
	if !of.time.IsZero() && m.times == nil {
		m.times = make([]int64, 0, entries)
	}
	if !of.bare() && m.details == nil {
		m.details = make([]entryDetail, 0, entries)
		m.headers = make([]Header, 0, entries)
	}
}

// cost is what the memory is charged with, in bytes: all of it, used or not.
func (m *memory) cost() int64 {
	return int64(len(m.text)) + entrySize*int64(cap(m.ends)) + timeSize*int64(cap(m.times)) + chunkSize +
		int64(cap(m.details))*detailSize + int64(cap(m.headers))*headerSize
}

// reset empties the memory for its next filling. The strings and slices which
// details and headers point to are let go.
func (m *memory) reset() {
	m.ends = m.ends[:0]
	for i := range m.times {
		m.times[i] = 0
	}
	m.times = m.times[:0]
	for i := range m.details {
		m.details[i] = entryDetail{}
	}
	m.details = m.details[:0]
	for i := range m.headers {
		m.headers[i] = Header{}
	}
	m.headers = m.headers[:0]
}
