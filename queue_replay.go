package zapkafka

import (
	"time"
	"unsafe"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// This file is what the queue has to do with the replay: it gives it memory
// inside the bound, and lets the sender take what is ready when nothing that was
// just logged wants to go.

// replayShare is the replay's part of the bound. most, records and bytes do not
// change; the rest is guarded by the queue's lock.
type replayShare struct {
	most    int64 // of what it may use, unless that is one batch
	records int   // most entries of a batch
	bytes   int64 // about the most that their lines have together

	used  int64 // part of queue.used, and of inClient
	aside int64 // part of used that stays: for what is known of entries behind others that failed
	ready *replayBatch
}

const (
	replayRecords = 1024
	replayBytes   = 256 << 10
	// pendingCost is what an entry costs from reading to its outcome, beside its
	// bytes and its record: the entry, its place, its headers. An id it may have
	// from a syncer with other options.
	pendingCost = int64(unsafe.Sizeof(spool.Pending{})) + 2*headerSize + 64 + idCost
	// readingCost is what is held for reading as long as there is something to
	// read: the text of one write, and its rows.
	readingCost = 2*arenaBytes + 128<<10
)

// newReplayShare divides the bound.
func newReplayShare(limit, share, recordCost int64) replayShare {
	r := replayShare{most: share / 4, records: replayRecords, bytes: replayBytes}
	if most := limit / 32 / recordCost; int64(r.records) > most {
		r.records = int(most)
	}
	if r.records < 16 {
		r.records = 16
	}
	if most := limit / 32; r.bytes > most {
		r.bytes = most
	}
	return r
}

// replayCost is what a batch costs that is not read yet, with its reading.
func (q *queue) replayCost() int64 {
	return q.batchCost(q.replay.records, q.replay.bytes)
}

func (q *queue) batchCost(records int, bytes int64) int64 {
	return int64(records)*pendingCost + bytes + q.extraCost(records, int(bytes))
}

// chargeReplay takes n bytes for the replay, if nothing that was logged wants
// them. In an outage a batch is a probe, and chunks that wait are on their way to
// the fallback.
func (q *queue) chargeReplay(n int64, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := &q.replay
	busy := r.used - r.aside
	if q.closed || len(q.waiters) > 0 || busy > 0 && busy+n > r.most+readingCost {
		return false
	}
	if q.health.state == FallbackOnly {
		if may, _ := q.mayProbeLocked(now, true); !may {
			return false
		}
	} else if len(q.waiting) > 0 {
		return false
	}
	if q.limit-q.used-n < q.low || q.inClient+n > q.share || !q.chargeLocked(n, q.reserve) {
		return false
	}
	r.used += n
	q.inClient += n
	return true
}

// growReplay takes n bytes more for what turned out to be larger than asked for.
func (q *queue) growReplay(n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.inClient+n > q.clientMost && q.inClient > q.replay.used || !q.chargeLocked(n, q.reserve) {
		return false
	}
	q.replay.used += n
	q.inClient += n
	return true
}

// setAside makes n the bytes that are charged beside the batches, if there is room
// for that. They come free when entries that failed are sent again, and not before,
// so nothing waits for them.
func (q *queue) setAside(n int64) bool {
	q.mu.Lock()
	more := n - q.replay.aside
	q.mu.Unlock()
	if more > 0 && !q.growReplay(more) {
		return false
	}
	q.mu.Lock()
	q.replay.aside = n
	q.mu.Unlock()
	if more < 0 {
		q.releaseReplay(-more)
	}
	return true
}

// releaseReplay gives n bytes back.
func (q *queue) releaseReplay(n int64) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	q.used -= n
	q.inClient -= n
	q.replay.used -= n
	q.serveLocked()
	q.mu.Unlock()
	wake(q.wakeSender)
}

// offerReplay gives the sender a batch, for when it has nothing better to do. It
// reports false if there will be no such time.
func (q *queue) offerReplay(b *replayBatch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.replay.ready = b
	wake(q.wakeSender)
	return true
}

// withdrawReplay takes back a batch that the sender has not taken.
func (q *queue) withdrawReplay() *replayBatch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.replay.ready
	q.replay.ready = nil
	return b
}

// takeReplay returns the batch that is ready, if nothing that was just logged
// wants to go first. In an outage it says how long the sender shall wait for a
// signal before it asks again.
func (q *queue) takeReplay(now time.Time) (*replayBatch, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.replay.ready
	switch {
	case b == nil || q.closed:
		return nil, never
	case q.health.state == FallbackOnly:
		if may, left := q.mayProbeLocked(now, true); !may {
			return nil, left
		}
	case len(q.waiting) > 0 && q.heldUpByReplayLocked():
		// What was logged cannot go before the memory of this batch is free.
	case len(q.waiting) > 0 || q.open != nil && q.lingerLocked(now) <= 0:
		return nil, never
	}
	q.replay.ready = nil
	// That a sick topic does not answer says nothing about Kafka. In an outage it is
	// a probe like any other.
	if b.silent = b.sample && q.health.state != FallbackOnly; !b.silent {
		q.handedLocked(now)
		q.health.replays++
	}
	b.refusals, b.answers = q.counters.refused.Load(), q.answers()
	wake(q.wakeReplay)
	return b, 0
}

// heldUpByReplayLocked reports whether the oldest waiting chunk has no room with
// the producer because of the replay's memory, and of nothing else.
func (q *queue) heldUpByReplayLocked() bool {
	return q.underwayLocked() == 0 && q.inClient+q.clientCost(q.waiting[0]) > q.clientMost
}

// replayLanded notes that every record of b was reported.
func (q *queue) replayLanded(b *replayBatch) {
	q.mu.Lock()
	if !b.silent {
		q.health.replays--
		q.landedLocked()
	}
	q.noteAnswersLocked(time.Now())
	q.mu.Unlock()
	wake(q.wakeSender)
}
