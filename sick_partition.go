package zapkafka

import (
	"fmt"
	"time"
)

// This file keeps a partition that takes nothing from stopping the others.
//
// Entries without a key are led around it by the client. Those with a key have to
// wait for it, and there are some in every chunk: the memory of a chunk comes free
// when its last record is done, so after some seconds chunks of which nearly all is
// done would fill what may be with the producer, and nothing more would go to
// anybody.
//
// So when that memory is more than half full, the sender looks through the chunks
// in it. Where the others of a chunk are done, what the client needs for them is
// given back, and the chunk counts no longer for what the client may have, up to a
// quarter of the bound. What is still held is for partitions that are sick, if the producer
// says where keys go. From then on records for these are not handed over: they go
// to the fallback at once, but for one a second, which finds out whether the
// partition has come back. What is in the fallback is replayed then, as ever.

const (
	// lookEvery is how often chunks are looked through, at most.
	lookEvery = 100 * time.Millisecond
	// sickAfter is how long a record may be held while most of its chunk are done, and
	// the memory gets short. At 20,000 entries of 200 bytes a second, and with the
	// default bound, that is full after about two seconds.
	sickAfter = 500 * time.Millisecond
	// sampleEvery is how often a record is sent to a sick partition, if the last one
	// has come back.
	sampleEvery = time.Second
	// stuckPart: such a part of the bound may be used by chunks that are stuck, beside
	// what the producer may have otherwise.
	stuckPart = 4
)

// sickPartitions are the partitions that take nothing. The sender's alone.
type sickPartitions struct {
	partitioner Partitioner // nil: nobody knows where keys go
	report      *reporter
	lookAt      time.Time
	known       map[topicPartition]*sample
}

type topicPartition struct {
	topic     string
	partition int32
}

// sample is the last record that was sent to a sick partition.
type sample struct {
	record *Record // nil: none yet
	sent   time.Time
}

func newSickPartitions(producer Producer, report *reporter) *sickPartitions {
	s := &sickPartitions{report: report, known: map[topicPartition]*sample{}}
	s.partitioner, _ = producer.(Partitioner)
	return s
}

// look looks through the chunks with the producer, if they hold much and it is time
// again. It reports whether there is room now that was not.
func (s *sickPartitions) look(q *queue, now time.Time) bool {
	if now.Before(s.lookAt) {
		return false
	}
	s.lookAt = now.Add(lookEvery)
	found := false
	for _, c := range q.crowding() {
		// As long as we look, its memory stays: keys lie in it.
		if !c.keepMemory() {
			continue
		}
		if extra, most := c.neededBy(q); most {
			if q.refund(c, extra) {
				found = true
			}
			if s.find(q, c, now) && q.setStuck(c) {
				found = true
			}
		}
		c.finish(0, 1)
	}
	return found
}

// crowding returns the chunks with the producer if they use more than half of what
// they may.
func (q *queue) crowding() []*chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inClient <= q.share/2 {
		return nil
	}
	var chunks []*chunk
	for _, c := range q.order {
		if c.state == chunkClient && !c.settled && !c.givenUp {
			chunks = append(chunks, c)
		}
	}
	return chunks
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
// client holds, and whether most of them are done.
func (c *chunk) neededBy(q *queue) (extra int64, mostDone bool) {
	held, bytes := 0, 0
	for i := range c.records {
		if r := &c.records[i]; r.state.Load()&heldBit != 0 {
			held++
			bytes += len(r.Value)
		}
	}
	done := len(c.records) - held
	whole := q.extraCost(done, 0) - int64(done)*q.clientsOwn // ours, and there until the last is done
	if q.instance != 0 {
		whole += int64(len(c.mem.headers)) * headerSize // see clientCost
	}
	return whole + q.extraCost(held, bytes), held*4 <= len(c.records)
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
	if q.stuck+cost > q.limit/stuckPart {
		return false
	}
	c.stuck = true
	q.inClient -= cost
	q.stuck += cost
	return true
}

// shareOf is the number that a chunk with the producer is part of.
func (q *queue) shareOf(c *chunk) *int64 {
	if c.stuck {
		return &q.stuck
	}
	return &q.inClient
}

// find notes the partitions that a chunk's last records wait for. It reports whether
// all of these are sick.
func (s *sickPartitions) find(q *queue, c *chunk, now time.Time) (allSick bool) {
	if s.partitioner == nil || now.Sub(q.handedAt(c)) < sickAfter {
		return false
	}
	allSick = true
	for i := range c.records {
		r := &c.records[i]
		if r.state.Load() != undecided|heldBit {
			continue
		}
		if r.Key == nil {
			allSick = false
			continue
		}
		partition, known := s.partitioner.Partition(r.Topic, r.Key)
		at := topicPartition{r.Topic, partition}
		if !known {
			allSick = false
			continue
		}
		if s.known[at] != nil {
			continue
		}
		s.known[at] = &sample{sent: now}
		s.report.report("partition", fmt.Errorf("zapkafka: partition %d of topic %q has taken nothing for over %v while others did: entries with its keys go to the fallback until it does", partition, r.Topic, sickAfter))
	}
	return allSick
}

func (q *queue) handedAt(c *chunk) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return c.handed
}

// divert appends to records those of the chunk that go to the producer. The others,
// for sick partitions, are the fallback's from here on.
func (s *sickPartitions) divert(c *chunk, records []*Record, now time.Time) []*Record {
	for i := range c.records {
		r := &c.records[i]
		if len(s.known) == 0 || r.Key == nil || s.mayGo(r, now) {
			records = append(records, r)
			continue
		}
		// The hold becomes the reason "not yet written", as with a Done that brings an
		// error.
		if r.state.CompareAndSwap(undecided|heldBit, theFallbacks|uint32(reasonPartition)<<reasonShift) {
			c.q.recordsFailed(c)
		} else {
			r.Done(errSickPartition) // given up since it was published
		}
	}
	return records
}

var errSickPartition = fmt.Errorf("zapkafka: its partition takes nothing")

// mayGo reports whether a record may go to its partition: that is well, or it is
// time for a sample.
func (s *sickPartitions) mayGo(r *Record, now time.Time) bool {
	partition, known := s.partitioner.Partition(r.Topic, r.Key)
	if !known {
		return true
	}
	at := topicPartition{r.Topic, partition}
	last := s.known[at]
	if last == nil {
		return true
	}
	if last.record != nil {
		switch state := last.record.state.Load(); {
		case state == acked:
			delete(s.known, at)
			return true
		case state&heldBit != 0:
			return false
		}
	}
	if now.Sub(last.sent) < sampleEvery {
		return false
	}
	last.record, last.sent = r, now
	return true
}
