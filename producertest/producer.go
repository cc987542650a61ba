package producertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka"
)

// Producer is a producer in memory, for tests of programs that log through one.
// It acknowledges every record at once unless it is told to fail, hold, delay or
// drop; each of these holds until it is taken back, and all methods may be
// called at any time and from any goroutine. Make it with [NewProducer].
//
// It keeps the contract of [zapkafka.Producer] except where Drop breaks it. It
// has no limits of its own: Produce never blocks. What it holds or delays beyond
// Limits.DeliveryTimeout it reports with context.DeadlineExceeded.
type Producer struct {
	// turn is held while records are reported, so that they are in the order in
	// which they came. It is taken before mu.
	turn sync.Mutex

	mu      sync.Mutex // guards all below
	limits  zapkafka.Limits
	started bool
	closing bool
	hold    bool
	drop    bool
	delay   time.Duration
	fail    error
	down    error   // not nil: see goDown
	calls   []*call // not reported yet, in their order
	acked   []Message

	idle chan struct{} // one signal: calls has become empty
	done chan struct{} // closed by the first Close when it returns
}

var _ zapkafka.Producer = (*Producer)(nil)

// call is what one Produce has left to report.
type call struct {
	records []*zapkafka.Record
	due     time.Time // not before, for a delay
	expires time.Time
	timers  []*time.Timer
}

// NewProducer returns a producer in memory that acknowledges everything.
func NewProducer() *Producer {
	return &Producer{idle: make(chan struct{}, 1), done: make(chan struct{})}
}

// Fail has records reported with err: those that come, and those that are held
// or delayed and come up for their report. An error that wraps
// zapkafka.ErrRejected is Kafka's last word on a record. With nil records are
// acknowledged again.
func (p *Producer) Fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

// Hold keeps records from now on, as a client does whose broker does not answer.
func (p *Producer) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold, p.down = true, nil
}

// Release ends Hold, and reports what was held before it returns.
func (p *Producer) Release() {
	p.mu.Lock()
	p.hold = false
	p.mu.Unlock()
	p.advance()
}

// Delay reports each record that comes from now on after d, in the order in which
// they came. 0 or less is at once.
func (p *Producer) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Drop swallows records that come while it is true: they are never reported, as
// by a client with a fault. A zapkafka.KafkaSyncer gives them up after its
// DeliveryTimeout.
func (p *Producer) Drop(drop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop = drop
}

// goDown has records fail with err at once, until answerAll: what is held or
// delayed, and what comes. A real client would try for as long as DeliveryTimeout,
// which no test wants to wait for. It does that with records of the replay: else the
// replay would pause, longer with each failure, and a test would have to wait when
// Kafka is back.
func (p *Producer) goDown(err error) {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	p.down = err
	calls := p.calls
	p.calls = nil
	p.mu.Unlock()
	for _, c := range calls {
		p.report(c, err)
	}
}

// ofReplay reports whether the records come from the fallback. A syncer never
// mixes those with others.
func ofReplay(records []*zapkafka.Record) bool {
	for _, h := range records[0].Headers {
		if h.Key == "replayed" {
			return true
		}
	}
	return false
}

// answerAll ends Hold, Delay, Drop and goDown, and reports what was held or delayed
// before it returns.
func (p *Producer) answerAll() {
	p.mu.Lock()
	p.hold, p.delay, p.drop, p.down = false, 0, false, nil
	for _, c := range p.calls {
		c.due = time.Time{}
	}
	p.mu.Unlock()
	p.advance()
}

// Records returns all records that were acknowledged, in their order; the
// partition is always 0. The slice and what it points to belong to the caller.
func (p *Producer) Records() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Message, len(p.acked))
	for i, m := range p.acked {
		all[i] = copyMessage(m)
	}
	return all
}

// Entries returns what Records does, decoded.
func (p *Producer) Entries() Entries {
	var all Entries
	for _, m := range p.Records() {
		all = append(all, newEntry(m))
	}
	return all
}

// count is how many records were acknowledged.
func (p *Producer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acked)
}

func copyMessage(m Message) Message {
	m.Key, m.Value = copyBytes(m.Key), copyBytes(m.Value)
	if m.Headers != nil {
		m.Headers = copyHeaders(m.Headers)
	}
	return m
}

func copyBytes(p []byte) []byte {
	if p == nil {
		return nil
	}
	return append([]byte{}, p...)
}

// Start takes note of the limits. It fails when one of them is not positive, on a
// second call, and after Close. report is not used: this producer has no
// troubles but those of its records.
func (p *Producer) Start(limits zapkafka.Limits, _ zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case limits.Records <= 0 || limits.Bytes <= 0 || limits.RecordBytes <= 0 || limits.DeliveryTimeout <= 0:
		return zapkafka.Overhead{}, fmt.Errorf("producertest: each of the limits must be positive: %+v", limits)
	case p.closing:
		return zapkafka.Overhead{}, errors.New("producertest: Start after Close: make a new producer")
	case p.started:
		return zapkafka.Overhead{}, errors.New("producertest: Start called a second time: a producer serves one KafkaSyncer")
	}
	p.started, p.limits = true, limits
	// A record in Records, beside its value.
	return zapkafka.Overhead{RecordBytes: 200, ValuePercent: 100}, nil
}

// Produce takes the records, all of them unless ctx is done. Before Start and
// after Close it reports each with an error.
func (p *Producer) Produce(ctx context.Context, records []*zapkafka.Record) {
	if err := p.take(ctx, records); err != nil {
		for _, r := range records {
			r.Done(err)
		}
		return
	}
	p.advance()
}

func (p *Producer) take(ctx context.Context, records []*zapkafka.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.started:
		return errors.New("producertest: Produce before Start")
	case p.closing:
		return errClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case p.drop || len(records) == 0:
		return nil
	case p.down != nil && !ofReplay(records):
		return p.down
	}
	now := time.Now()
	c := &call{records: append([]*zapkafka.Record(nil), records...), due: now, expires: now.Add(p.limits.DeliveryTimeout)}
	if p.delay > 0 {
		c.due = now.Add(p.delay)
		c.timers = append(c.timers, time.AfterFunc(p.delay, p.advance))
	}
	if p.down != nil {
		c.due = c.expires
	}
	if p.delay > 0 || p.hold || p.down != nil {
		c.timers = append(c.timers, time.AfterFunc(p.limits.DeliveryTimeout, p.advance))
	}
	p.calls = append(p.calls, c)
	return nil
}

var errClosed = errors.New("producertest: the producer is closed")

// advance reports what is due, up to the first call that is not.
func (p *Producer) advance() {
	p.turn.Lock()
	defer p.turn.Unlock()
	for {
		c, err := p.next()
		if c == nil {
			return
		}
		p.report(c, err)
	}
}

// next takes the first call if it is due.
func (p *Producer) next() (*call, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.calls) == 0 {
		return nil, nil
	}
	c, now := p.calls[0], time.Now()
	switch {
	case !now.Before(c.expires):
		p.calls = p.calls[1:]
		return c, fmt.Errorf("producertest: not reported within %v: %w", p.limits.DeliveryTimeout, context.DeadlineExceeded)
	case p.hold || now.Before(c.due):
		return nil, nil
	}
	p.calls = p.calls[1:]
	return c, p.fail
}

// report reports a call that is no longer among calls.
func (p *Producer) report(c *call, err error) {
	for _, t := range c.timers {
		t.Stop()
	}
	for _, r := range c.records {
		if err == nil {
			m := copyMessage(Message{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers, Time: r.Time})
			p.mu.Lock()
			p.acked = append(p.acked, m)
			p.mu.Unlock()
		}
		r.Done(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.calls) == 0 {
		select {
		case p.idle <- struct{}{}:
		default:
		}
	}
}

// Flush does nothing: nothing is collected.
func (p *Producer) Flush(context.Context) {}

// Close waits until everything is reported that is held or delayed, or until ctx
// is done, and reports the rest with an error. What Drop has swallowed stays
// swallowed. The error is nil, or that of ctx for a later Close which did not
// wait for the first.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	first := !p.closing
	p.closing = true
	p.mu.Unlock()
	if !first {
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(p.done)
	for p.pending() {
		if !p.isDown() {
			select {
			case <-p.idle:
				continue
			case <-ctx.Done():
			}
		}
		p.giveUp()
	}
	// A report that is under way has begun before this.
	p.turn.Lock()
	defer p.turn.Unlock()
	return nil
}

func (p *Producer) pending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls) > 0
}

// isDown reports whether it is no use to wait. That it becomes so reports all
// calls.
func (p *Producer) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down != nil
}

func (p *Producer) giveUp() {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	calls := p.calls
	p.calls = nil
	p.mu.Unlock()
	for _, c := range calls {
		p.report(c, errClosed)
	}
}
