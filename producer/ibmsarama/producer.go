package ibmsarama

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
)

// Producer hands log records to Kafka through sarama's AsyncProducer. It is a
// [zapkafka.Producer]; one Producer serves one KafkaSyncer. Make it with [New],
// or with [Wrap] for a sarama producer that exists already; the zero value cannot
// be started.
type Producer struct {
	// Set by New or Wrap and then only read.
	brokers []string
	config  *sarama.Config       // a copy
	wrapped sarama.AsyncProducer // nil unless made by Wrap

	mu      sync.Mutex // guards the six below, and adding to inflight
	started bool
	closing bool
	lanes   map[string]*lane    // by topic
	live    map[*block]struct{} // blocks that are not settled
	current *generation         // the latest; nil before the first record
	dialing *wire               // that of the client which was last begun

	building sync.Mutex // held while a client is made

	// Set by Start, before started, and then only read.
	limits   zapkafka.Limits
	capacity int64 // records that may be with the Producer
	reports  *reporter
	timedOut error // what a record is reported with at its deadline

	inflight    atomic.Int64 // records admitted and not yet reported
	seq         atomic.Uint64
	shunned     shunned
	lastFailure atomic.Pointer[failure]

	// waiting is true while Produce waits for room, draining while Close waits
	// for the last record. Who reports a record looks at them after lowering
	// inflight, the waiters raise them before they read it: one of the two
	// always sees the other. Both channels have room for one signal.
	waiting  atomic.Bool
	room     chan struct{}
	draining atomic.Bool
	idle     chan struct{}

	ended    chan struct{}  // closed by Close when it begins
	stopped  chan struct{}  // closed by Close when it gives up what is left
	done     chan struct{}  // closed by the first Close when it returns
	closeErr error          // set before done is closed
	work     sync.WaitGroup // every goroutine of ours, and Produce
}

var _ zapkafka.Producer = (*Producer)(nil)

// New returns a Producer for the Kafka cluster that the brokers belong to. A
// broker is "host:port", or "host" for port 9092; one that answers is enough to
// find the others, two or three survive the loss of one. At least one is
// required.
//
// The config is sarama's own, for TLS, SASL and all else; nil means [NewConfig],
// which is also what to start from when something is to be added. It is copied
// and never changed; what it points to (TLS, metrics, interceptors) is used as it
// is. Settings with which the contract of a Producer could not be kept are
// refused by name, here or by Start; the package documentation lists them.
//
// New does not dial, starts nothing, and needs no Close if Start is never
// called. Its error says everything that is wrong with the brokers and the
// config. The slice is copied.
func New(brokers []string, config *sarama.Config) (*Producer, error) {
	if config == nil {
		config = NewConfig()
	}
	c := *config
	if err := errors.Join(checkBrokers(brokers), checkConfig(&c)); err != nil {
		return nil, err
	}
	p := newProducer(&c)
	for _, b := range brokers {
		p.brokers = append(p.brokers, withPort(b))
	}
	return p, nil
}

// withPort adds Kafka's usual port to a checked address that has none.
func withPort(broker string) string {
	host, _, hasPort := splitBroker(broker)
	if hasPort {
		return broker
	}
	return net.JoinHostPort(host, "9092")
}

func newProducer(c *sarama.Config) *Producer {
	return &Producer{
		config:  c,
		lanes:   make(map[string]*lane),
		live:    make(map[*block]struct{}),
		room:    make(chan struct{}, 1),
		idle:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		stopped: make(chan struct{}),
		done:    make(chan struct{}),
	}
}

// Start takes the limits and returns what the client holds beside the values. It
// does not dial: the first record has the client made, in the background, and
// records wait until it is connected or their time is over. Report is told why
// records have to be tried again, at most once in ten seconds for the same
// trouble of the same topic; it may be nil.
//
// It fails when called twice or after Close, when a limit is not positive, and
// when the configuration contradicts the limits; the error names the setting.
// After a failure because of limits or settings Start may be called again.
func (p *Producer) Start(limits zapkafka.Limits, report zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	if p == nil || p.ended == nil {
		return zapkafka.Overhead{}, errors.New("ibmsarama: this Producer was not made with New or Wrap: the zero value cannot be started")
	}
	if err := errors.Join(checkLimits(limits), checkSizes(p.config, limits)); err != nil {
		return zapkafka.Overhead{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return zapkafka.Overhead{}, errors.New("ibmsarama: Start after Close: a Producer is used once, make a new one")
	case p.started:
		return zapkafka.Overhead{}, errors.New("ibmsarama: Start called a second time: a Producer serves one KafkaSyncer, make another for the second")
	}
	p.limits = limits
	p.capacity = int64(limits.Records)
	p.reports = newReporter(report, limits.DeliveryTimeout, p.config)
	p.reports.wrapped = p.wrapped != nil
	p.timedOut = fmt.Errorf("%s: %w", timeoutText(limits.DeliveryTimeout), context.DeadlineExceeded)
	if p.wrapped != nil {
		p.current = p.newGeneration(p.wrapped, nil, nil)
	}
	p.started = true
	return overhead, nil
}

// Produce takes the records and returns; they are handed to the client and
// reported in the background. It copies no value and no key: the client reads the
// records' own memory until their Done.
//
// It blocks only while as many records as Limits.Records are with the Producer,
// which the syncer never asks for, until ctx is done or Close begins. A ctx that
// is done takes nothing. Before Start and after Close every record is reported
// with an error at once. The end of ctx does not touch records that were taken:
// these have until Limits.DeliveryTimeout.
func (p *Producer) Produce(ctx context.Context, records []*zapkafka.Record) {
	for len(records) > 0 {
		n, err := p.admit(ctx, min(len(records), blockRecords))
		if err != nil {
			for _, r := range records {
				r.Done(err)
			}
			return
		}
		p.hand(records[:n])
		p.work.Done()
		records = records[n:]
	}
}

// hand puts admitted records into the lanes of their topics.
func (p *Producer) hand(records []*zapkafka.Record) {
	b := p.newBlock(records)
	type part struct {
		lane     *lane
		from, to int
	}
	var parts []part
	for i, r := range records {
		if n := len(parts); n > 0 && parts[n-1].lane.topic == r.Topic {
			parts[n-1].to = i + 1
		} else {
			parts = append(parts, part{p.lane(r.Topic), i, i + 1})
		}
		b.entries[i].lane = parts[len(parts)-1].lane
	}
	// From the first push on the entries are no longer ours.
	b.start()
	for _, part := range parts {
		part.lane.push(b.entries[part.from:part.to])
	}
}

// admit waits for room, takes it for at most want records, and returns for how
// many. The error is why there will be none. The caller owes p.work a Done for
// each success.
func (p *Producer) admit(ctx context.Context, want int) (int, error) {
	n, err := p.tryAdmit(ctx, want)
	if n > 0 || err != nil {
		return n, err
	}
	p.waiting.Store(true)
	defer p.waiting.Store(false)
	for {
		n, err := p.tryAdmit(ctx, want)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-p.room:
		case <-ctx.Done():
		case <-p.ended:
		}
	}
}

func (p *Producer) tryAdmit(ctx context.Context, want int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	// The lock makes it one step to find the Producer open and to be counted:
	// a Close that comes after waits for these records.
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return 0, errClosed
	case !p.started:
		return 0, errNotStarted
	}
	n := min(int64(want), p.capacity-p.inflight.Load())
	if n <= 0 {
		return 0, nil
	}
	p.inflight.Add(n)
	p.work.Add(1)
	return int(n), nil
}

// finished is told when a record has been reported.
func (p *Producer) finished() {
	left := p.inflight.Add(-1)
	if p.waiting.Load() {
		signal(p.room)
	}
	if left == 0 && p.draining.Load() {
		signal(p.idle)
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // one is waiting there already
	}
}

// Flush does nothing. sarama has no call that ends its collecting, which is over
// by itself after Producer.Flush.Frequency: 5 ms with [NewConfig].
func (*Producer) Flush(context.Context) {}

func (p *Producer) isStopped() bool {
	select {
	case <-p.stopped:
		return true
	default:
		return false
	}
}
