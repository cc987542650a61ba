package ibmsarama

import (
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
)

const (
	// blockRecords is the most records in one block. It bounds what one late
	// record keeps alive.
	blockRecords = 2048
	// grace is how long after their deadline records may still come back from
	// the client by themselves before its connections are cut.
	grace = time.Second
	// wedged is how long after that the client may take; then something is wrong
	// with it, and the handler is told.
	wedged = 5 * time.Second
)

// block is what one call of Produce costs: an entry for each of its records,
// and their common deadline.
type block struct {
	p       *Producer
	began   time.Time
	entries []entry
	left    atomic.Int32  // entries that have not been reported
	settled chan struct{} // closed when left is 0
	expired chan struct{} // closed by expire
	timer   *time.Timer   // runs expire
}

// entry is a record on its way. At any time it belongs to one of: its lane's
// lists (under the lane's lock), the lane's goroutine, the client, or the
// goroutine that has just taken it from the client.
type entry struct {
	block    *block
	lane     *lane
	record   *zapkafka.Record
	seq      uint64 // the place among all records, for the order of retries
	attempts int

	// held is the attempt that the client has; nil when it has none. Whoever
	// changes it back to nil has taken the entry from the client.
	held atomic.Pointer[attempt]
}

// attempt is one handing over to the client. Each has a message of its own, so
// that a client which reports a message twice is not taken to have reported the
// second attempt, whose memory it may still be reading.
type attempt struct {
	entry *entry
	gen   *generation
	size  int64 // bytes of the window
	msg   sarama.ProducerMessage
}

// newBlock makes entries of admitted records.
func (p *Producer) newBlock(records []*zapkafka.Record) *block {
	b := &block{
		p:       p,
		began:   time.Now(),
		entries: make([]entry, len(records)),
		settled: make(chan struct{}),
		expired: make(chan struct{}),
	}
	b.left.Store(int32(len(records)))
	seq := p.seq.Add(uint64(len(records))) - uint64(len(records))
	for i, r := range records {
		e := &b.entries[i]
		e.block, e.record, e.seq = b, r, seq+uint64(i)
	}
	return b
}

// start starts the block's time.
func (b *block) start() {
	p := b.p
	p.mu.Lock()
	p.live[b] = struct{}{}
	p.mu.Unlock()
	p.work.Add(1)
	// expire must not read the timer's field, which is set when this returns.
	b.timer = time.AfterFunc(p.limits.DeliveryTimeout, b.expire)
}

// prepare makes a the entry's next attempt.
func (e *entry) prepare(a *attempt, g *generation) {
	e.attempts++
	a.entry, a.gen = e, g
	r := e.record
	m := &a.msg
	m.Topic, m.Timestamp = r.Topic, r.Time
	m.Metadata = a
	m.Value = e
	if r.Key != nil {
		m.Key = (*keyOf)(e)
	}
	if len(r.Headers) > 0 {
		m.Headers = make([]sarama.RecordHeader, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value}
		}
	}
}

// size is what the entry counts for in the window.
func (e *entry) size() int64 {
	n := len(e.record.Key) + len(e.record.Value)
	for _, h := range e.record.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return int64(n)
}

// Encode and Length make an entry the value of its own message, which costs
// nothing and is a second way back to it, should an interceptor have replaced
// the first, ProducerMessage.Metadata.
func (e *entry) Encode() ([]byte, error) {
	if e.record == nil {
		return nil, nil
	}
	return e.record.Value, nil
}

func (e *entry) Length() int {
	if e.record == nil {
		return 0
	}
	return len(e.record.Value)
}

// keyOf is an entry as the key of its message.
type keyOf entry

func (k *keyOf) Encode() ([]byte, error) {
	if k.record == nil {
		return nil, nil
	}
	return k.record.Key, nil
}

func (k *keyOf) Length() int {
	if k.record == nil {
		return 0
	}
	return len(k.record.Key)
}

// attemptOf returns whose message it is; nil for one that is not ours.
func attemptOf(m *sarama.ProducerMessage) *attempt {
	if a, ok := m.Metadata.(*attempt); ok && &a.msg == m {
		return a
	}
	if e, ok := m.Value.(*entry); ok {
		if a := e.held.Load(); a != nil && &a.msg == m {
			return a
		}
	}
	return nil
}

// finish reports the record. The caller owns the entry, and nobody does
// afterwards.
func (e *entry) finish(err error) {
	b, r := e.block, e.record
	// A block lives until its last record is reported; the memory behind the
	// others is the syncer's again.
	e.record = nil
	r.Done(err)
	if b.left.Add(-1) == 0 {
		close(b.settled)
		if b.timer.Stop() {
			b.p.work.Done()
		}
		b.p.mu.Lock()
		delete(b.p.live, b)
		b.p.mu.Unlock()
	}
	b.p.finished()
}

// isExpired reports whether the time of the block's records is over.
func (b *block) isExpired() bool {
	select {
	case <-b.expired:
		return true
	default:
		return false
	}
}

// expire runs when the block's time is over. What waits in a lane is reported at
// once. What is in the client comes back by itself, or is fetched back.
func (b *block) expire() {
	defer b.p.work.Done()
	close(b.expired)
	var last *lane
	for i := range b.entries {
		if l := b.entries[i].lane; l != last {
			l.prune()
			last = l
		}
	}
	if !b.awaitSettled(grace) {
		b.p.overdue(b)
	}
}

// awaitSettled reports whether all is reported within d, or Close has given up.
func (b *block) awaitSettled(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-b.settled:
		return true
	case <-b.p.stopped:
		return true
	case <-t.C:
		return false
	}
}

// overdue gets records back from a client that keeps them past their deadline.
func (p *Producer) overdue(b *block) {
	seen := make(map[*generation]bool)
	for i := range b.entries {
		if a := b.entries[i].held.Load(); a != nil && !seen[a.gen] {
			seen[a.gen] = true
			a.gen.condemn()
		}
	}
	if len(seen) > 0 && !b.awaitSettled(wedged) {
		p.reports.wedged(int(b.left.Load()))
	}
}
