package zapkafka

import (
	"errors"
	"sync/atomic"
)

// The state of a record: whose it is (its outcome), why it went to the
// fallback, and whether the client still holds it. One word, so that outcome
// and hold change in one step:
//
//	undecided --Done(nil)--------------------------> acked
//	undecided --Done(err) or given up--> theFallbacks --written--> fellBack
//	    ^                                             --failed---> lost
//	    +---- failed, given up for a Sync, still held ----+
//	                                      theFallbacks --below FallbackLevel--> shed
//
// acked, fellBack, lost and shed are final. The hold ends with the first Done,
// whatever the state is by then; if that brings an acknowledgement of what was given
// up before, lateBit says so.
const (
	undecided    uint32 = iota
	acked               // Kafka has it
	theFallbacks        // decided, not yet written
	fellBack            // on file
	lost                // the fallback could not take it
	shed                // the fallback does not want its level

	outcomeBits uint32 = 0x0f
	heldBit     uint32 = 0x10
	lateBit     uint32 = 0x20
	reasonShift        = 8
)

// reason is why an entry went to the fallback.
type reason uint32

const (
	reasonQueueFull reason = iota
	reasonFailed           // the producer reported an error
	reasonDeadline         // DeliveryTimeout passed
	reasonSync             // a Sync did not get an acknowledgement in time
	reasonTooLarge         // over MaxEntryBytes: in the rejected file
	reasonOutage           // Kafka acknowledges nothing at all
	reasonClosed           // Shutdown, or logged after it
	reasonPartition        // its partition takes nothing while others do; never with the client
	reasons                // how many there are
)

// unsettledOne is one entry without an outcome, as counted in chunk.counts.
const unsettledOne = 1 << 32

// recordDone implements recordOwner: the client lets go of r. It runs on the
// client's goroutine and does no I/O: what failed is put on a list for the
// fallback writer.
func (c *chunk) recordDone(r *Record, err error) {
	for {
		s := r.state.Load()
		if s&heldBit == 0 {
			c.q.counters.repeated.Add(1)
			return
		}
		switch {
		case s&outcomeBits != undecided:
			// Given up earlier. The outcome stands; the memory is free of the
			// client from here on.
			late := uint32(0)
			if err == nil {
				late = lateBit
			}
			if !r.state.CompareAndSwap(s, s&^heldBit|late) {
				continue
			}
			switch {
			case err == nil:
				c.q.counters.lateAcked.Add(1)
				c.q.acknowledged()
			case errors.Is(err, ErrRejected):
				c.q.counters.refused.Add(1) // the replay wants to know
				fallthrough
			default:
				c.q.counters.lateFailed.Add(1)
			}
			c.finish(0, 1)
		case err == nil:
			if !r.state.CompareAndSwap(s, acked) {
				continue
			}
			c.q.counters.acked[r.level].Add(1)
			c.q.acknowledged()
			c.finish(1, 1)
		default:
			// The hold becomes the reason "not yet written": the count does not
			// change. The fallback writer may see the record at once, by way of
			// an earlier entry in the list, and be done with the chunk before
			// the next line: then the list gets a chunk with nothing to do.
			if errors.Is(err, ErrRejected) {
				c.q.counters.refused.Add(1)
			}
			failure := err // a copy, or err would be on the heap for every Done
			c.lastErr.Store(&failure)
			if !r.state.CompareAndSwap(s, theFallbacks|uint32(reasonFailed)<<reasonShift) {
				continue
			}
			c.q.recordsFailed(c)
		}
		return
	}
}

// giveUp makes the fallback the owner of every undecided record and leaves the
// client's hold as it is. Called by the fallback writer alone.
func (c *chunk) giveUp(why reason) {
	c.mixed.Store(true)
	for i := range c.records {
		r := &c.records[i]
		s := r.state.Load()
		if s&outcomeBits != undecided {
			continue
		}
		// Counted before it is visible: a Done that comes between the two must
		// not see the last reason go and free the memory.
		c.counts.Add(1)
		if !r.state.CompareAndSwap(s, s&heldBit|theFallbacks|uint32(why)<<reasonShift) {
			// Done came first.
			c.finish(0, 1)
		}
	}
}

// settleRecord gives r, which is the fallback's, its final outcome. It reports
// false if someone else did.
func settleRecord(r *Record, outcome uint32) bool {
	for {
		s := r.state.Load()
		if s&outcomeBits != theFallbacks {
			return false
		}
		if r.state.CompareAndSwap(s, s&^outcomeBits|outcome) {
			return true
		}
	}
}

// takeBack undoes the giving up of r for a Sync: it could not be written, and the
// client, which still holds it, may yet deliver it.
func takeBack(r *Record) bool {
	s := r.state.Load()
	return s == heldBit|theFallbacks|uint32(reasonSync)<<reasonShift && r.state.CompareAndSwap(s, heldBit)
}

// inKafka reports whether Kafka has acknowledged a record in that state, late or not.
func inKafka(state uint32) bool { return state == acked || state&lateBit != 0 }

func reasonOf(r *Record) reason { return reason(r.state.Load() >> reasonShift) }

// finish counts down: unsettled entries which now have an outcome, refs reasons
// to keep the memory which are gone. Outcomes are in the counters before it is
// called, so that whoever sees the chunk settled sees them counted.
func (c *chunk) finish(unsettled, refs uint64) {
	left := c.counts.Add(-(unsettled*unsettledOne + refs))
	if unsettled > 0 && left/unsettledOne == 0 {
		c.q.chunkSettled(c)
	}
	if uint32(left) == 0 {
		c.q.chunkReleased(c)
	}
}

// counters are the outcomes, each entry in exactly one of acked, fellBack, shed
// and lost. They only grow.
type counters struct {
	// acked is added to for each record, by the client's goroutines: by level alone,
	// so that it is one number for each.
	acked    rankCounters
	fellBack [reasons]atomic.Uint64
	shed     rankCounters
	lost     [lostReasons]atomic.Uint64
	// The same entries as in fellBack and lost, by level.
	fellBackBy rankCounters
	lostBy     rankCounters

	possiblyDuplicate atomic.Uint64
	lateAcked         atomic.Uint64
	lateFailed        atomic.Uint64
	repeated          atomic.Uint64
	replayAcked       atomic.Uint64
	refused           atomic.Uint64 // records that Kafka will never take, replayed or not
	cut               atomic.Uint64
}

// addFellBack counts entries that are on file.
func (c *counters) addFellBack(why reason, n *rankCounts) {
	if sum := n.total(); sum > 0 {
		c.fellBack[why].Add(sum)
		c.fellBackBy.add(n)
	}
}

// addLost counts entries that are nowhere.
func (c *counters) addLost(why lostReason, n *rankCounts) {
	if sum := n.total(); sum > 0 {
		c.lost[why].Add(sum)
		c.lostBy.add(n)
	}
}

// one is a single entry.
func one(r levelRank) *rankCounts {
	var n rankCounts
	n[r] = 1
	return &n
}

// lostReason is why an entry is nowhere.
type lostReason int

const (
	lostNoRoom         lostReason = iota // queue full, and the disk could not keep up
	lostFallbackFailed                   // the fallback's write failed
	lostFallbackFull                     // the fallback's cap is reached
	lostFallbackStuck                    // a write did not return before the end of Shutdown
	lostReasons
)
