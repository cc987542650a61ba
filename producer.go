package zapkafka

import (
	"context"
	"time"
)

// Producer is what a Kafka client has to do for a [KafkaSyncer]: take records,
// and report each of them once. Queueing, the fallback, and every decision
// about loss are the syncer's; an adaptor has none of them.
//
// The contract, for those who write an adaptor:
//
//   - Every record that was passed to Produce is reported by exactly one call
//     of [Record.Done], whatever happens: success, refusal, time-out, a context
//     that ended, Close. The latest moment is [Limits.DeliveryTimeout] plus 10
//     seconds after Produce was called, also with a broker that accepts
//     connections and never answers.
//   - Retriable errors are retried by the adaptor or its client, until
//     Limits.DeliveryTimeout has passed. (Records behind one of their partition
//     which ran out of time may be failed together with it.) The syncer itself
//     never hands a record over twice.
//   - Between Produce and Done the record and all that it points to (Key,
//     Value, Headers) may be read by the client and are changed by nobody. The
//     adaptor does not write to them. After Done none of it may be touched: the
//     memory behind Key and Value is used again at once.
//   - The error of a record that Kafka refused for what it is (too large for its
//     topic, an invalid record or topic name) wraps [ErrRejected]. That of one
//     which might be taken later (no broker, no leader, no permission, no such
//     topic, no time left) does not. The error of one that is too large wraps
//     [ErrTooLarge].
//   - What is acknowledged (Done with nil) is stored: by all in-sync replicas
//     unless the user of the adaptor has asked the client for less.
//   - Records with the same key arrive in the order in which they were handed
//     over, as long as nothing fails.
//
// The methods are called by one KafkaSyncer, which owns the Producer from Start
// to Close. The interface does not grow: later abilities will be optional
// interfaces.
type Producer interface {
	// Start is called once, before the first Produce. It tells the adaptor the
	// most that it will be asked to hold, and where to report troubles that
	// belong to no single record (a refused password, an unknown topic).
	//
	// Start does not dial: Kafka may be down. It fails when settings of the
	// client contradict the limits (a smaller buffer, a smaller largest record)
	// or make the contract impossible to keep, and names the setting. A second
	// call fails: a Producer serves one KafkaSyncer. When Start fails, nothing
	// has been started, and Close need not be called.
	//
	// The returned Overhead is what the client holds beside the values; the
	// syncer counts it inside its memory bound.
	Start(limits Limits, report ErrorHandler) (Overhead, error)

	// Produce hands records to the client. One goroutine calls it at a time. It
	// may block for as long as the client has no room, until ctx is done; then
	// it returns, having reported with ctx's error each record that the client
	// did not take. The slice belongs to the caller again when Produce returns;
	// the records that it points to stay with the adaptor until their Done. Done
	// may be called before Produce returns, and from any goroutine.
	// After Close each record is reported with an error.
	Produce(ctx context.Context, records []*Record)

	// Flush is a nudge: what the client is still collecting for a fuller batch
	// is sent now. It does not wait for acknowledgements and returns soon, at
	// the latest when ctx is done. It may be called beside Produce.
	Flush(ctx context.Context)

	// Close lets the client deliver what it holds until ctx is done, then gives
	// up the rest, reports every record, and frees what the client uses. It
	// returns when ctx is done plus at most a tenth of a second, be the broker
	// mute or gone; records that could not be reported by then are given up by
	// the syncer. It may be called beside Produce, which it ends, and any number
	// of times: later calls wait for the first, or for their own ctx. The error
	// says what could not be closed, not which records failed.
	Close(ctx context.Context) error
}

// Partitioner is what a [Producer] may offer beside: it says where keys go. A
// syncer whose Producer does keeps what is for a partition that takes nothing apart
// from the rest, which goes on; else what waits for that one partition comes to fill
// the memory that the Producer may use, and the others wait too.
type Partitioner interface {
	// Partition returns the number of the partition that a record of the topic with
	// that key would be sent to now. It reports false if that is not known: the
	// topic's partitions have not been asked for yet, or the choice is made by code
	// that may not be called for a record that is none. It never waits for a broker,
	// is called often, and beside all methods of Producer. The key is the caller's
	// again when it returns.
	Partition(topic string, key []byte) (partition int32, known bool)
}

// Limits is the most that a [KafkaSyncer] asks of its [Producer] at any time.
// A client whose own limits lie below would block or refuse records which the
// syncer has already counted as in its hands.
type Limits struct {
	// Records is the most records that are with the producer (passed to
	// Produce, not yet Done).
	Records int
	// Bytes is the most bytes of values, keys and headers that are with the
	// producer.
	Bytes int64
	// RecordBytes is the size of the largest value, in bytes.
	RecordBytes int
	// DeliveryTimeout is the time after which the syncer gives a record up and
	// writes it to the fallback. The producer tries for as long and then
	// reports an error.
	DeliveryTimeout time.Duration
}

// Overhead is the memory which a client holds for records in its hands, beside
// what the records themselves point to.
type Overhead struct {
	// RecordBytes is the overhead for one record, in bytes: the client's own
	// record, its place in lists and batches, the adaptor's bookkeeping.
	RecordBytes int
	// ValuePercent is how much of the values' size the client holds again, in
	// per cent: 100 for a client that copies each value, 0 for one that reads
	// the record's memory until it is acknowledged.
	ValuePercent int
}

// ErrorHandler is told of troubles which belong to no single log call: failed
// deliveries, a fallback that cannot be written, what a Kafka client complains
// of. A handler given in Options is called from one goroutine of the syncer's
// own, with at most a few errors a second; it may block without holding up a
// log call, but holds up later reports. It must not log to the syncer that
// calls it: that would feed its own errors back into the sink. The handler
// that a [Producer] is given never blocks and may be called from any
// goroutine.
type ErrorHandler func(err error)
