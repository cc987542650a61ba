package zapkafka

import (
	"errors"
	"time"
)

// This file is what the queue drops by level: see Stats.Shed.
//
// What is below Options.FallbackLevel is dropped where it would go to the fallback.
//
// In an overload, when memory is full and the fallback does not keep up, Debug goes
// first, then Info, so that Warn and above find room. For that, memory is full for
// Info a little earlier than for Warn, and for Debug a little earlier than for Info:
// headroom is left free each time. Who finds no room waits for it as anybody does,
// and those of higher levels are served first; as long as the fallback keeps up
// everybody is served, and nothing is dropped. Once one has waited in vain, his level
// and those below do not wait until there is room again, or one of them, who tries it
// now and then, is served.

// levelClass is levels that are treated alike when room is scarce.
type levelClass uint8

const (
	classDebug     levelClass = iota
	classInfo                 // and what has no place of its own below
	classImportant            // Warn and above, and entries of which no level is known
	classes
)

// classOf is the class of each level.
var classOf = [levelRanks]levelClass{
	0: classImportant, 1: classDebug, 2: classInfo,
	3: classImportant, 4: classImportant, 5: classImportant, 6: classImportant, 7: classImportant,
}

// errShed is put's answer for an entry that was shed; it never leaves the package.
var errShed = errors.New("zapkafka: the entry was shed")

// errShedding is the report when that begins.
var errShedding = errors.New("zapkafka: entries are being shed for their level (see Stats)")

// roomPerClass is the headroom of a queue: a thirty-second of the bound, but so much
// that one class's last chunk does not take the room of the next, and so little that
// any class finds room for a chunk when all but one is spilled.
func (q *queue) roomPerClass() int64 {
	room := q.limit / 32
	one := q.chunkRoom()
	if room < one {
		room = one
	}
	if most := (q.largest - one) / int64(classes-1); room > most {
		room = most
	}
	if room < 0 {
		room = 0
	}
	return room
}

// chunkRoom is what a chunk needs whose entries have times.
func (q *queue) chunkRoom() int64 { return q.chunkCost() + timeSize*int64(q.chunkRecords) }

// keepFor is how much of the bound an entry of this level must leave free. cost is that
// of a large one, which has memory of its own.
func (q *queue) keepFor(r levelRank, cost int64) int64 {
	head := int64(classImportant-classOf[r]) * q.headroom
	if most := q.largest - cost; cost > 0 && head > most {
		if head = most; head < 0 {
			head = 0
		}
	}
	return q.reserve + head
}

// floorLocked is the lowest class that may fill memory which is charged already.
func (q *queue) floorLocked() levelClass {
	for class := classDebug; class < classImportant; class++ {
		if q.used <= q.limit-q.reserve-int64(classImportant-class)*q.headroom {
			return class
		}
	}
	return classImportant
}

// aheadLocked reports whether someone waits whose turn is before that of a newcomer of
// this class.
func (q *queue) aheadLocked(class levelClass) bool {
	for ; class < classes; class++ {
		if q.inLine[class] > 0 {
			return true
		}
	}
	return false
}

const (
	// noWaitLeast is how long those do not wait who have waited in vain, at least, and
	// noWaitWaits times MaxWait: a goroutine that is the one to try spends a small part
	// of its time on it.
	noWaitLeast = time.Second
	noWaitWaits = 10
)

// giveUpWaitingLocked makes a class and those below not wait: one of it has waited in
// vain.
func (q *queue) giveUpWaitingLocked(class levelClass) {
	if q.noWait <= class {
		q.noWait = class + 1
	}
	pause := noWaitWaits * q.maxWait
	if pause < noWaitLeast {
		pause = noWaitLeast
	}
	for until := time.Now().Add(pause); ; class-- {
		q.noWaitUntil[class] = until
		if class == 0 {
			return
		}
	}
}

// mayTryLocked reports whether one of a class that does not wait is to try whether that
// is of use again. Those who do not wait use what room there is at once, so that it may
// never be enough to call them back: after one pause of the disk they would be shed
// until they log less.
func (q *queue) mayTryLocked(class levelClass) bool {
	return q.inLine[class] == 0 && !time.Now().Before(q.noWaitUntil[class])
}

// countShed counts entries that are dropped for their level.
func (q *queue) countShed(n *rankCounts) {
	if n.total() > 0 {
		q.counters.shed.add(n)
		wake(q.wakeShed)
	}
}

// shedLocked counts an entry, accepted already, for which there was no room.
func (q *queue) shedLocked(r levelRank) error {
	q.counters.shed[r].Add(1)
	wake(q.wakeShed)
	if q.health.state == Healthy {
		wake(q.wakeHealth)
	}
	return errShed
}

// rankSet says of each level whether it is in the set.
type rankSet [levelRanks]bool

// forFallback is the levels that go to the fallback at the moment.
func (q *queue) forFallback() rankSet {
	var kept rankSet
	for r := range kept {
		kept[r] = r == 0 || q.fallbackLevel == nil || q.fallbackLevel.Enabled(levelRank(r).level())
	}
	return kept
}

// split divides n into the levels of the set and the others.
func (in *rankSet) split(n *rankCounts) (inside, others *rankCounts) {
	inside, others = new(rankCounts), new(rankCounts)
	for r, k := range n {
		if in[r] {
			inside[r] = k
		} else {
			others[r] = k
		}
	}
	return inside, others
}

// hasAll reports whether every entry of c is of the set.
func (in *rankSet) hasAll(c *chunk) bool {
	for r, n := range c.ranks {
		if n > 0 && !in[r] {
			return false
		}
	}
	return true
}

// keptBytes is the length of those of n entries of c, from entry i on, that are of the
// set.
func (c *chunk) keptBytes(i, n int, kept *rankSet) uint64 {
	if kept.hasAll(c) {
		return uint64(c.bytesOf(i+n) - c.bytesOf(i))
	}
	bytes := 0
	for k := i; k < i+n; k++ {
		if kept[c.mem.ranks[k]] {
			bytes += c.bytesOf(k+1) - c.bytesOf(k)
		}
	}
	return uint64(bytes)
}

// dropLocked counts n entries of c, from entry i on, that are in nobody's hands any
// more: those that the fallback does not want are shed, the others lost. It returns
// how many are lost.
func (q *queue) dropLocked(c *chunk, i, n int, why lostReason, kept *rankSet) uint64 {
	gone, shed := kept.split(c.count(i, n))
	q.countShed(shed)
	q.counters.addLost(why, gone)
	if kept.hasAll(c) {
		q.lastResort.takeAll(n, func(k int) []byte { return c.line(i + k) })
		return uint64(n)
	}
	var those []int
	for k := i; k < i+n; k++ {
		if kept[c.mem.ranks[k]] {
			those = append(those, k)
		}
	}
	q.lastResort.takeAll(len(those), func(k int) []byte { return c.line(those[k]) })
	return uint64(len(those))
}

// shedRecords gives those records of c that are the fallback's, but not wanted there,
// their outcome.
func (c *chunk) shedRecords(kept rankSet) {
	if kept.hasAll(c) {
		return
	}
	var n rankCounts
	for i := range c.records {
		r := &c.records[i]
		if !kept[r.level] && r.state.Load()&outcomeBits == theFallbacks && settleRecord(r, shed) {
			n[r.level]++
		}
	}
	c.q.countShed(&n)
	if sum := n.total(); sum > 0 {
		c.finish(sum, sum)
	}
}
