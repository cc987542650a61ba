//go:build cgo

package confluent

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

// client is one instance of the C library's producer with the goroutines that
// read what it says. There is one at a time, except for a moment after a fatal
// error: the old one is then still being freed.
type client struct {
	p     *Producer
	kafka *kafka.Producer
	logs  chan kafka.LogEvent // closed by retire; nil if the lines go to the user's channel

	message kafka.Message // used by produce only; the client does not keep it

	feeding sync.Mutex // held while the C library takes a record

	inflight atomic.Int64
	idle     chan struct{} // has room for one signal: inflight came to 0

	topics topicBook

	cause   atomic.Pointer[error] // why it was ended
	quit    chan struct{}         // closed by retire when it begins
	freed   chan struct{}         // closed by retire at its end
	readers sync.WaitGroup        // of events and logs
	watcher sync.WaitGroup
}

// newClient builds a client, which begins to dial in the background.
func newClient(p *Producer) (*client, error) {
	c := &client{
		p:     p,
		idle:  make(chan struct{}, 1),
		quit:  make(chan struct{}),
		freed: make(chan struct{}),
	}
	conf := kafka.ConfigMap{}
	for name, value := range *p.conf {
		conf[name] = value
	}
	if conf["go.logs.channel"] == nil && conf["go.logs.channel.enable"] == true {
		c.logs = make(chan kafka.LogEvent, 64)
		conf["go.logs.channel"] = c.logs
	}
	var err error
	if c.kafka, err = kafka.NewProducer(&conf); err != nil {
		return nil, fmt.Errorf("confluent: the client cannot be built: %s", p.user.redact(err.Error()))
	}
	p.mu.Lock()
	p.clients[c] = true
	p.mu.Unlock()
	c.readers.Go(c.readEvents)
	if c.logs != nil {
		c.readers.Go(func() {
			for line := range c.logs {
				p.reports.log(line)
			}
		})
	}
	c.watcher.Go(c.watchTopics)
	return c, nil
}

// produce is called by the feeder only.
func (c *client) produce(r *zapkafka.Record) error {
	c.feeding.Lock()
	defer c.feeding.Unlock()
	if err := c.failed(); err != nil {
		return err // it may have been freed
	}
	m := &c.message
	m.TopicPartition = kafka.TopicPartition{Topic: &r.Topic, Partition: kafka.PartitionAny}
	m.Key, m.Value, m.Timestamp, m.Opaque = r.Key, r.Value, r.Time, r
	m.Headers = m.Headers[:0]
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	// Before the call: the report may come before it returns.
	fed := c.topics.fed(r.Topic)
	c.inflight.Add(1)
	c.p.inflight.Add(1)
	err := c.kafka.Produce(m, nil)
	m.TopicPartition.Topic, m.Key, m.Value, m.Opaque = nil, nil, nil, nil
	clear(m.Headers)
	if err != nil {
		fed.pending.Add(-1)
		c.finished()
		if code(err) == kafka.ErrFatal {
			err = c.kafka.GetFatalError() // which says why
		}
	}
	return err
}

// finished is told that a record is no longer with the client.
func (c *client) finished() {
	if c.inflight.Add(-1) == 0 {
		signal(c.idle)
	}
	if c.p.inflight.Add(-1) == 0 {
		signal(c.p.idle)
	}
}

// readEvents reads until the client is closed. The client stops working when
// nobody reads.
func (c *client) readEvents() {
	for event := range c.kafka.Events() {
		switch e := event.(type) {
		case *kafka.Message:
			c.report(e)
		case kafka.Error:
			c.p.reports.event(e)
			if fatal(e) {
				c.fail(e)
			}
		case kafka.OAuthBearerTokenRefresh:
			c.p.reports.noToken()
		}
	}
}

// report passes the outcome of a record on.
func (c *client) report(m *kafka.Message) {
	r, ok := m.Opaque.(*zapkafka.Record)
	if !ok {
		return // not ours
	}
	err := m.TopicPartition.Error
	c.topics.out(r.Topic)
	if err != nil {
		err = c.p.failure(c, r.Topic, err)
	}
	r.Done(err)
	c.finished()
}

// fail ends the client after a fatal error: it will never deliver again.
func (c *client) fail(err error) {
	c.end(fmt.Errorf("confluent: the client gave up and is replaced: %w", err))
}

// failed returns why the client was ended, nil if it was not.
func (c *client) failed() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// end gives up what the client holds and frees it, on a goroutine of its own.
// Freed is closed when that is through. Only the first call counts.
func (c *client) end(cause error) {
	if c.cause.CompareAndSwap(nil, &cause) {
		go c.retire()
	}
}

// purgeAgain is how often retire repeats a purge that has not reached all
// records: one may have been on its way from a queue to another.
const purgeAgain = 250 * time.Millisecond

const purgeAll = kafka.PurgeQueue | kafka.PurgeInFlight | kafka.PurgeNonBlocking

// retire follows the order in which nothing is lost: the client's Close drops
// reports that have not been read (kafka/event.go, eventPoll, at termChan), so
// it comes when there are none.
func (c *client) retire() {
	close(c.quit)
	c.purge()
	// The C library may be freed only when nobody is in it. The feeder finds the
	// cause when it comes next, but may have been there before it was set.
	c.feeding.Lock()
	c.feeding.Unlock() //nolint:gocritic,staticcheck // an empty section: it is the wait that counts
	c.purge()
	c.watcher.Wait()
	c.kafka.Close()
	if c.logs != nil {
		close(c.logs) // Close has waited for the goroutine that writes to it
	}
	c.readers.Wait()
	c.p.mu.Lock()
	delete(c.p.clients, c)
	c.p.mu.Unlock()
	close(c.freed)
}

// purge gives up records until there are none.
func (c *client) purge() {
	for c.inflight.Load() > 0 {
		// Not the kind that waits: it waits for each broker's thread, and those
		// may be resolving a name (rdkafka.c, rd_kafka_purge).
		_ = c.kafka.Purge(purgeAll) // fails for unknown flags only
		again := time.NewTimer(purgeAgain)
		select {
		case <-c.idle:
		case <-again.C:
		}
		again.Stop()
	}
}
