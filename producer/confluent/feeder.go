//go:build cgo

package confluent

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

// call is one call of Produce on its way through the feeder. The two share the
// records by their index: the feeder takes one after the other, and Produce,
// when it gives up, takes all that are left.
type call struct {
	records []*zapkafka.Record // a copy: the caller's slice is his again when Produce returns
	next    atomic.Int64       // the first record that nobody has taken
	begun   time.Time
	done    chan struct{} // has room for one signal: the feeder is through
	stop    chan struct{} // closed by giveUp
	err     error         // set before stop is closed
}

func (p *Producer) newCall(records []*zapkafka.Record) *call {
	c := p.spare
	p.spare = nil
	if c == nil {
		c = &call{done: make(chan struct{}, 1), stop: make(chan struct{})}
	}
	c.records = append(c.records[:0], records...)
	c.begun = time.Now()
	c.next.Store(0)
	return c
}

// take returns the next record, nil when there are no more.
func (c *call) take() *zapkafka.Record {
	i := c.next.Add(1) - 1
	if i >= int64(len(c.records)) {
		return nil
	}
	r := c.records[i]
	c.records[i] = nil
	return r
}

// giveUp reports all records that have not been taken.
func (c *call) giveUp(err error) {
	c.err = err
	close(c.stop)
	from := c.next.Swap(math.MaxInt32) // the feeder adds one more at most
	for _, r := range c.records[min(from, int64(len(c.records))):] {
		r.Done(err)
	}
}

const (
	// roomAfter is how long the feeder waits before it asks a client without
	// room again.
	roomAfter = 5 * time.Millisecond
	// rebuildAfter is the least time between two clients, the first of which
	// came to a fatal error.
	rebuildAfter = 5 * time.Second
)

// feed is the goroutine that calls the client. A call into the C library can
// hang, so it is not made on the caller's goroutine: Produce can then return,
// and there is never more than this one stuck.
func (p *Producer) feed() {
	defer close(p.fed)
	for {
		select {
		case <-p.ended:
			return
		case c := <-p.calls:
			for r := c.take(); r != nil; r = c.take() {
				if err := p.hand(c, r); err != nil {
					r.Done(err)
				}
			}
			c.done <- struct{}{}
		}
	}
}

// hand gives the record to the client. With an error the client does not have
// it; without one it belongs to the client, and may have been reported already.
func (p *Producer) hand(c *call, r *zapkafka.Record) error {
	if r.Topic != p.topic || r.Topic == "" {
		if err := checkTopic(r.Topic); err != nil {
			return err
		}
		p.topic = r.Topic
	}
	for {
		cl, err := p.open()
		if err != nil {
			return err
		}
		err = cl.produce(r)
		switch {
		case err == nil:
			return nil
		case code(err) == kafka.ErrQueueFull:
			if err := p.awaitRoom(c); err != nil {
				return err
			}
		case fatal(err):
			cl.fail(err) // and once more with the next client
		default:
			return p.failure(cl, r.Topic, err)
		}
	}
}

// awaitRoom waits a moment. It fails when there is nothing left to wait for.
func (p *Producer) awaitRoom(c *call) error {
	if time.Since(c.begun) > p.limits.DeliveryTimeout {
		return p.timedOut
	}
	select {
	case <-c.stop:
		return c.err
	case <-p.ended:
		return errClosed
	case <-time.After(roomAfter):
		return nil
	}
}

// open returns the client, and builds it when there is none: for the first
// record, and for the first after a fatal error, of which a client of this kind
// never recovers.
func (p *Producer) open() (*client, error) {
	if p.client != nil {
		err := p.client.failed()
		if err == nil {
			return p.client, nil
		}
		p.client, p.lastFatal = nil, err
	}
	if p.lastFatal != nil && time.Since(p.built) < rebuildAfter {
		return nil, p.lastFatal
	}
	p.built = time.Now()
	cl, err := newClient(p)
	if err != nil {
		p.lastFatal = err
		return nil, err
	}
	p.client, p.lastFatal = cl, nil
	return cl, nil
}
