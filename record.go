package zapkafka

import (
	"sync/atomic"
	"time"
)

// Record is one log entry on its way to Kafka, as a [Producer] gets it.
//
// All fields are set before Produce and changed by nobody until Done.
type Record struct {
	// Topic is the topic that the record is for; never empty.
	Topic string
	// Key is the record's key; nil means that it has none, and that the client
	// chooses the partition.
	Key []byte
	// Value is the encoded entry, without the newline that ended it.
	Value []byte
	// Headers are the record's headers; nil if it has none.
	Headers []Header
	// Time is the record's time stamp: when the entry was logged.
	Time time.Time

	owner recordOwner
	state atomic.Uint32
	level levelRank
}

// Header is a header of a [Record]. Kafka allows a key more than once.
type Header struct {
	// Key is the header's name.
	Key string
	// Value is the header's value, which may be nil.
	Value []byte
}

// recordOwner is told when the client lets go of a record. recordDone is called
// by every Done, repeated ones included.
type recordOwner interface {
	recordDone(r *Record, err error)
}

// Done reports the outcome of the record: nil when Kafka has acknowledged it,
// the error otherwise. The [Producer] calls it exactly once for each record;
// every further call is counted and changes nothing.
//
// Done does not block and does no I/O, so it may be called from a client's own
// goroutines. Once it is called, the record's Key, Value and Headers belong to
// the syncer again and may change at any moment.
func (r *Record) Done(err error) {
	if r.owner != nil { // a zero Record, of somebody's test
		r.owner.recordDone(r, err)
	}
}

// NewRecord returns a record for tests and other uses of a [Producer] without a
// [KafkaSyncer]. done, unless nil, is called with the outcome by the first call
// of Done, on the goroutine that calls it. The record keeps value, without a
// copy.
func NewRecord(topic string, value []byte, done func(err error)) *Record {
	return &Record{Topic: topic, Value: value, Time: time.Now(), owner: &funcOwner{done: done}}
}

// funcOwner is the owner of a record from NewRecord.
type funcOwner struct {
	called atomic.Bool
	done   func(error)
}

func (o *funcOwner) recordDone(_ *Record, err error) {
	if o.called.CompareAndSwap(false, true) && o.done != nil {
		o.done(err)
	}
}
