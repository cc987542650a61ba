package zapkafka

import (
	"sync/atomic"
	"time"
)

// meta is what is known of an entry beside its encoded line. The zero meta is
// what Write has to offer: the syncer's topic, no key, and the time at which
// the entry's chunk was begun.
type meta struct {
	time    time.Time
	topic   string // "" for the syncer's
	key     []byte
	headers []Header
	level   levelRank
}

// bare reports whether the entry's line, and its time and level perhaps, is all there
// is.
func (m *meta) bare() bool {
	return m.topic == "" && m.key == nil && m.headers == nil
}

// bytes is the room that the meta's key and headers take in a chunk's memory.
func (m *meta) bytes() int {
	n := len(m.key)
	for i := range m.headers {
		n += len(m.headers[i].Value)
	}
	return n
}

// chunkState says in whose hands a chunk is. It changes under the queue's lock.
type chunkState uint8

const (
	chunkOpen    chunkState = iota // callers append to it
	chunkWaiting                   // full or sealed; for the sender or the fallback writer, who comes first
	chunkClaimed                   // the sender is making its records
	chunkClient                    // its records are with the producer
	chunkWriting                   // the fallback writer has all of it; it never was with the producer
	chunkDone                      // spilled, or abandoned at the end
)

// chunk is entries in the order in which they came, between which the numbers of
// lost and of oversize ones may be missing: the unit of queueing, spilling and
// handing over. The struct is new for each filling, and so is the block of
// records; only the memory behind them is reused. So whoever comes too late (a
// second Done, a fallback writer with an old pointer) finds the old chunk with
// its final states and never a later entry.
type chunk struct {
	q      *queue
	mem    *memory            // nil once it was given back
	first  uint64             // number of the first entry; the first of all entries is 1
	from   int                // entries before this index are settled already (spilled by a write that came to an early end)
	used   int                // bytes of mem.text from the front
	back   int                // start of the keys and header values at the end of mem.text
	ranks  [levelRanks]uint16 // how many entries of each level
	opened time.Time

	// oversize is the length of a single entry over MaxEntryBytes, 0 for all
	// other chunks. Its memory holds what goes into the rejected file.
	oversize int
	cut      bool // and it is not all of the entry

	state   chunkState // guarded by q.mu
	settled bool       // guarded by q.mu: every entry has its outcome
	givenUp bool       // guarded by q.mu: its records were given up, none is undecided
	extra   int64      // guarded by q.mu: charged beside mem while with the producer
	stuck   bool       // guarded by q.mu: does not count towards the producer's share
	kept    bool       // the sender's: it keeps the memory while it looks
	handed  time.Time  // guarded by q.mu: when it went to the producer

	// records is made by the sender before the state becomes chunkClient and
	// does not change afterwards.
	records []Record

	// counts holds two numbers that change together, so that one atomic
	// operation suffices for a record: the upper half counts entries without an
	// outcome (unsettled), the lower the reasons to keep the memory: a record
	// held by the client, and a record that is the fallback's and not yet
	// written, count one each. Used from chunkClient on.
	counts atomic.Uint64

	handedBytes uint64 // of its records' entries; set before the state becomes chunkClient
	// mixed is set before the first record takes another way than to be acknowledged.
	mixed atomic.Bool

	// listed is set while the chunk stands in queue.failed.
	listed atomic.Bool
	// lastErr is an error of one of its records, for the report.
	lastErr atomic.Pointer[error]
}

func (c *chunk) entries() int { return len(c.mem.ends) }

// fits reports whether an entry of n bytes (with its newline) and its meta can
// be appended.
func (c *chunk) fits(n int, m *meta) bool {
	if c.used+n > c.back-m.bytes() || len(c.mem.ends) == cap(c.mem.ends) {
		return false
	}
	return c.mem.details == nil || len(c.mem.headers)+len(m.headers) <= cap(c.mem.headers)
}

// appendLine copies the line in and sees to its final newline.
func (c *chunk) appendLine(line []byte, newline bool, r levelRank) {
	n := c.used + copy(c.mem.text[c.used:c.back], line)
	if newline {
		c.mem.text[n] = '\n'
		n++
	}
	c.used = n
	c.mem.ends = append(c.mem.ends, uint32(n))
	c.mem.ranks[len(c.mem.ends)-1] = r
	c.ranks[r]++
}

// appendMeta keeps m for the entry that was appended last. The memory has room
// for it (see memory.lacks).
func (c *chunk) appendMeta(m *meta) {
	mem := c.mem
	if !m.time.IsZero() {
		mem.times = mem.times[:len(mem.ends)] // zero for those before that had none
		mem.times[len(mem.ends)-1] = m.time.UnixNano()
	}
	if m.bare() {
		return
	}
	// Entries before it had no meta of their own, or the capacity is there
	// already: cap(details) is cap(ends).
	mem.details = mem.details[:len(mem.ends)]
	d := &mem.details[len(mem.ends)-1]
	d.topic, d.key = m.topic, c.keep(m.key)
	d.firstHeader = uint32(len(mem.headers))
	for _, h := range m.headers {
		mem.headers = append(mem.headers, Header{Key: h.Key, Value: c.keep(h.Value)})
	}
	d.lastHeader = uint32(len(mem.headers))
}

// keep copies b to the end of the memory; nil stays nil.
func (c *chunk) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	c.back -= len(b)
	kept := c.mem.text[c.back : c.back+len(b) : c.back+len(b)]
	copy(kept, b)
	return kept
}

// line returns entry i with its final newline.
func (c *chunk) line(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = c.mem.ends[i-1]
	}
	return c.mem.text[start:c.mem.ends[i]:c.mem.ends[i]]
}

// detail returns what entry i has beside its line, nil if nothing.
func (c *chunk) detail(i int) *entryDetail {
	if i >= len(c.mem.details) {
		return nil
	}
	return &c.mem.details[i]
}

// metaOf is the meta of entry i, without its time. The headers lie in c's memory.
func (c *chunk) metaOf(i int) meta {
	m := meta{level: c.mem.ranks[i]}
	if d := c.detail(i); d != nil {
		m.topic, m.key, m.headers = d.topic, d.key, c.headersOf(d)
	}
	return m
}

// count counts n entries by level, from entry i on.
func (c *chunk) count(i, n int) *rankCounts {
	var counts rankCounts
	if n == c.entries() {
		for r, k := range c.ranks {
			counts[r] = uint64(k)
		}
		return &counts
	}
	for _, r := range c.mem.ranks[i : i+n] {
		counts[r]++
	}
	return &counts
}

// timeOf is the time of entry i: its own, or when its chunk was begun.
func (c *chunk) timeOf(i int) time.Time {
	if i < len(c.mem.times) && c.mem.times[i] != 0 {
		return time.Unix(0, c.mem.times[i])
	}
	return c.opened
}

// headersOf returns the headers of d.
func (c *chunk) headersOf(d *entryDetail) []Header {
	if d.firstHeader == d.lastHeader {
		return nil
	}
	return c.mem.headers[d.firstHeader:d.lastHeader:d.lastHeader]
}
