package kafkago

import (
	"errors"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// scanEvery is how often a queue is searched for records whose time is up.
	scanEvery = 250 * time.Millisecond
	// avoidMost is the longest that records without a key avoid a partition that
	// has failed before they try it again.
	avoidMost = 10 * time.Second
	// lookTimeout bounds a look at the metadata between two attempts, which comes
	// on top of an attempt.
	lookTimeout = time.Second
)

// partition is a partition of a topic, with what waits to be sent to it. All
// but topic and id is guarded by Producer.mu.
type partition struct {
	topic *topic
	id    int

	queue      []item // in the order of sending
	scan       time.Duration
	sending    bool          // a sender is running
	began      time.Duration // since when it has been busy with the batch under way
	failures   int           // in a row
	last       error         // the last failure; nil when failures is 0
	avoid      time.Duration // until when records without a key go elsewhere
	leaderless bool          // says the last metadata
}

// stuck reports whether there is nobody to send to, or no answer for long.
func (q *partition) stuck(now time.Duration) bool {
	return q.leaderless || q.sending && now-q.began >= slow
}

// send is the goroutine of a partition that has something to send: one batch
// after the other, the next when the last is answered. So what has the same key
// keeps its order, retries included. It ends when the queue is empty.
func (p *Producer) send(q *partition) {
	defer p.workers.Done()
	for {
		b := p.take(q)
		if b == nil {
			return
		}
		b.copyItems()
		n, err := p.deliver(q, b, 0, len(b.items))
		if err == nil {
			p.succeeded(q)
		} else {
			p.failed(q, b.items[n:], err)
		}
		b.recycle(p.config.BatchBytes)
	}
}

// take returns the next batch of the partition's queue, or nil if there is none,
// with which the sender is over.
func (p *Producer) take(q *partition) *batch {
	p.mu.Lock()
	now := p.now()
	var late []item
	var err error
	switch {
	case p.life.Err() != nil:
		late, q.queue, err = q.queue, nil, errClosed
	case now >= q.scan:
		q.scan = now + scanEvery
		if late, q.queue = expired(q.queue, now); len(late) > 0 {
			err = p.tooLate(q.last)
		}
	}
	var b *batch
	if len(q.queue) == 0 {
		q.sending = false
		q.queue = nil
	} else {
		n, bytes := 0, 0
		for n < len(q.queue) {
			if bytes += size(q.queue[n].record); n > 0 && bytes > p.config.BatchBytes {
				break
			}
			n++
		}
		b, _ = batches.Get().(*batch)
		b.items = append(b.items, q.queue[:n]...)
		clear(q.queue[:n])
		q.queue = q.queue[n:]
		q.began = now
	}
	p.mu.Unlock()
	p.report(late, err)
	return b
}

// expired takes those out of the items whose time is up.
func expired(items []item, now time.Duration) (late, rest []item) {
	if !slices.ContainsFunc(items, func(it item) bool { return now >= it.expiry }) {
		return nil, items
	}
	rest = items[:0]
	for _, it := range items {
		if now >= it.expiry {
			late = append(late, it)
		} else {
			rest = append(rest, it)
		}
	}
	clear(items[len(rest):])
	return late, rest
}

// deliver sends the items of the batch from one place to another, and reports
// them. When Kafka refuses them because of one or some, it sends halves, until
// the culprits are alone: they take nothing with them. The error is for another
// attempt; then the items from next on have not been reported.
func (p *Producer) deliver(q *partition, b *batch, from, to int) (next int, err error) {
	err = p.produce(q, b, from, to)
	v := judge(err)
	switch {
	case err == nil:
		p.report(b.items[from:to], nil)
		return to, nil
	case v == again:
		return from, err
	case v == culprits && to-from > 1:
		mid := from + (to-from)/2
		for _, part := range [2][2]int{{from, mid}, {mid, to}} {
			if p.life.Err() != nil || p.now() >= b.items[part[0]].expiry {
				return part[0], err // the queue knows what to do with them
			}
			if next, err := p.deliver(q, b, part[0], part[1]); err != nil {
				return next, err
			}
		}
		return to, nil
	default:
		p.report(b.items[from:to], v.outcome(err))
		return to, nil
	}
}

// produce asks the client to send part of a batch, once.
func (p *Producer) produce(q *partition, b *batch, from, to int) error {
	answer, err := p.client.Produce(p.life, &kafka.ProduceRequest{
		Topic:        q.topic.name,
		Partition:    q.id,
		RequiredAcks: p.config.RequiredAcks,
		Compression:  p.config.Compression,
		Records:      &reader{entries: b.entries[from:to]},
	})
	if err != nil {
		b.unanswered = true
		return err
	}
	return answer.Error
}

// succeeded notes that the partition works.
func (p *Producer) succeeded(q *partition) {
	p.mu.Lock()
	q.failures, q.last, q.avoid = 0, nil, 0
	old := p.now()-q.topic.looked > lookAgain
	if old {
		q.topic.looked = p.now() // one sender is enough
	}
	p.mu.Unlock()
	if old {
		_ = p.look(q.topic, lookTimeout) // what is known stays
	}
}

// failed puts the items back to the front of the queue, leads those without a
// key to partitions that work, and waits before the rest is tried again.
func (p *Producer) failed(q *partition, items []item, err error) {
	p.mu.Lock()
	q.queue = slices.Concat(items, q.queue)
	q.scan = 0
	q.failures++
	q.last = err
	q.avoid = p.now() + min(avoidMost, backoff(1)<<min(q.failures, 10))
	failures := q.failures
	p.mu.Unlock()
	if p.life.Err() != nil {
		return // take reports them
	}
	p.cluster.trouble()
	unknown := p.look(q.topic, lookTimeout)

	p.mu.Lock()
	var astray []item
	if !mayBeStored(err) || q.goneLocked() { // elsewhere it would be stored again, and at once
		astray = p.steerLocked(q, p.now())
	}
	empty := len(q.queue) == 0
	p.mu.Unlock()
	p.report(astray, errAstray)
	switch {
	case errors.Is(unknown, kafka.UnknownTopicOrPartition):
		p.reports.search(q.topic.name, unknown, creationGrace)
	case failures >= 3 || unanswered(err) || mayBeStored(err):
		p.reports.partition(q.topic.name, q.id, err)
	}
	if !empty {
		if mayBeStored(err) {
			failures += slowRetries
		}
		p.pause(failures)
	}
}

// goneLocked reports whether the topic has been made anew without the partition.
func (q *partition) goneLocked() bool { return q.id >= len(q.topic.all) }

// steerLocked leads the records without a key from the queue to other
// partitions, if there is one that works. From a partition that is gone it leads
// away all of them.
func (p *Producer) steerLocked(q *partition, now time.Duration) (astray []item) {
	t, gone := q.topic, q.goneLocked()
	works := func(id int) bool { return t.partitions[id].failures == 0 && !t.partitions[id].stuck(now) }
	if !gone && !slices.ContainsFunc(t.all, works) {
		return nil
	}
	t.offerLocked(now)
	queue := q.queue
	q.queue = queue[:0:0]
	for _, it := range queue {
		switch {
		case it.record.Key != nil && !gone:
			q.queue = append(q.queue, it)
		case !t.routeLocked(it):
			astray = append(astray, it)
		}
	}
	p.startLocked(t)
	return astray
}
