package zapkafka

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// This file keeps a partition that takes nothing from stopping the others.
//
// Entries without a key are led around it by the client. Those with a key have to
// wait for it, and nearly every chunk has some: the memory of a chunk comes free
// when its last record is done, so soon chunks of which most is done would fill what
// may be with the producer, and nothing more would go to anybody.
//
// So once half of that memory is used, the sender looks through the chunks in it
// ten times a second. What the client needed for records that are done is given
// back. When all of it is used all the same, and the producer says where keys go, those
// partitions that hold the rest and do not move are sick: a slow one that moves is
// not, and as long as there is room nobody is. From then on records for these are not
// handed over: they go
// to the fallback at once, but for one a second, which finds out whether the
// partition has come back. Chunks of which nothing is held but records for sick
// partitions no longer count towards the producer's share, so that the others have
// room to go on in. What is in the fallback is replayed, as ever, when its partition
// is well.

const (
	// lookEvery is how often chunks are looked through, at most; with a large bound a
	// look takes a while, and lookPart times that is the least between two, but not
	// more than lookAtLeast: on a busy machine it is the machine that takes it.
	lookEvery   = 100 * time.Millisecond
	lookPart    = 5
	lookAtLeast = 500 * time.Millisecond
	// sickAfter is how long a partition must have held records to be looked at, and
	// sickSpan by how much later those were handed over that others have acknowledged.
	sickAfter = 500 * time.Millisecond
	sickSpan  = 200 * time.Millisecond
	// stillFor is how long a partition must not have moved, and stillSteps how many
	// times as long as it took from one move to the next when it did. Of that, longestStep
	// counts at most.
	stillFor    = time.Second
	stillSteps  = 3
	longestStep = 2 * time.Second
	// sampleEvery is how often a record is sent to a sick partition, if the last one
	// has come back.
	sampleEvery = time.Second
	// stuckPart: such a part of the bound, at most, may be used by chunks that are
	// stuck, beside what the producer may have otherwise.
	stuckPart = 4
)

// topicPartition names a partition.
type topicPartition struct {
	topic     string
	partition int32
}

// sickPartitions are the partitions that take nothing. All but current is the
// sender's alone.
type sickPartitions struct {
	partitioner Partitioner // nil: nobody knows where keys go
	report      *reporter
	delivery    time.Duration

	lookAt    time.Time
	diverting bool // the fallback takes what is diverted
	stands    map[topicPartition]stand
	known     map[topicPartition]*sample
	// wellAt is when partitions went well. What was handed over before says nothing
	// of them any more.
	wellAt map[topicPartition]time.Time

	// current is the partitions in known, for the replay: it passes over their
	// entries. Never changed, but replaced; nil if there are none.
	current atomic.Pointer[map[topicPartition]bool]
}

// stand is how far a partition is.
type stand struct {
	record *Record       // the oldest that is held
	since  time.Time     // the first look that saw it there
	step   time.Duration // how long the one before it was seen there
}

// sample is a record that was sent to a sick partition.
type sample struct {
	record *Record // nil: it has come back without success
	sent   time.Time
}

func newSickPartitions(producer Producer, report *reporter, delivery time.Duration) *sickPartitions {
	s := &sickPartitions{
		report: report, delivery: delivery,
		stands: map[topicPartition]stand{}, known: map[topicPartition]*sample{}, wellAt: map[topicPartition]time.Time{},
	}
	s.partitioner, _ = producer.(Partitioner)
	return s
}

// wait is how long the sender may sleep before it has to look.
func (s *sickPartitions) wait() time.Duration {
	if len(s.known) > 0 {
		return lookEvery
	}
	return never
}

// look looks through the chunks with the producer, if they hold much and it is time
// again. It reports whether there is room now that was not.
func (s *sickPartitions) look(q *queue, now time.Time) (room bool) {
	if now.Before(s.lookAt) {
		return false
	}
	defer func() {
		wait := lookPart * time.Since(now)
		if wait < lookEvery {
			wait = lookEvery
		} else if wait > lookAtLeast {
			wait = lookAtLeast
		}
		s.lookAt = now.Add(wait)
	}()
	s.askSamples(now)
	chunks, full, failing := q.crowding()
	s.diverting = !failing
	for _, c := range chunks {
		// As long as we look, its memory stays: keys lie in it.
		c.kept = c.keepMemory()
		if c.kept && q.refund(c, c.neededBy(q)) {
			room = true
		}
	}
	if s.partitioner != nil {
		s.find(chunks, full, now)
		for _, c := range chunks {
			if c.kept && s.holdsOnlySick(c) && q.setStuck(c) {
				room = true
			}
		}
	}
	for _, c := range chunks {
		if c.kept {
			c.finish(0, 1)
		}
	}
	return room
}

// crowding returns the chunks with the producer if they use more than half of what
// they may, whether another was refused since the last time, and whether the fallback
// fails.
func (q *queue) crowding() (chunks []*chunk, full, failing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inClient > q.share/2 {
		for _, c := range q.atClient {
			if c.state == chunkClient {
				chunks = append(chunks, c)
			}
		}
	}
	full, q.refused = q.refused, false
	return chunks, full, q.failing
}

// keepMemory adds a reason to keep the chunk's memory, which finish takes away. It
// reports false if the last one has gone already.
func (c *chunk) keepMemory() bool {
	for {
		n := c.counts.Load()
		if uint32(n) == 0 {
			return false
		}
		if c.counts.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// neededBy is what the chunk costs beside its memory for those records that the
// client holds.
func (c *chunk) neededBy(q *queue) int64 {
	held, bytes := 0, 0
	for i := range c.records {
		if r := &c.records[i]; r.state.Load()&heldBit != 0 {
			held++
			bytes += len(r.Value)
		}
	}
	done := len(c.records) - held
	extra := q.extraCost(held, bytes) + int64(done)*(q.recordCost-q.clientsOwn) // ours stays until the last is done
	if q.instance != 0 {
		extra += int64(len(c.mem.headers)) * headerSize // see clientCost
	}
	return extra
}

// refund makes extra what a chunk is charged beside its memory, if that is less than
// now. What the client needed for records that are done, it does not need any more.
func (q *queue) refund(c *chunk, extra int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	less := c.extra - extra
	if c.mem == nil || less <= 0 {
		return false
	}
	c.extra = extra
	q.used -= less
	*q.shareOf(c) -= less
	q.serveLocked()
	return true
}

// setStuck makes a chunk not count towards the producer's share any more, whose last
// records will be there until their deadline: the others need room to go on in. It
// reports false if too much is stuck already.
func (q *queue) setStuck(c *chunk) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.mem == nil || c.stuck {
		return false
	}
	cost := c.mem.cost() + c.extra
	if q.stuck+cost > q.stuckMost {
		return false
	}
	c.stuck = true
	q.inClient -= cost
	q.stuck += cost
	q.stuckChunks++
	return true
}

// shareOf is the number that a chunk with the producer is part of.
func (q *queue) shareOf(c *chunk) *int64 {
	if c.stuck {
		return &q.stuck
	}
	return &q.inClient
}

// at is the partition of a record, if that is known.
func (s *sickPartitions) at(r *Record) (topicPartition, bool) {
	if r.Key == nil {
		return topicPartition{}, false
	}
	partition, known := s.partitioner.Partition(r.Topic, r.Key)
	return topicPartition{r.Topic, partition}, known
}

// find finds the partitions that have held the same record for a while and
// acknowledged none that came later, though others did: those of chunks that were
// handed over later by more than a moment. When all of Kafka pauses, all stop at the
// same chunks, give or take that moment; and whoever is a little late afterwards moves.
func (s *sickPartitions) find(chunks []*chunk, full bool, now time.Time) {
	held := map[topicPartition]*Record{} // the oldest of each
	since := map[topicPartition]time.Time{}
	for _, c := range chunks { // the oldest first
		if !c.kept || now.Sub(c.handed) < sickAfter {
			continue
		}
		for i := range c.records {
			r := &c.records[i]
			if r.state.Load()&heldBit == 0 {
				continue
			}
			at, known := s.at(r)
			if known && held[at] == nil && s.known[at] == nil && !c.handed.Before(s.wellAt[at]) {
				held[at], since[at] = r, c.handed
			}
		}
	}
	still := s.follow(held, now)
	if !full || len(still) == 0 {
		return
	}
	latest := map[topicPartition]time.Time{} // chunk of which something is acknowledged
	for _, c := range chunks {
		for i := range c.records {
			if r := &c.records[i]; c.kept && inKafka(r.state.Load()) {
				if at, known := s.at(r); known {
					latest[at] = c.handed
				}
			}
		}
	}
	for _, at := range still {
		if t, there := latest[at]; there && !t.Before(since[at]) || !othersWentOn(latest, at, since[at].Add(sickSpan)) {
			continue
		}
		s.known[at] = &sample{record: held[at], sent: now}
		delete(s.stands, at)
		s.publish()
		s.report.report("partition", fmt.Errorf("zapkafka: partition %d of topic %q takes nothing while others do, and what may be with the client is full: entries with its keys go to the fallback until it does", at.partition, at.topic))
	}
}

// follow notes how far partitions are, and returns those that do not move: each is
// measured by its own pace, since a broker far away is no sick one.
func (s *sickPartitions) follow(held map[topicPartition]*Record, now time.Time) (still []topicPartition) {
	for at := range s.stands {
		if held[at] == nil {
			delete(s.stands, at)
		}
	}
	for at, r := range held {
		last, there := s.stands[at]
		if !there || last.record != r {
			next := stand{record: r, since: now}
			if there {
				next.step = now.Sub(last.since)
				if next.step > longestStep {
					next.step = longestStep
				}
			}
			s.stands[at] = next
			continue
		}
		if quiet := now.Sub(last.since); quiet >= stillFor && quiet >= stillSteps*last.step {
			still = append(still, at)
		}
	}
	return still
}

// othersWentOn reports whether any other partition has acknowledged something that
// was handed over after t.
func othersWentOn(latest map[topicPartition]time.Time, at topicPartition, t time.Time) bool {
	for other, handed := range latest {
		if other != at && handed.After(t) {
			return true
		}
	}
	return false
}

// holdsOnlySick reports whether the client holds no record of a chunk but such for
// sick partitions.
func (s *sickPartitions) holdsOnlySick(c *chunk) bool {
	if c.stuck || len(s.known) == 0 { // stuck changes by us alone
		return false
	}
	for i := range c.records {
		r := &c.records[i]
		if r.state.Load()&heldBit == 0 {
			continue
		}
		if at, known := s.at(r); !known || s.known[at] == nil {
			return false
		}
	}
	return true
}

// askSamples looks what has become of the samples. One that is acknowledged makes its
// partition well.
func (s *sickPartitions) askSamples(now time.Time) {
	for at, last := range s.known {
		if last.record == nil {
			if now.Sub(last.sent) > s.delivery { // nobody has sent it anything since
				s.well(at, now)
			}
			continue
		}
		switch state := last.record.state.Load(); {
		case inKafka(state):
			s.well(at, now)
		case state&heldBit == 0, now.Sub(last.sent) > s.delivery+wedgedAfter:
			last.record = nil
		}
	}
	for at, t := range s.wellAt {
		if now.Sub(t) > s.delivery+wedgedAfter {
			delete(s.wellAt, at) // nothing is older
		}
	}
}

func (s *sickPartitions) well(at topicPartition, now time.Time) {
	delete(s.known, at)
	s.wellAt[at] = now
	s.publish()
}

// publish tells the replay.
func (s *sickPartitions) publish() {
	if len(s.known) == 0 {
		s.current.Store(nil)
		return
	}
	current := make(map[topicPartition]bool, len(s.known))
	for at := range s.known {
		current[at] = true
	}
	s.current.Store(&current)
}

// divert appends to records those of the chunk that go to the producer. The others,
// for sick partitions, are the fallback's from here on. If that fails they all go: a
// leader is found in less than the time that a record has.
func (s *sickPartitions) divert(c *chunk, records []*Record, now time.Time) []*Record {
	for i := range c.records {
		r := &c.records[i]
		if len(s.known) == 0 || !s.diverting || s.mayGo(r, now) {
			records = append(records, r)
			continue
		}
		// The hold becomes the reason "not yet written", as with a Done that brings an
		// error.
		if r.state.CompareAndSwap(undecided|heldBit, theFallbacks|uint32(reasonPartition)<<reasonShift) {
			c.q.recordsFailed(c)
		} else {
			c.notSent(r) // given up since it was published
		}
	}
	return records
}

var errSickPartition = errors.New("zapkafka: its partition takes nothing")

// notSent ends the hold of a record that the client never got.
func (c *chunk) notSent(r *Record) {
	s := r.state.Load()
	for s&outcomeBits != undecided {
		if r.state.CompareAndSwap(s, s&^heldBit) {
			c.finish(0, 1)
			return
		}
		s = r.state.Load()
	}
	r.Done(errSickPartition)
}

// returned is a record that was diverted and could not be written: the client gets
// it after all.
type returned struct {
	c *chunk
	r *Record
}

// giveBack undoes the diverting of r, which could not be written: Kafka may yet take
// it before its deadline. It reports false when nothing more goes to the producer.
func (q *queue) giveBack(c *chunk, r *Record) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.senderGone || q.giveUpWhy == reasonClosed && q.giveUpUpTo > 0 {
		return false
	}
	// "Not yet written" becomes the hold again.
	if !r.state.CompareAndSwap(theFallbacks|uint32(reasonPartition)<<reasonShift, undecided|heldBit) {
		return false
	}
	c.givenUp = false // its deadline still holds
	q.returned = append(q.returned, returned{c, r})
	wake(q.wakeSender)
	return true
}

// takeReturned returns what was given back, for the sender. The last call says
// that the sender is gone.
func (q *queue) takeReturned(last bool) []returned {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.returned
	q.returned = nil
	q.senderGone = last
	return r
}

// mayGo reports whether a record may go to its partition: that is well, or it is
// time for a sample.
func (s *sickPartitions) mayGo(r *Record, now time.Time) bool {
	at, known := s.at(r)
	if !known {
		return true
	}
	last := s.known[at]
	switch {
	case last == nil:
		return true
	case last.record != nil || now.Sub(last.sent) < sampleEvery:
		return false
	}
	last.record, last.sent = r, now
	return true
}
