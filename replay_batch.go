package zapkafka

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// What a replayed record's state is once it was reported. Before that it is
// undecided and held, as that of any record.
const (
	replayAcked uint32 = iota + 1
	replayFailed
	replayRefused
)

// parcel is entries that were read together, and the memory that is charged for
// them until the last one has come to an end.
type parcel struct {
	from   *spool.Replay
	cost   int64
	left   int  // entries without an end; the replayer's
	flying bool // some are with the producer; guarded by replayer.mu
}

// group is entries of a parcel that go to the producer together.
type group struct {
	*parcel
	entries []spool.Pending
	tries   int // of an entry that was alone, and refused together with others
}

// replayBatch is the records of a group. It owns them: unlike a chunk's they
// need no outcome when the producer does not report them, since the entries are
// on file.
type replayBatch struct {
	group
	q        *queue
	landed   func(*replayBatch) // called by the last Done
	records  []Record
	refusals uint64 // of all records until this batch was handed over
	answers  uint64 // likewise
	sample   bool   // of sick topics, and of nothing else
	silent   bool   // not counted as being with the producer; guarded by the queue's lock

	left    atomic.Int64 // records that were not reported
	lastErr atomic.Pointer[error]
	refusal atomic.Pointer[error]
}

// recordDone implements recordOwner. It runs on the client's goroutine and does
// no I/O.
func (b *replayBatch) recordDone(r *Record, err error) {
	outcome := replayAcked
	if err != nil {
		outcome = replayFailed
		if errors.Is(err, ErrRejected) {
			outcome = replayRefused
		}
	}
	if !r.state.CompareAndSwap(undecided|heldBit, outcome) {
		b.q.counters.repeated.Add(1)
		return
	}
	switch outcome {
	case replayAcked:
		b.q.counters.replayAcked.Add(1)
		b.q.acknowledged()
	case replayFailed:
		failure := err // a copy, or err would be on the heap for every Done
		b.lastErr.Store(&failure)
	case replayRefused:
		b.q.counters.refused.Add(1)
		failure := err
		b.refusal.Store(&failure)
	}
	if b.left.Add(-1) == 0 {
		b.landed(b)
	}
}

// Names of the headers of a replayed record.
const (
	headerReplayed  = "replayed"
	headerDuplicate = "possibly-duplicate"
)

var headerTrue = []byte("true")

// makeRecords builds the records. They point to the entries.
func (b *replayBatch) makeRecords(topic string, stamp time.Time) {
	b.records = make([]Record, len(b.entries))
	n := 3 * len(b.entries)
	for i := range b.entries {
		n += len(b.entries[i].Headers)
	}
	headers := make([]Header, 0, n)
	var ids idTexts
	var last time.Time
	var came []byte // last as the header has it
	for i := range b.records {
		r, e := &b.records[i], &b.entries[i]
		r.Topic, r.Key, r.Value, r.Time = e.Topic, e.Key, e.Value, e.Time
		if r.Topic == "" {
			r.Topic = topic
		}
		if r.Value == nil {
			r.Value = []byte{} // no value at all would be a tombstone
		}
		if came == nil || !e.Time.Equal(last) {
			last, came = e.Time, []byte{}
			if !last.IsZero() {
				came = last.UTC().AppendFormat(nil, time.RFC3339Nano)
			}
		}
		if r.Time.IsZero() {
			r.Time = time.Now()
		}
		if !stamp.IsZero() {
			r.Time = stamp
		}
		first := len(headers)
		for _, h := range e.Headers {
			headers = append(headers, Header(h))
		}
		if !e.ID.IsZero() {
			if ids == nil {
				ids = newIDTexts(len(b.records) - i)
			}
			headers = append(headers, ids.header(e.ID))
		}
		headers = append(headers, Header{Key: headerReplayed, Value: came})
		if e.PossiblyDuplicate {
			headers = append(headers, Header{Key: headerDuplicate, Value: headerTrue})
		}
		r.Headers = headers[first:len(headers):len(headers)]
		r.owner = b
		r.state.Store(undecided | heldBit)
	}
	b.left.Store(int64(len(b.records)))
}

// sizeOf is the length of what the entries hold, in bytes.
func sizeOf(entries []spool.Pending) int64 {
	n := int64(0)
	for i := range entries {
		e := &entries[i]
		n += int64(len(e.Value) + len(e.Key))
		for _, h := range e.Headers {
			n += headerSize + int64(len(h.Key)+len(h.Value))
		}
	}
	return n
}

// outcomes divides the entries of a batch by what was reported of them.
func (b *replayBatch) outcomes() (acked, failed []spool.Position, refused []spool.Pending) {
	acked = make([]spool.Position, 0, len(b.records)) // all of them, as a rule
	for i := range b.records {
		switch e := &b.entries[i]; b.records[i].state.Load() {
		case replayAcked:
			acked = append(acked, e.Position)
		case replayRefused:
			refused = append(refused, *e)
		default:
			failed = append(failed, e.Position)
		}
	}
	return acked, failed, refused
}
