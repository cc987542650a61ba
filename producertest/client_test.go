package producertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka"
)

// bug is a way in which a client breaks the contract.
type bug string

// client is a producer for memoryBrokers. Without a bug it keeps the contract.
type client struct {
	b       *memoryBroker
	bug     bug
	release <-chan struct{} // ends what a bug blocks

	mu       sync.Mutex // guards the below
	started  bool
	closing  bool
	limits   zapkafka.Limits
	report   zapkafka.ErrorHandler
	queue    []*entry
	inflight int
	kept     []*zapkafka.Record // a slice that is the caller's
	told     bool
	flushed  bool
	cancel   context.CancelFunc // ends the request that is under way

	room  chan struct{} // signal: inflight is lower
	work  chan struct{} // signal: queue is longer
	ended chan struct{} // closed when Close begins
	gone  chan struct{} // closed when the sender has ended
	life  context.Context
	kill  context.CancelFunc
	once  sync.Once
}

// entry is a record in the client's hands.
type entry struct {
	r        *zapkafka.Record
	ctx      context.Context // of its Produce, for a bug
	deadline time.Time
}

func newClient(b *memoryBroker, bug bug, release <-chan struct{}) *client {
	c := &client{b: b, bug: bug, release: release, room: make(chan struct{}, 1), work: make(chan struct{}, 1),
		ended: make(chan struct{}), gone: make(chan struct{})}
	c.life, c.kill = context.WithCancel(context.Background())
	return c
}

func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// block is what a bug does that never returns.
func (c *client) block() { <-c.release }

func (c *client) Start(l zapkafka.Limits, report zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	if c.bug == "dials in Start" {
		ctx, cancel := context.WithTimeout(c.life, patience)
		defer cancel()
		if err := c.b.dial(ctx); err != nil {
			return zapkafka.Overhead{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.Records <= 0 || l.Bytes <= 0 || l.RecordBytes <= 0 || l.DeliveryTimeout <= 0 {
		if c.bug == "leaves a goroutine when Start fails" {
			go c.block()
		}
		if c.bug != "takes any limits" {
			return zapkafka.Overhead{}, errors.New("client: bad limits")
		}
	}
	if c.closing || c.started {
		if c.bug == "starts twice" {
			return zapkafka.Overhead{}, nil
		}
		return zapkafka.Overhead{}, errors.New("client: used before")
	}
	c.started, c.limits, c.report = true, l, report
	go c.send()
	if c.bug == "has negative overhead" {
		return zapkafka.Overhead{RecordBytes: -1}, nil
	}
	return zapkafka.Overhead{RecordBytes: 64, ValuePercent: 100}, nil
}

func (c *client) Produce(ctx context.Context, records []*zapkafka.Record) {
	if c.bug == "keeps the slice" {
		c.mu.Lock()
		records, c.kept = c.kept, records
		c.mu.Unlock()
		for _, r := range records {
			if r.Topic == "" { // panics: the caller has emptied its slice
				return
			}
		}
	}
	for len(records) > 0 {
		n, err := c.admit(ctx, records)
		if err != nil {
			for _, r := range records {
				r.Done(err)
			}
			return
		}
		records = records[n:]
	}
}

// admit puts some records into the queue, and waits until it can.
func (c *client) admit(ctx context.Context, records []*zapkafka.Record) (int, error) {
	if c.bug != "ignores the context in Produce" && ctx.Err() != nil {
		if c.bug == "hides the context's error" {
			return 0, errors.New("client: sorry")
		}
		return 0, ctx.Err()
	}
	for {
		n, err := c.tryAdmit(ctx, records)
		if n > 0 || err != nil {
			return n, err
		}
		if c.bug == "refuses what there is no room for" {
			return 0, errors.New("client: full")
		}
		ended, done := c.ended, ctx.Done()
		if c.bug == "ignores the context in Produce" {
			done = nil
		}
		if c.bug == "Close does not end Produce" {
			c.block()
			return 0, errClosed
		}
		select {
		case <-c.room:
		case <-ended:
		case <-c.release:
			return 0, errClosed
		case <-done:
			return 0, ctx.Err()
		}
	}
}

func (c *client) tryAdmit(ctx context.Context, records []*zapkafka.Record) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		switch c.bug {
		case "panics after Close":
			panic("send on closed channel")
		case "acknowledges after Close":
			for _, r := range records {
				r.Done(nil)
			}
			return len(records), nil
		case "drops what comes beside Close":
			return len(records), nil
		}
		return 0, errClosed
	case !c.started:
		if c.bug == "blocks before Start" {
			c.block()
		}
		return 0, errors.New("client: not started")
	}
	n := c.limits.Records - c.inflight
	if n > len(records) {
		n = len(records)
	}
	if n <= 0 {
		return 0, nil
	}
	c.inflight += n
	deadline := time.Now().Add(c.limits.DeliveryTimeout)
	for i := 0; i < n; i++ {
		r := records[i]
		if c.bug == "writes to the record" {
			r.Time = r.Time.Add(time.Second)
		}
		c.queue = append(c.queue, &entry{r: r, ctx: ctx, deadline: deadline})
		if c.bug == "acknowledges before it sends" {
			r.Done(nil)
		}
	}
	if c.bug == "loses order" && len(c.queue) > 1 {
		last := len(c.queue) - 1
		c.queue[0], c.queue[last] = c.queue[last], c.queue[0]
	}
	notify(c.work)
	return n, nil
}

// send is the client's goroutine.
func (c *client) send() {
	defer close(c.gone)
	if c.bug == "Close discards" { // what it has collected for a fuller batch
		<-c.life.Done()
	}
	for {
		batch := c.take()
		if batch == nil {
			select {
			case <-c.work:
				continue
			case <-c.life.Done():
			}
			if batch = c.take(); batch == nil {
				return
			}
		}
		c.deliver(batch)
	}
}

// take takes the first records of one topic out of the queue.
func (c *client) take() []*entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.queue) && n < 500 && c.queue[n].r.Topic == c.queue[0].r.Topic {
		n++
	}
	batch := c.queue[:n:n]
	c.queue = c.queue[n:]
	if n == 0 {
		return nil
	}
	return batch
}

// deliver sends the batch until it is stored, or out of time.
func (c *client) deliver(batch []*entry) {
	topic := batch[0].r.Topic
	messages := make([]Message, len(batch))
	for i, e := range batch {
		messages[i] = c.message(e.r)
	}
	for {
		err := c.attempt(batch, topic, messages)
		switch {
		case err == nil:
			c.finish(batch, nil)
			return
		case errors.Is(err, errTooLarge) && len(batch) > 1:
			for i := range batch {
				c.deliver(batch[i : i+1])
			}
			return
		case errors.Is(err, errTooLarge):
			if c.bug == "does not say rejected" {
				c.finish(batch, err)
				return
			}
			reason := zapkafka.ErrTooLarge
			if c.bug == "does not say too large" {
				reason = zapkafka.ErrRejected
			}
			c.finish(batch, fmt.Errorf("client: %w: %w", reason, err))
			return
		case errors.Is(err, errNoTopic):
			c.tell(topic)
			if c.bug == "acknowledges without a topic" {
				c.finish(batch, nil)
				return
			}
		}
		if c.bug == "never retries" {
			c.finish(batch, err)
			return
		}
		if c.life.Err() != nil {
			if c.bug != "Close forgets" {
				c.finish(batch, errClosed)
			}
			return
		}
		if c.bug == "gives up in Flush" && c.hasFlushed() || c.bug == "gives up at the end of Produce's context" && batch[0].ctx.Err() != nil {
			c.finish(batch, err)
			return
		}
		if !time.Now().Before(batch[0].deadline) && c.bug != "never times out" {
			c.expire(batch, messages)
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-c.life.Done():
		}
	}
}

func (c *client) attempt(batch []*entry, topic string, messages []Message) error {
	ctx, cancel := context.WithDeadline(c.life, batch[0].deadline)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	c.cancel = cancel
	flushed := c.flushed
	c.mu.Unlock()
	if flushed { // by a bug
		return context.Canceled
	}
	if c.bug == "gives up at the end of Produce's context" {
		select {
		case <-batch[0].ctx.Done():
			return errClosed
		case <-time.After(200 * time.Millisecond):
		}
	}
	if c.bug == "refuses large values" && len(messages[0].Value) > 500_000 {
		return errTooLarge
	}
	return c.b.produce(ctx, topic, messages)
}

func (c *client) message(r *zapkafka.Record) Message {
	m := Message{Value: append([]byte{}, r.Value...), Time: r.Time}
	if c.bug != "loses the key" && r.Key != nil {
		m.Key = append([]byte{}, r.Key...)
	}
	if c.bug != "loses the headers" && r.Headers != nil {
		m.Headers = copyHeaders(r.Headers)
	}
	if c.bug == "loses the time" {
		m.Time = time.Now()
	}
	return m
}

// expire gives up records that are out of time, which all of a batch are
// together.
func (c *client) expire(batch []*entry, messages []Message) {
	err := fmt.Errorf("client: %w", context.DeadlineExceeded)
	switch c.bug {
	case "acknowledges at its deadline":
		err = nil
	case "rejects what is out of time":
		err = fmt.Errorf("client: %w", zapkafka.ErrRejected)
	}
	c.finish(batch, err)
	if c.bug == "sends after Done" {
		for i, e := range batch {
			messages[i] = c.message(e.r)
		}
		topic := c.b.Topic()
		for c.b.produce(c.life, topic, messages) != nil && c.life.Err() == nil {
			<-time.After(10 * time.Millisecond)
		}
	}
}

func (c *client) tell(topic string) {
	c.mu.Lock()
	told := c.told
	c.told = true
	c.mu.Unlock()
	if !told && c.bug != "says nothing of a topic" {
		c.report(fmt.Errorf("client: topic %q does not exist", topic))
	}
}

func (c *client) finish(batch []*entry, err error) {
	if c.bug == "rejects what has no topic" && batch[0].r.Topic == c.b.MissingTopic() {
		err = fmt.Errorf("client: %w", zapkafka.ErrRejected)
	}
	for i, e := range batch {
		if c.bug == "acknowledges before it sends" || c.bug == "drops a record" && i == 7 {
			continue
		}
		r := e.r
		r.Done(err)
		if c.bug == "reports twice" {
			r.Done(err)
		}
	}
	c.mu.Lock()
	c.inflight -= len(batch)
	c.mu.Unlock()
	notify(c.room)
}

func (c *client) Flush(context.Context) {
	switch c.bug {
	case "blocks in Flush":
		for c.pending() > 0 {
			select {
			case <-c.release:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	case "gives up in Flush":
		c.mu.Lock()
		defer c.mu.Unlock()
		c.flushed = true
		c.cancel()
	case "panics in Flush":
		panic("nil pointer")
	}
}

func (c *client) hasFlushed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushed
}

func (c *client) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inflight
}

func (c *client) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	started := c.started
	c.mu.Unlock()
	if !first {
		switch c.bug {
		case "panics in a second Close":
			panic("close of closed channel")
		case "waits without its own context":
			ctx = context.Background()
		}
		select {
		case <-c.gone:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	close(c.ended)
	if c.bug == "leaves a goroutine" {
		go c.block()
	}
	if c.bug == "Close never returns" {
		c.block()
	}
	if c.bug == "Close uses all of its time" {
		select {
		case <-ctx.Done():
		case <-c.release:
		}
	}
	for c.pending() > 0 && ctx.Err() == nil && c.bug != "Close discards" || c.pending() > 0 && c.bug == "Close waits for everything" {
		select {
		case <-c.room:
		case <-c.release:
		case <-time.After(5 * time.Millisecond):
		}
	}
	c.kill()
	if !started {
		c.once.Do(func() { close(c.gone) })
	}
	<-c.gone
	return nil
}
