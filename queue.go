package zapkafka

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unicode/utf8"
	"unsafe"

	"go.uber.org/zap/zapcore"
)

// queue holds the entries between the callers and the two goroutines that take
// them away: the sender, who hands chunks to the producer, and the fallback
// writer, who takes what failed, what is overdue, and, when room gets scarce,
// the oldest chunk that still waits.
//
// A call of put is one short lock and one copy. Nothing else is done under the
// lock by anyone: no I/O, no call of the producer, no waiting.
//
// Memory. used is what the chunks in the queue cost, from the moment in which
// their memory is taken until nobody can read it any more; spare is memory kept
// for the next chunks. used+spare never exceeds limit. A chunk costs more while
// it is with the producer (its records and the client's overhead for them):
// reserve is kept free of callers so that the sender can always pay for at least
// one chunk.
type queue struct {
	// immutable
	limit        int64 // bound on used+spare
	share        int64 // most that the chunks with the producer may cost
	stuckMost    int64 // most that chunks may cost that are stuck with the producer
	clientMost   int64 // share, or what one chunk costs that does not fit into it
	reserve      int64 // room that only the sender may use
	low          int64 // free room below which waiting chunks are spilled
	headroom     int64 // what Info leaves free for Warn and above, and Debug for Info
	chunkRecords int   // most entries of a chunk
	recordCost   int64 // of a record with the producer
	clientsOwn   int64 // the client's part of that
	valuePercent int64 // of a value with the producer
	maxEntry     int   // longer entries are oversize (without their newline)
	largest      int64 // most that a single entry may cost
	largeAt      int   // longer lines get memory of their own
	linger       time.Duration
	delivery     time.Duration
	maxWait      time.Duration // 0: never wait
	instance     uint64        // for the ids of entries; 0: they have none
	alloc        allocator
	onFree       func(text []byte) // for tests: sees memory that nobody may read any more

	fallbackLevel zapcore.LevelEnabler // Options.FallbackLevel; nil: all go

	// rejected plans the line in the rejected file for an entry that is too
	// large, in at most room bytes.
	rejected func(m *meta, value []byte, room int) rejectedLine

	lastResort *lastResort // is told of entries that are lost
	counters   counters

	// These have room for one signal: whoever gets it looks at everything.
	wakeSender chan struct{}
	wakeWriter chan struct{}
	wakeReplay chan struct{}
	wakeHealth chan struct{}
	wakeNotify chan struct{}
	wakeShed   chan struct{}

	// backlog reports whether the replay has something to send; nil without one.
	// Called under mu.
	backlog func() bool

	mu sync.Mutex
	// The fields below are guarded by mu.

	closed   bool   // Shutdown has begun: nothing more is accepted
	ended    bool   // and is over: nothing is kept for reuse
	accepted uint64 // entries so far; the number of the latest

	acceptedBy rankCounts // those by level, but for the open chunk's

	open    *chunk
	floor   levelClass // of open: what is below has to look whether there is room for it
	waiting []*chunk   // oldest first
	rejects []*chunk   // oversize, oldest first
	failed  []*chunk   // with records for the fallback writer
	order   []*chunk   // all sealed chunks with entries that have no outcome, as they were sealed

	used        int64
	inClient    int64    // part of used that is with the producer, and counts towards its share
	stuck       int64    // and that does not: see setStuck
	clients     int      // chunks that are with the producer
	atClient    []*chunk // these, as they were handed over
	stuckChunks int      // of these, how many are stuck
	refused     bool     // there was no room for another, since crowding asked
	returned    []returned
	senderGone  bool // nothing is given back any more
	spares      []*memory
	spare       int64 // cost of spares
	spareLow    int   // least len(spares) since the last trim
	nextTrim    time.Time
	flushUpTo   uint64 // entries up to this number do not linger
	nudge       bool   // someone waits for what is with the producer

	giveUpUpTo uint64 // entries up to this number are for the fallback now
	giveUpWhy  reason

	waiters []*roomWaiter // callers who wait for room, in the order in which they came
	inLine  [classes]int  // how many of them are served strictly in turn
	noWait  levelClass    // what is below has waited in vain, and does not wait at present

	noWaitUntil [classes]time.Time // and then one of the class tries it

	stalled bool   // the disk has stopped making progress: nobody waits for room
	writing bool   // the fallback writer is inside a write
	writes  uint64 // how many have ended

	syncWaits []*settledWait

	// failing is set from a failed write of the fallback to the next that
	// succeeds; until failingUntil no chunk that still waits is offered to it.
	failing      bool
	failingUntil time.Time
	failingWhy   lostReason

	// silent is set when a Sync got no answer from Kafka in all its time, with
	// the number of answers until then: see kafkaSilentLocked.
	silent        bool
	silentAnswers uint64

	health   health
	replay   replayShare
	measures measures
}

// settledWait is someone who waits until every entry up to a number has its
// outcome.
type settledWait struct {
	upTo uint64
	done chan struct{} // closed by the queue, under mu
}

// errQueueClosed is put's answer after close; it never leaves the package.
var errQueueClosed = errors.New("zapkafka: the queue is closed")

// What put answers when the fallback takes nothing. Made once: in such a time
// they are wanted for every call.
var (
	errQueueFullFailing = fmt.Errorf("%w: the fallback cannot be written", ErrQueueFull)
	errQueueFullFull    = fmt.Errorf("%w: %w", ErrQueueFull, ErrFallbackFull)
)

// recordSize is what a Record costs, in bytes.
const recordSize = int64(unsafe.Sizeof(Record{}))

const (
	// lingerStep: with every so many chunks at the producer the linger doubles.
	// A sink that logs little would otherwise fill its bound with nearly empty
	// chunks while a broker does not answer: 256 KiB each, a hundred a second.
	lingerStep = 4
	// maxLingerShift bounds that: 10 ms become 1.28 s.
	maxLingerShift = 7
	trimInterval   = time.Second
	trimAtOnce     = 4
	trimPause      = time.Millisecond
	keepSpares     = 1
)

// newQueue returns an empty queue. It fails if the producer's overhead makes the
// bound too small for the entries that the options allow.
func newQueue(o *Options, overhead Overhead) (*queue, error) {
	if overhead.RecordBytes < 0 || overhead.RecordBytes > 1<<20 || overhead.ValuePercent < 0 || overhead.ValuePercent > 1000 {
		return nil, fmt.Errorf("the producer declares an overhead of %d bytes a record and %d %% of the values; it must be from 0 to 1 MiB, and from 0 to 1000 %%",
			overhead.RecordBytes, overhead.ValuePercent)
	}
	q := &queue{
		limit:        o.BufferBytes,
		share:        o.BufferBytes / 2,
		recordCost:   recordSize + int64(overhead.RecordBytes),
		clientsOwn:   int64(overhead.RecordBytes),
		valuePercent: int64(overhead.ValuePercent),
		maxEntry:     o.MaxEntryBytes,
		linger:       o.Linger,
		delivery:     o.DeliveryTimeout,
		maxWait:      o.MaxWait,
		alloc:        newAllocator(),
		lastResort:   newLastResort(o.LastResort),

		fallbackLevel: o.FallbackLevel,
		rejected:      plainRejected,
		wakeSender:    make(chan struct{}, 1),
		wakeWriter:    make(chan struct{}, 1),
		wakeReplay:    make(chan struct{}, 1),
		wakeHealth:    make(chan struct{}, 1),
		wakeNotify:    make(chan struct{}, 1),
		wakeShed:      make(chan struct{}, 1),
	}
	if o.IDHeader {
		instance, err := drawInstance()
		if err != nil {
			return nil, err
		}
		q.instance = instance
		q.recordCost += idCost
	}
	q.replay = newReplayShare(q.limit, q.share, q.recordCost)
	if cost := q.replayCost(); q.replay.most < cost {
		q.replay.most = cost // with a small bound, or a client that needs much
	}
	q.health.after, q.health.since = o.OutageAfter, time.Now()
	q.health.notify = o.OnStateChange != nil
	q.largeAt = largeBytes
	if q.maxEntry < q.largeAt {
		q.largeAt = q.maxEntry + 1
	}
	// A chunk with the producer must not cost more than a sixteenth of the
	// bound for its records, however much overhead the client declares.
	q.chunkRecords = maxChunkRecords
	if most := q.limit / 16 / q.recordCost; int64(q.chunkRecords) > most {
		q.chunkRecords = int(most)
	}
	if q.chunkRecords < 16 {
		q.chunkRecords = 16
	}
	// What one chunk costs in addition when it goes to the producer: a usual one,
	// or the largest entry.
	largest := int64(q.maxEntry) + 1 + entrySize + timeSize + chunkSize
	q.reserve = q.extraCost(q.chunkRecords, arenaBytes)
	if extra := q.extraCost(1, q.maxEntry); extra > q.reserve {
		q.reserve = extra
	}
	if q.instance != 0 {
		q.reserve += int64(q.chunkRecords) * headerSize // see clientCost
	}
	// The producer's part may be exceeded by one chunk that would never fit
	// into it.
	client := q.share
	if one := largest + q.extraCost(1, q.maxEntry); one > client {
		client = one
	}
	q.clientMost = client
	// What is left for one entry when the producer holds all that it may and
	// everything that waits was spilled, the open chunk apart.
	q.largest = q.limit - client - q.reserve - q.chunkCost() - timeSize*int64(q.chunkRecords) - (detailSize+headerSize)*int64(q.chunkRecords)
	if q.largest < largest {
		return nil, fmt.Errorf("BufferBytes is %d, too little for entries of %d bytes (MaxEntryBytes) with the overhead of this producer: double BufferBytes, say, or lower MaxEntryBytes",
			q.limit, q.maxEntry)
	}
	// Stuck chunks come on top of the client's part. The largest entry fits all the
	// same, and so does the most that the rejected file gets of one.
	q.stuckMost = q.limit / stuckPart
	least := largest
	if most := largest - int64(q.maxEntry) + maxRejectBytes; q.largest > most {
		least = most
	}
	// And so does a chunk for each class of levels, beside that which is spilled.
	if chunks := int64(classes) * q.chunkRoom(); least < chunks {
		least = chunks
	}
	if most := q.largest - least; most < q.stuckMost {
		q.stuckMost = most
	}
	if q.stuckMost < 0 {
		q.stuckMost = 0
	}
	q.largest -= q.stuckMost
	q.headroom = q.roomPerClass()
	q.low = q.limit / 8
	if two := 2 * q.chunkCost(); q.low < two {
		q.low = two
	}
	// Spilling begins before anybody finds no room.
	if least := int64(classes-1)*q.headroom + q.chunkCost(); q.low < least {
		q.low = least
	}
	q.low += q.reserve
	return q, nil
}

// chunkCost is the cost of a usual chunk that is not with the producer.
func (q *queue) chunkCost() int64 {
	return arenaBytes + entrySize*int64(q.chunkRecords) + chunkSize
}

// extraCost is what a chunk costs in addition while it is with the producer.
func (q *queue) extraCost(records, bytes int) int64 {
	return int64(records)*q.recordCost + int64(bytes)*q.valuePercent/100
}

// put copies one entry into the queue. It waits only when the queue is full and
// the fallback writer does not keep up, at most maxWait. It fails with an error
// that wraps ErrQueueFull, the entry being counted lost, with errShed, the entry
// being counted shed, or with errQueueClosed, the entry not being counted at all.
//
// Who fills a chunk while the sender has not come to the one before it lets the
// goroutines go first that are ready to run. It is one call in a thousand, and waits
// for a processor, not for Kafka. Where log calls keep every processor busy, sender
// and client would else be scheduled as any of the callers, and what they do not come to
// goes by way of the disk, which costs more than to send it.
func (q *queue) put(m *meta, line []byte) error {
	// A line gets its newline here if the encoder wrote none, so that the
	// arena is what goes on file.
	newline := len(line) == 0 || line[len(line)-1] != '\n'
	n := len(line)
	if newline {
		n++
	}
	if n+m.bytes() > q.largeAt || len(m.headers) > q.chunkRecords/8 {
		return q.putLarge(m, line, newline)
	}
	q.mu.Lock()
	c := q.open
	if c == nil || q.closed || q.floor > 0 && classOf[m.level] < q.floor || !c.fits(n, m) || c.mem.lacks(m, 1) > 0 {
		filled := c != nil && !c.fits(n, m)
		err := q.putSlowLocked(m, line, newline)
		giveWay := filled && q.senderBehindLocked()
		q.mu.Unlock()
		if giveWay {
			runtime.Gosched()
		}
		return err
	}
	c.appendLine(line, newline, m.level)
	c.appendMeta(m)
	q.accepted++
	q.mu.Unlock()
	return nil
}

// putSlowLocked is put when a chunk has to be begun, or got room for a meta.
// It may let go of the lock, to wait, and comes back with it.
func (q *queue) putSlowLocked(m *meta, line []byte, newline bool) error {
	if q.closed {
		return errQueueClosed
	}
	// Behind those who wait already, but for those of lower levels: else the newcomers
	// of each moment would have the room, and one who waits might never get any.
	if !q.aheadLocked(classOf[m.level]) && q.placeLocked(m, line, newline) {
		return nil
	}
	return q.waitLocked(&roomWaiter{place: func() bool { return q.placeLocked(m, line, newline) }, inTurn: true, level: m.level})
}

// senderBehindLocked reports whether a chunk waits, beside the one that was filled
// last, which the sender could hand over at once. If Kafka is what it waits for, to
// run sooner does not help it.
func (q *queue) senderBehindLocked() bool {
	if len(q.waiting) < 2 || q.health.state == FallbackOnly {
		return false
	}
	return q.clients == 0 || q.inClient+q.clientCost(q.waiting[0]) <= q.share
}

// placeLocked puts an entry into the open chunk or begins one for it. It
// reports false if there is no room.
func (q *queue) placeLocked(m *meta, line []byte, newline bool) bool {
	c := q.open
	keep := q.keepFor(m.level, 0)
	if c != nil && classOf[m.level] < q.floor {
		// The memory that is left may be for levels above. Else it is so for all of them.
		if q.used > q.limit-keep {
			return false
		}
		q.floor = q.floorLocked()
	}
	if c != nil && !c.fits(len(line)+1, m) {
		q.sealLocked()
		c = nil
	}
	if c == nil {
		c = q.openChunkLocked(m, keep)
	}
	if c == nil || !q.extendLocked(c, m, keep) {
		return false
	}
	c.appendLine(line, newline, m.level)
	c.appendMeta(m)
	q.accepted++
	return true
}

// loseLocked counts an entry for which there was no room.
func (q *queue) loseLocked(r levelRank) error {
	q.accepted++
	q.acceptedBy[r]++
	if classOf[r] < classImportant {
		return q.shedLocked(r)
	}
	why, err := lostNoRoom, ErrQueueFull
	if q.failing {
		// The queue is full because the fallback does not take what is in it.
		why, err = q.failingWhy, errQueueFullFailing
		if why == lostFallbackFull {
			err = errQueueFullFull
		}
	}
	q.counters.addLost(why, one(r))
	if q.health.state == Healthy {
		wake(q.wakeHealth)
	}
	return err
}

// openChunkLocked begins a chunk whose first entry has the meta m, or returns nil
// if there is no room for both, keep being left free.
func (q *queue) openChunkLocked(m *meta, keep int64) *chunk {
	var mem *memory
	if last := len(q.spares) - 1; last >= 0 {
		mem = q.spares[last]
		cost := mem.cost()
		if q.used+cost+mem.lacks(m, q.chunkRecords) > q.limit-keep {
			return nil
		}
		q.spares[last] = nil
		q.spares = q.spares[:last]
		q.spare -= cost
		q.used += cost
		if last < q.spareLow {
			q.spareLow = last
		}
	} else {
		var none *memory
		if q.used+q.chunkCost()+none.lacks(m, q.chunkRecords) > q.limit-keep || !q.chargeLocked(q.chunkCost(), keep) {
			return nil
		}
		mem = newMemory(q.alloc.allocate(arenaBytes), q.chunkRecords)
	}
	q.open = &chunk{q: q, mem: mem, first: q.accepted + 1, back: len(mem.text), opened: time.Now()}
	q.floor = q.floorLocked()
	wake(q.wakeSender) // for its linger
	if len(q.order) == 0 {
		wake(q.wakeWriter) // for its deadline
	}
	if q.limit-q.used < q.low || q.health.state == FallbackOnly {
		wake(q.wakeWriter) // to make room; in an outage for its linger
	}
	return q.open
}

// extendLocked makes room in c for the meta m and those of the entries after it, keep
// being left free.
func (q *queue) extendLocked(c *chunk, m *meta, keep int64) bool {
	more := c.mem.lacks(m, q.chunkRecords)
	if more > 0 {
		if !q.chargeLocked(more, keep) {
			return false
		}
		c.mem.extend(m, q.chunkRecords)
	}
	return true
}

// chargeLocked takes n bytes of the bound, all but keep of it, giving spare
// memory away if that makes the room.
func (q *queue) chargeLocked(n, keep int64) bool {
	if q.used+n > q.limit-keep {
		return false
	}
	for q.used+q.spare+n > q.limit {
		q.dropSpareLocked()
	}
	q.used += n
	return true
}

// end gives all spare memory back, now and from now on.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	for len(q.spares) > 0 {
		q.dropSpareLocked()
	}
}

func (q *queue) dropSpareLocked() {
	last := len(q.spares) - 1
	mem := q.spares[last]
	q.spares[last] = nil
	q.spares = q.spares[:last]
	q.spare -= mem.cost()
	if last < q.spareLow {
		q.spareLow = last
	}
	q.alloc.release(mem.text)
}

// sealLocked ends the open chunk.
func (q *queue) sealLocked() {
	c := q.open
	q.open = nil
	q.measures.acceptedBytes += uint64(c.used)
	c.state = chunkWaiting
	for r, n := range c.ranks {
		q.acceptedBy[r] += uint64(n)
	}
	q.waiting = append(q.waiting, c)
	q.order = append(q.order, c)
	wake(q.wakeSender)
	if q.health.state == FallbackOnly {
		wake(q.wakeWriter)
	}
}

// putLarge is put for an entry that gets memory of its own, and a chunk of its
// own. The memory is allocated and filled without the lock: both take as long as
// many usual puts.
func (q *queue) putLarge(m *meta, line []byte, newline bool) error {
	c := &chunk{q: q, opened: time.Now()}
	mem := newMemory(nil, 1)
	size := len(line) + 1 + m.bytes()
	length := len(line) // of the entry, without a newline
	if !newline {
		length--
	}
	var reject rejectedLine
	if length > q.maxEntry {
		c.oversize = length
		room := q.largest - mem.cost()
		if most := int64(maxRejectBytes * 3 / 2); room > most {
			room = most
		}
		reject = q.rejected(m, line[:length], int(room))
		size, c.cut = reject.size, reject.cut
	} else {
		mem.extend(m, 1)
		mem.headers = make([]Header, 0, len(m.headers))
	}
	cost := int64(size) + mem.cost()
	keep := q.keepFor(m.level, cost)
	charge := func() bool { return q.chargeLocked(cost, keep) }
	q.mu.Lock()
	err := error(nil)
	switch {
	case q.closed:
		err = errQueueClosed
	case q.aheadLocked(classOf[m.level]) || !charge():
		err = q.waitLocked(&roomWaiter{place: charge, inTurn: cost <= 4*q.chunkCost(), level: m.level})
	}
	q.mu.Unlock()
	if err != nil {
		return err
	}

	if c.oversize > 0 {
		// What goes on file, an envelope perhaps, is made here and now, so that
		// it is the only copy.
		mem.text = reject.append(make([]byte, 0, size))
		mem.ends = append(mem.ends, uint32(len(mem.text)))
		mem.ranks[0] = m.level
		c.mem, c.used, c.back = mem, len(mem.text), len(mem.text)
		c.ranks[m.level]++
	} else {
		mem.text = q.alloc.allocate(size)
		c.mem, c.back = mem, size
		c.appendLine(line, newline, m.level)
		c.appendMeta(m)
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.used -= cost
		q.alloc.release(mem.text)
		return errQueueClosed
	}
	// Only now does the entry have its place: what others logged during the
	// copy comes before it. One that is not for Kafka ends no chunk: many of them
	// would leave as many nearly empty ones.
	if q.open != nil && c.oversize == 0 {
		q.sealLocked()
	}
	q.accepted++
	q.acceptedBy[m.level]++
	c.first = q.accepted
	q.measures.acceptedBytes += uint64(c.bytesOf(1))
	c.state = chunkWaiting
	q.order = append(q.order, c)
	if c.oversize > 0 {
		q.rejects = append(q.rejects, c)
		wake(q.wakeWriter)
	} else {
		q.waiting = append(q.waiting, c)
		wake(q.wakeSender)
	}
	if len(q.order) == 1 || q.limit-q.used < q.low || q.health.state == FallbackOnly {
		wake(q.wakeWriter)
	}
	return nil
}

// rejectedLine is what goes into the rejected file for an entry that is too
// large.
type rejectedLine struct {
	size   int                     // in bytes
	cut    bool                    // it is not all of the entry
	append func(dst []byte) []byte // appends it, with its newline
}

// plainRejected makes the line of a fallback that is not our directory: the
// entry itself, as much of it as there is room for.
func plainRejected(_ *meta, value []byte, room int) rejectedLine {
	kept := cutAt(value, room-1)
	return rejectedLine{size: len(kept) + 1, cut: len(kept) < len(value), append: func(dst []byte) []byte {
		return append(append(dst, kept...), '\n')
	}}
}

// cutAt returns at most n bytes of value, and at most maxRejectBytes, without
// the beginning of a character at the end.
func cutAt(value []byte, n int) []byte {
	if n > maxRejectBytes {
		n = maxRejectBytes
	}
	if len(value) <= n {
		return value
	}
	for i := n; i >= 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(value[i]) {
			return value[:i]
		}
	}
	return value[:n] // not UTF-8
}

// roomWaiter is a caller who waits for room. Those who make room serve the
// waiters, on their own goroutines and in the order in which these came: the
// line of a caller who waits stays as it is, so anybody can copy it. If every
// waiter had to come and see for itself, the first to be scheduled would fill
// the room before the others look, and some would see none for all of maxWait
// although the disk keeps up.
type roomWaiter struct {
	place func() bool // under the lock: takes the room, false if there is not enough
	// inTurn: nobody who came later is served before. An entry for which several
	// chunks must come free would never find them otherwise; a huge one would
	// hold up everybody for too long.
	inTurn  bool
	level   levelRank
	served  bool // guarded by mu
	done    chan struct{}
	writing bool   // of the queue when the wait began
	writes  uint64 // likewise
}

// waitLocked waits for room, without the lock, for at most maxWait. It returns
// nil if w was served. Otherwise the entry is lost, and counted, or belongs to
// the caller because the queue was closed.
func (q *queue) waitLocked(w *roomWaiter) error {
	wake(q.wakeWriter)
	class := classOf[w.level]
	if q.floor < class {
		q.floor = class // from here on nobody below fills the open chunk unasked
	}
	if q.maxWait > 0 && !q.stalled && (class >= q.noWait || q.mayTryLocked(class)) {
		w.done, w.writing, w.writes = make(chan struct{}), q.writing, q.writes
		q.waiters = append(q.waiters, w)
		if w.inTurn {
			q.inLine[class]++
		}
		q.mu.Unlock()
		t := time.NewTimer(q.maxWait)
		select {
		case <-w.done:
		case <-t.C:
		}
		t.Stop()
		q.mu.Lock()
		switch {
		case w.served:
			if class < q.noWait {
				q.noWait = class // it is of use again
			}
			return nil
		case !isClosed(w.done): // else it was sent away
			q.leaveLineLocked(w)
			if w.writing && q.writing && q.writes == w.writes {
				// All that time the disk was at one and the same write: the next
				// callers need not try. (If it was not, then the machine is busy,
				// and the fallback writer only waits for its turn.)
				q.stalled = true
				q.dismissLocked()
			}
			if class < classImportant {
				q.giveUpWaitingLocked(class)
			}
		}
	}
	if q.closed {
		return errQueueClosed
	}
	return q.loseLocked(w.level)
}

// leaveLineLocked takes w out of the waiters.
func (q *queue) leaveLineLocked(w *roomWaiter) {
	for i := range q.waiters {
		if q.waiters[i] == w {
			q.waiters = append(q.waiters[:i], q.waiters[i+1:]...)
			if w.inTurn {
				q.inLine[classOf[w.level]]--
			}
			return
		}
	}
}

// serveLocked gives the room that there is to those who wait for it: Warn and above
// before Info, Info before Debug, and of these first come first served, except that
// one who wants a lot of room holds up nobody else.
func (q *queue) serveLocked() {
	if q.limit-q.used >= q.low {
		q.noWait = 0
	}
	if len(q.waiters) == 0 {
		return
	}
	full := false
	for n := levelClass(1); n <= classes; n++ {
		class := classes - n
		for _, w := range q.waiters {
			if classOf[w.level] != class {
				continue
			}
			if full || !w.place() {
				full = full || w.inTurn
				continue
			}
			w.served = true
			close(w.done)
			if w.inTurn {
				q.inLine[class]--
			}
		}
	}
	left := q.waiters[:0]
	for _, w := range q.waiters {
		if !w.served {
			left = append(left, w)
		}
	}
	q.setWaitersLocked(left)
}

// dismissLocked sends all waiters away.
func (q *queue) dismissLocked() {
	for _, w := range q.waiters {
		close(w.done)
	}
	q.inLine = [classes]int{}
	q.setWaitersLocked(q.waiters[:0])
}

// setWaitersLocked keeps left, a prefix of the same array, and lets go of the
// rest.
func (q *queue) setWaitersLocked(left []*roomWaiter) {
	for i := len(left); i < len(q.waiters); i++ {
		q.waiters[i] = nil
	}
	q.waiters = left
}

// freeLocked takes the chunk's memory back. Whoever calls it serves the waiters
// when the queue is in order again.
func (q *queue) freeLocked(c *chunk) {
	mem := c.mem
	c.mem = nil
	if q.onFree != nil {
		q.onFree(mem.text)
	}
	q.used -= mem.cost() + c.extra
	if c.extra != 0 {
		*q.shareOf(c) -= mem.cost() + c.extra
		if c.stuck {
			q.stuckChunks--
		}
		for i := range q.atClient {
			if q.atClient[i] == c {
				last := len(q.atClient) - 1
				copy(q.atClient[i:], q.atClient[i+1:])
				q.atClient[last] = nil
				q.atClient = q.atClient[:last]
				break
			}
		}
		q.clients--
		q.landedLocked()
		c.extra = 0
		if q.clients == 0 {
			q.silent = false // nobody is silent who was not asked
		}
	}
	if !q.ended && len(mem.text) == arenaBytes && cap(mem.ends) == q.chunkRecords && q.used+q.spare+mem.cost() <= q.limit {
		mem.reset()
		q.spares = append(q.spares, mem)
		q.spare += mem.cost()
	} else {
		q.alloc.release(mem.text)
	}
}

// trimLocked gives spare memory back that was not needed for a while: what was
// spare all along since the last time. It returns how long until it wants to be
// called again, 0 for never.
func (q *queue) trimLocked(now time.Time) time.Duration {
	if len(q.spares) <= keepSpares {
		q.nextTrim = time.Time{}
		return 0
	}
	if q.nextTrim.IsZero() {
		q.spareLow, q.nextTrim = len(q.spares), now.Add(trimInterval)
	}
	if left := q.nextTrim.Sub(now); left > 0 {
		return left
	}
	// A few at a time: each is a system call under the lock.
	for n := 0; n < trimAtOnce && q.spareLow > keepSpares; n++ {
		left := q.spareLow - 1
		q.dropSpareLocked()
		q.spareLow = left
	}
	if q.spareLow > keepSpares {
		return trimPause
	}
	q.spareLow, q.nextTrim = len(q.spares), now.Add(trimInterval)
	if len(q.spares) <= keepSpares {
		return 0
	}
	return trimInterval
}

// chunkSettledLocked notes that every entry of c has its outcome.
func (q *queue) chunkSettledLocked(c *chunk) {
	c.settled = true
	// Also from behind others: one record that waits for its deadline would keep the
	// records of all chunks behind it, which nobody counts any more.
	for i := range q.order {
		if q.order[i] == c {
			last := len(q.order) - 1
			copy(q.order[i:], q.order[i+1:])
			q.order[last] = nil // it would keep the chunk
			q.order = q.order[:last]
			break
		}
	}
	q.notifySettledLocked()
}

func (q *queue) chunkSettled(c *chunk) {
	now := time.Now()
	inKafka, bytes, fellBackBytes := c.delivered()
	q.mu.Lock()
	q.noteDeliveredLocked(c, now, inKafka, bytes, fellBackBytes)
	q.chunkSettledLocked(c)
	q.mu.Unlock()
}

// chunkReleased takes back the memory of a chunk that was with the producer.
func (q *queue) chunkReleased(c *chunk) {
	q.mu.Lock()
	if c.mem != nil {
		c.state = chunkDone
		q.freeLocked(c)
		q.serveLocked()
	}
	q.mu.Unlock()
	wake(q.wakeSender) // there is room in the producer's share
}

// recordsFailed puts c on the fallback writer's list.
func (q *queue) recordsFailed(c *chunk) {
	c.mixed.Store(true)
	if !c.listed.CompareAndSwap(false, true) {
		return
	}
	q.mu.Lock()
	q.failed = append(q.failed, c)
	q.mu.Unlock()
	wake(q.wakeWriter)
}

// settledUpToLocked is the number up to which every entry has its outcome.
// (Entries that were lost at once have numbers too, and belong to no chunk.)
func (q *queue) settledUpToLocked() uint64 {
	upTo := q.accepted
	if q.open != nil {
		upTo = q.open.first - 1
	}
	for _, c := range q.order {
		// Not always the first: an oversize entry stands before the chunk that
		// was open when it came.
		if !c.settled && c.first <= upTo {
			upTo = c.first - 1
		}
	}
	return upTo
}

func (q *queue) notifySettledLocked() {
	if len(q.syncWaits) == 0 {
		return
	}
	upTo := q.settledUpToLocked()
	left := q.syncWaits[:0]
	for _, w := range q.syncWaits {
		if w.upTo <= upTo {
			close(w.done)
		} else {
			left = append(left, w)
		}
	}
	for i := len(left); i < len(q.syncWaits); i++ {
		q.syncWaits[i] = nil
	}
	q.syncWaits = left
}

// wake puts a signal into a channel with room for one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
