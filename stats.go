package zapkafka

import "time"

// Stats is the balance sheet of a [KafkaSyncer] since its start. Every entry
// that was accepted has exactly one outcome:
//
//	Accepted == Acked + FellBack.Total() + Shed + Lost.Total() + PendingEntries
//
// It holds to the entry when nothing is under way (after Shutdown PendingEntries
// is 0); in the middle of traffic the numbers are read one after the other and
// can be a few entries apart.
type Stats struct {
	// Accepted is how many entries were given to Write, those for which there
	// was no room included.
	Accepted uint64
	// Acked is how many Kafka has acknowledged.
	Acked uint64
	// FellBack is how many are on file, by reason.
	FellBack FellBack
	// Shed is how many were dropped for their level. In an overload, when the queue is
	// full and the fallback does not keep up, that is Debug first, then Info, so that
	// Warn and above, and entries of which no level is known, find room. (Those for
	// which there is none either are Lost.) Otherwise it is what is below
	// Options.FallbackLevel, when Kafka did not take it.
	Shed uint64
	// Lost is how many are neither in Kafka nor on file, by reason.
	Lost Lost

	// PendingEntries is how many have no outcome yet.
	PendingEntries uint64
	// Levels are the entries by level.
	Levels LevelStats
	// PendingBytes is the memory in use for entries, in bytes, as counted
	// against Options.BufferBytes: what waits, what is with the producer and the
	// client's overhead for it, and what replay has read. What a client has not let go of stays counted
	// although it has its outcome, and so may what was in a write to the fallback
	// that hung at the end of Shutdown.
	PendingBytes int64

	// PossiblyDuplicate is how many of FellBack had been given to the client:
	// Kafka may have stored them although no acknowledgement came.
	PossiblyDuplicate uint64
	// LateAcked and LateFailed count reports of the client that came after the
	// entry had gone to the fallback, by what they said. An entry of LateAcked is
	// in Kafka and on file.
	LateAcked, LateFailed uint64
	// RepeatedReports counts reports on records that had been reported before: a
	// fault of the producer, without consequence.
	RepeatedReports uint64
	// Cut is how many entries in the rejected file are not whole: there was no
	// room for all of them (see Options.MaxEntryBytes).
	Cut uint64

	// AcceptedBytes is the length of the entries that got a place in the queue, in
	// bytes: as they were encoded, with a newline each. Those of Lost.NoRoom got
	// none, nor did those that an overload shed.
	AcceptedBytes uint64
	// AckedBytes and FellBackBytes are the parts of AcceptedBytes that Kafka has
	// acknowledged and that are on file. What was with the producer is added here
	// when all of its batch has an outcome.
	AckedBytes, FellBackBytes uint64

	// InFlightEntries is how many of PendingEntries are with the producer.
	InFlightEntries uint64
	// InFlightBytes is the part of PendingBytes that what the producer has not let
	// go of takes, the replay's apart.
	InFlightBytes int64
	// BufferBytes is the bound of PendingBytes: Options.BufferBytes, or its default.
	BufferBytes int64
	// OldestPending is when the oldest entry without an outcome was logged, give or
	// take what is between it and the first of its batch; zero if PendingEntries is
	// 0.
	OldestPending time.Time
	// LastDelivery is when Kafka last acknowledged something, a replayed entry
	// included; zero before the first time. It is looked at by the batch, so it may be
	// a moment late.
	LastDelivery time.Time

	// State is how entries get to Kafka at the moment; see [KafkaSyncer.State].
	State State
	// StateSince is when that began.
	StateSince time.Time

	// BatchEntries counts the batches handed to the producer by how many entries
	// they had. The client divides them further, by topic and partition.
	BatchEntries Histogram
	// DeliveryLatency counts the entries of Acked by the time from Write to the
	// acknowledgement, in seconds, as that of the slowest in their batch: the time is
	// taken once a batch, from its first entry to the moment in which the last has
	// an outcome.
	DeliveryLatency Histogram
}

// Histogram is how many observations were how large.
type Histogram struct {
	// Count is how many observations there were.
	Count uint64
	// Sum is what they add up to.
	Sum float64
	// Buckets has the upper bounds in ascending order; they never change. What is
	// over the last one is in Count alone.
	Buckets [12]Bucket
}

// Bucket is one of the ranges of a [Histogram].
type Bucket struct {
	// UpTo is the upper bound, inclusive.
	UpTo float64
	// Count is how many observations were at most UpTo, those of the buckets before
	// it included.
	Count uint64
}

// FellBack counts entries that were written to the fallback, by reason.
type FellBack struct {
	// QueueFull: Kafka did not keep up and room got scarce.
	QueueFull uint64
	// DeliveryFailed: the producer reported an error.
	DeliveryFailed uint64
	// Deadline: no report within DeliveryTimeout.
	Deadline uint64
	// Sync: no report when a Sync came to the end of its time.
	Sync uint64
	// Outage: Kafka had acknowledged nothing for Options.OutageAfter, so these did
	// not wait for it; they were never with the producer.
	Outage uint64
	// TooLarge: over MaxEntryBytes; these are in the rejected file.
	TooLarge uint64
	// Closed: no report at Shutdown, or logged after it.
	Closed uint64
	// Partition: the partition of their key had taken nothing for a while, though
	// others did; these were never with the producer.
	Partition uint64
}

// Total is the sum over all reasons.
func (f FellBack) Total() uint64 {
	return f.QueueFull + f.DeliveryFailed + f.Deadline + f.Sync + f.Outage + f.TooLarge + f.Closed + f.Partition
}

// Lost counts entries that are nowhere, by reason.
type Lost struct {
	// NoRoom: the queue was full and the fallback did not keep up. Debug and Info are
	// Shed then.
	NoRoom uint64
	// FallbackFailed: the fallback's write failed.
	FallbackFailed uint64
	// FallbackFull: the fallback has reached its cap.
	FallbackFull uint64
	// FallbackStuck: a write to the fallback had not returned when Shutdown, or
	// a Write after it, came to the end of its time.
	FallbackStuck uint64
}

// Total is the sum over all reasons.
func (l Lost) Total() uint64 {
	return l.NoRoom + l.FallbackFailed + l.FallbackFull + l.FallbackStuck
}

// Stats returns the balance sheet. It takes the queue's lock for a moment and
// may be called at any time, after Shutdown too.
func (s *KafkaSyncer) Stats() Stats { return s.q.stats() }

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.noteAnswersLocked(time.Now())
	c, m := &q.counters, &q.measures
	st := Stats{
		Accepted: q.accepted,
		Acked:    c.acked.total(),
		FellBack: FellBack{
			QueueFull:      c.fellBack[reasonQueueFull].Load(),
			DeliveryFailed: c.fellBack[reasonFailed].Load(),
			Deadline:       c.fellBack[reasonDeadline].Load(),
			Sync:           c.fellBack[reasonSync].Load(),
			Outage:         c.fellBack[reasonOutage].Load(),
			TooLarge:       c.fellBack[reasonTooLarge].Load(),
			Closed:         c.fellBack[reasonClosed].Load(),
			Partition:      c.fellBack[reasonPartition].Load(),
		},
		Shed: c.shed.total(),
		Lost: Lost{
			NoRoom:         c.lost[lostNoRoom].Load(),
			FallbackFailed: c.lost[lostFallbackFailed].Load(),
			FallbackFull:   c.lost[lostFallbackFull].Load(),
			FallbackStuck:  c.lost[lostFallbackStuck].Load(),
		},
		PendingEntries:    q.unsettledUpToLocked(q.accepted),
		PendingBytes:      q.used,
		Levels:            q.levelStatsLocked(),
		PossiblyDuplicate: c.possiblyDuplicate.Load(),
		LateAcked:         c.lateAcked.Load(),
		LateFailed:        c.lateFailed.Load(),
		RepeatedReports:   c.repeated.Load(),
		Cut:               c.cut.Load(),
		AcceptedBytes:     m.acceptedBytes,
		AckedBytes:        m.ackedBytes,
		FellBackBytes:     m.fellBackBytes,
		BufferBytes:       q.limit,
		OldestPending:     q.oldestPendingLocked(),
		LastDelivery:      m.answered,
		State:             q.health.state,
		StateSince:        q.health.since,
		BatchEntries:      m.batches.export(&batchBounds),
		DeliveryLatency:   m.latency.export(&latencyBounds),
	}
	if q.open != nil {
		st.AcceptedBytes += uint64(q.open.used)
	}
	st.InFlightEntries, st.InFlightBytes = q.inFlightLocked()
	return st
}
