package zapkafka

import "time"

// This file is the far side of the queue: how the sender and the fallback
// writer take chunks out of it. Both race for the chunks that wait; the lock
// decides.

// never is the wait of a goroutine that has nothing to wait for but a signal.
const never time.Duration = -1

// sooner is the shorter of two waits.
func sooner(a, b time.Duration) time.Duration {
	if a == never || (b != never && b < a) {
		return b
	}
	return a
}

// takeForProducer returns the oldest waiting chunk if the producer may have
// another, claimed for the sender and charged. Otherwise it says how long the
// sender shall wait for a signal before it asks again.
func (q *queue) takeForProducer(now time.Time) (*chunk, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait := never
	if left := q.trimLocked(now); left > 0 {
		wait = left
	}
	if len(q.waiting) == 0 && q.open != nil {
		if left := q.lingerLocked(now); left > 0 {
			return nil, sooner(wait, left)
		}
		q.sealLocked()
	}
	if len(q.waiting) == 0 {
		return nil, wait
	}
	if q.health.state == FallbackOnly {
		if may, left := q.mayProbeLocked(now, false); !may {
			return nil, sooner(wait, left)
		}
	}
	c := q.waiting[0]
	cost := q.clientCost(c)
	extra := cost - c.mem.cost()
	if q.clients > 0 && q.inClient+cost > q.share || q.replay.used > q.replay.aside && q.inClient+cost > q.clientMost {
		// chunkReleased gives the signal, or releaseReplay, or the sender finds that
		// a partition holds all of it.
		q.refused = true
		return nil, sooner(wait, lookEvery)
	}
	if !q.chargeLocked(extra, 0) {
		// Only with chunks at the producer: without them the reserve is whole.
		q.refused = true
		return nil, sooner(wait, lookEvery)
	}
	q.handedLocked(now)
	c.extra, c.handed = extra, now
	q.inClient += cost
	q.clients++
	q.atClient = append(q.atClient, c)
	c.state = chunkClaimed
	q.popWaitingLocked(c)
	return c, 0
}

// clientCost is what a waiting chunk costs while it is with the producer.
func (q *queue) clientCost(c *chunk) int64 {
	cost := c.mem.cost() + q.extraCost(c.entries()-c.from, c.used)
	if q.instance != 0 {
		// Beside an id, the entries' own headers stand a second time.
		cost += int64(len(c.mem.headers)) * headerSize
	}
	return cost
}

// lingerLocked is how long the open chunk may still wait for more entries.
func (q *queue) lingerLocked(now time.Time) time.Duration {
	if q.flushUpTo >= q.open.first || q.linger <= 0 {
		return 0
	}
	shift := (q.clients - q.stuckChunks) / lingerStep
	if shift > maxLingerShift {
		shift = maxLingerShift
	}
	linger := q.linger << shift
	if most := q.delivery / 4; linger > most {
		linger = most
	}
	left := q.open.opened.Add(linger).Sub(now)
	if left < 0 {
		return 0
	}
	return left
}

// popWaitingLocked takes c out of waiting.
func (q *queue) popWaitingLocked(c *chunk) {
	for i := range q.waiting {
		if q.waiting[i] == c {
			copy(q.waiting[i:], q.waiting[i+1:])
			q.waiting[len(q.waiting)-1] = nil
			q.waiting = q.waiting[:len(q.waiting)-1]
			return
		}
	}
}

// makeRecords builds the records of a claimed chunk. They point into its
// memory.
func (c *chunk) makeRecords(topic string) {
	n := c.entries()
	records := make([]Record, n-c.from)
	for i := range records {
		r := &records[i]
		line := c.line(c.from + i)
		r.Topic = topic
		r.Value = line[: len(line)-1 : len(line)-1]
		r.Time = c.timeOf(c.from + i)
		r.level = c.mem.ranks[c.from+i]
		if d := c.detail(c.from + i); d != nil {
			r.Key = d.key
			r.Headers = c.headersOf(d)
			if d.topic != "" {
				r.Topic = d.topic
			}
		}
		r.owner = c
		r.state.Store(undecided | heldBit)
	}
	if c.q.instance != 0 {
		c.addIDs(records)
	}
	c.counts.Store(uint64(len(records))*unsettledOne + uint64(len(records)))
	c.records = records
}

// publish ends the claim: from here on the fallback writer may give up the
// chunk's records. It is told each time, because it may have looked while the
// chunk was claimed and passed it over, deadline and all.
func (q *queue) publish(c *chunk) {
	q.mu.Lock()
	c.state = chunkClient
	q.handedOverLocked(c)
	q.mu.Unlock()
	wake(q.wakeWriter)
}

// takeNudge reports whether someone waits for what is with the producer, who
// then need not wait for fuller batches.
func (q *queue) takeNudge() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	nudge := q.nudge
	q.nudge = false
	return nudge
}

// job is what the fallback writer gets to do.
type job struct {
	c   *chunk
	why reason
}

// takeForFallback returns the next piece of work for the fallback writer, or
// how long it shall wait for a signal before it asks again.
//
// A chunk with the producer stays where it is: its records are given up, if the
// reason is such, and written one by one. A chunk that waits is taken whole.
func (q *queue) takeForFallback(now time.Time) (job, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	trim := never
	if left := q.trimLocked(now); left > 0 {
		trim = left // the sender may be inside Produce for long
	}

	if q.open != nil && (q.giveUpUpTo >= q.open.first || q.overdue(q.open, now) <= 0) {
		q.sealLocked()
	}
	wait := never
	for _, c := range q.order {
		if c.settled || c.givenUp || c.oversize > 0 || c.state == chunkClaimed || c.state == chunkWriting {
			continue
		}
		why := q.giveUpWhy
		if q.giveUpUpTo < c.first {
			why = reasonDeadline
			if left := q.overdue(c, now); left > 0 {
				wait = left // the oldest; the others come later
				break
			}
		}
		if c.state == chunkWaiting {
			q.takeWholeLocked(c)
		} else {
			c.givenUp = true
		}
		return job{c, why}, 0
	}

	if len(q.rejects) > 0 {
		c := q.rejects[0]
		q.rejects[0] = nil
		q.rejects = q.rejects[1:]
		c.state = chunkWriting
		return job{c, reasonTooLarge}, 0
	}

	if len(q.failed) > 0 {
		c := q.failed[0]
		q.failed[0] = nil
		q.failed = q.failed[1:]
		// Taken off before it is looked through: what fails during the look puts
		// it on again.
		c.listed.Store(false)
		return job{c, reasonFailed}, 0
	}

	if q.health.state == FallbackOnly {
		c, left := q.chunkInOutageLocked(now)
		if c != nil {
			q.takeWholeLocked(c)
			return job{c, reasonOutage}, 0
		}
		wait = sooner(wait, left)
	}
	if len(q.waiting) > 0 && (q.limit-q.used < q.low || len(q.waiters) > 0) {
		// A fallback that fails is tried again now and then; until it works
		// Kafka may still take what waits.
		if left := q.failingUntil.Sub(now); q.failing && left > 0 {
			return job{}, sooner(wait, left)
		}
		c := q.waiting[0]
		q.takeWholeLocked(c)
		return job{c, reasonQueueFull}, 0
	}
	if q.open != nil {
		wait = sooner(wait, q.overdue(q.open, now))
	}
	return job{}, sooner(wait, trim)
}

// chunkInOutageLocked returns the oldest chunk that need not wait for Kafka in an
// outage, or how long until there may be one. The next probe is left alone.
func (q *queue) chunkInOutageLocked(now time.Time) (*chunk, time.Duration) {
	wait := never
	if q.open != nil {
		if wait = q.lingerLocked(now); wait == 0 {
			q.sealLocked()
			wait = never
		}
	}
	first := 0
	if may, _ := q.mayProbeLocked(now, false); may {
		first = 1
	}
	if len(q.waiting) <= first {
		return nil, wait
	}
	if left := q.failingUntil.Sub(now); q.failing && left > 0 {
		return nil, sooner(wait, left)
	}
	return q.waiting[first], wait
}

func (q *queue) takeWholeLocked(c *chunk) {
	c.state = chunkWriting
	q.popWaitingLocked(c)
}

// overdue is how long it is until the delivery deadline of c's first entry.
func (q *queue) overdue(c *chunk, now time.Time) time.Duration {
	return c.opened.Add(q.delivery).Sub(now)
}

// wroteWhole ends the writing of a chunk that was taken whole: n of its entries
// (after c.from) are on file, or shed if they are not of the levels that are kept. The
// rest are lost only if Kafka must not get them any more; otherwise they wait again,
// for Kafka or for a better day.
func (q *queue) wroteWhole(c *chunk, n int, why reason, failed lostReason, kept *rankSet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer wake(q.wakeSender) // there may be room to hand over
	defer q.serveLocked()
	if c.state != chunkWriting {
		// Abandoned: counted lost while the write did not return. Its memory can
		// go now.
		q.freeLocked(c)
		return
	}
	left := c.entries() - c.from - n
	onFile, dropped := kept.split(c.count(c.from, n))
	q.counters.addFellBack(why, onFile)
	q.countShed(dropped)
	q.measures.fellBackBytes += c.keptBytes(c.from, n, kept)
	if left > 0 && (why == reasonQueueFull || why == reasonSync || why == reasonOutage) {
		if why == reasonSync {
			q.cancelSyncLocked()
		}
		c.from += n
		c.state = chunkWaiting
		q.waiting = append(q.waiting, nil)
		copy(q.waiting[1:], q.waiting)
		q.waiting[0] = c
		return
	}
	q.dropLocked(c, c.from+n, left, failed, kept)
	c.state = chunkDone
	q.chunkSettledLocked(c)
	q.freeLocked(c)
}

// tookBack notes that records of c, which had been given up, are undecided again.
func (q *queue) tookBack(c *chunk) {
	q.mu.Lock()
	c.givenUp = false // their deadline still holds
	q.cancelSyncLocked()
	q.mu.Unlock()
}

// cancelSyncLocked takes back the order of a Sync that cannot be carried out.
func (q *queue) cancelSyncLocked() {
	if q.giveUpWhy == reasonSync {
		q.giveUpUpTo = 0
	}
}

// failingRetry is how long a fallback that failed is left in peace by spilling.
const failingRetry = time.Second

// diskAsked notes that a write of the fallback begins.
func (q *queue) diskAsked() {
	q.mu.Lock()
	q.writing = true
	q.mu.Unlock()
}

// diskAnswered notes how a write of the fallback ended. A small entry that still
// goes into the rejected file does not mean that a chunk would fit again.
func (q *queue) diskAnswered(err error, rejected bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = false
	q.writes++
	if err != nil {
		q.failing, q.failingUntil, q.failingWhy = true, time.Now().Add(failingRetry), lostTo(err)
		q.stalled = true
		q.dismissLocked() // nobody waits for a disk that fails
		return
	}
	q.stalled = false
	if !rejected {
		q.failing = false
	}
}

// answers is how many times Kafka has acknowledged something.
func (q *queue) answers() uint64 {
	return q.counters.acked.total() + q.counters.lateAcked.Load() + q.counters.replayAcked.Load()
}

// kafkaSilentLocked reports whether a Sync has waited for Kafka in vain and
// nothing has changed since: records are with the producer, and not one was
// acknowledged.
func (q *queue) kafkaSilentLocked() bool {
	return q.silent && q.clients > 0 && q.answers() == q.silentAnswers
}

// flush makes everything accepted so far go to the producer without lingering.
// It returns the number of the last entry, a wait that is over when all of it
// has its outcome, and whether it is any use to wait for Kafka.
func (q *queue) flush() (w *settledWait, hopeless bool, answers uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w = &settledWait{upTo: q.accepted, done: make(chan struct{})}
	if q.settledUpToLocked() >= w.upTo {
		close(w.done)
		return w, false, 0
	}
	q.syncWaits = append(q.syncWaits, w)
	if q.flushUpTo < w.upTo {
		q.flushUpTo = w.upTo
	}
	q.nudge = true
	wake(q.wakeSender)
	return w, q.kafkaSilentLocked() || q.health.state == FallbackOnly, q.answers()
}

// forget takes back a wait that has not come to its end.
func (q *queue) forget(w *settledWait) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.syncWaits {
		if q.syncWaits[i] == w {
			last := len(q.syncWaits) - 1
			q.syncWaits[i] = q.syncWaits[last]
			q.syncWaits[last] = nil
			q.syncWaits = q.syncWaits[:last]
			return
		}
	}
}

// giveUp tells the fallback writer to take over everything up to a number. For a
// Sync it does not ask a fallback that has just failed: Kafka may still take it.
// answers is what flush returned: if Kafka has answered nothing since, the next
// Sync will not wait for it.
func (q *queue) giveUp(upTo uint64, why reason, answers uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.clients > 0 && q.answers() == answers {
		q.silent, q.silentAnswers = true, answers
	}
	if why != reasonClosed && q.failing && time.Now().Before(q.failingUntil) {
		return false
	}
	// The order of Shutdown is the last word: no Sync changes it any more.
	if why == reasonClosed || q.giveUpWhy != reasonClosed && q.giveUpUpTo < upTo {
		q.giveUpWhy = why
	}
	if q.giveUpUpTo < upTo {
		q.giveUpUpTo = upTo
	}
	wake(q.wakeWriter)
	return true
}

// unsettledUpTo counts the entries up to a number that have no outcome.
func (q *queue) unsettledUpTo(upTo uint64) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unsettledUpToLocked(upTo)
}

func (q *queue) unsettledUpToLocked(upTo uint64) uint64 {
	n := uint64(0)
	for _, c := range q.order {
		if c.first <= upTo {
			n += q.unsettledLocked(c)
		}
	}
	if q.open != nil && q.open.first <= upTo {
		n += uint64(q.open.entries())
	}
	return n
}

// unsettledLocked counts the entries of c that have no outcome.
func (q *queue) unsettledLocked(c *chunk) uint64 {
	switch {
	case c.settled || c.mem == nil:
		return 0
	case c.state == chunkClient:
		return c.counts.Load() / unsettledOne
	default:
		return uint64(c.entries() - c.from)
	}
}

// close ends intake: put fails from here on. Everything accepted goes to the
// producer without lingering.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.flushUpTo = q.accepted
	if q.open != nil {
		q.sealLocked()
	}
	q.dismissLocked()
	wake(q.wakeSender)
}

// abandon counts as lost, or shed, whatever has no outcome: a write did not return in
// time. The sender must have ended or be inside Produce. It returns how many
// entries are lost.
func (q *queue) abandon() uint64 {
	kept := q.forFallback() // asks the user's code: not under the lock
	q.mu.Lock()
	defer q.mu.Unlock()
	n := uint64(0)
	q.rejects, q.failed = nil, nil // a writer that returns shall not begin anew
	for _, c := range append([]*chunk(nil), q.order...) {
		switch {
		case c.settled || c.mem == nil: // the latter for a moment only, then the former
		case c.state == chunkClient:
			// The fallback writer may be inside a write with some of these. Who
			// changes the state of a record first has decided its outcome.
			c.q.mu.Unlock()
			n += c.abandonRecords(&kept)
			c.q.mu.Lock()
		default:
			left := uint64(c.entries() - c.from)
			n += q.dropLocked(c, c.from, int(left), lostFallbackStuck, &kept)
			written := c.state == chunkWriting
			if c.state == chunkWaiting {
				q.popWaitingLocked(c)
			}
			c.state = chunkDone
			q.chunkSettledLocked(c)
			if !written {
				q.freeLocked(c) // else wroteWhole does it, if the write ever returns
			}
		}
	}
	return n
}

// abandonRecords counts every record of c without an outcome as lost, or as shed if the
// fallback would not have wanted it. It returns how many are lost.
func (c *chunk) abandonRecords(kept *rankSet) uint64 {
	n := uint64(0)
	c.mixed.Store(true)
	// The memory stays until we are through: a Done may come in between, and be
	// the last.
	c.counts.Add(1)
	defer c.finish(0, 1)
	for i := range c.records {
		r := &c.records[i]
		// One that is the fallback's keeps the memory: it may be inside the write
		// that hangs. One that is undecided goes with its Done.
		outcome := lost
		if !kept[r.level] {
			outcome = shed
		}
		if s := r.state.Load(); s == heldBit && r.state.CompareAndSwap(s, heldBit|outcome) || settleRecord(r, outcome) {
			if outcome == shed {
				c.q.countShed(one(r.level))
			} else {
				c.q.counters.addLost(lostFallbackStuck, one(r.level))
				c.q.lastResort.take(r.Value)
				n++
			}
			c.finish(1, 0)
		}
	}
	return n
}
