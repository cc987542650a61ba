package kafkago

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/zapkafka/zapkafka"
)

// Producer hands log records to Kafka through kafka-go's Client.Produce. It is a
// [zapkafka.Producer] and keeps that contract; one Producer serves one
// KafkaSyncer. Make it with [New]; the zero value cannot be started.
type Producer struct {
	// Set by New and then only read.
	config  Config
	brokers []string

	// Set by Start under mu, before started is true, and then only read.
	limits   zapkafka.Limits
	epoch    time.Time // what the Producer's clock counts from
	reports  *reporter
	cluster  *cluster
	client   *kafka.Client
	timedOut error              // what a record is reported with at its deadline
	life     context.Context    // ended by kill: gives up what is held
	kill     context.CancelFunc // called by Close

	mu      sync.Mutex // guards the rest, and what the topics and partitions say it guards
	started bool
	closing bool
	topics  map[string]*topic
	records int   // records taken and not yet reported
	bytes   int64 // their sizes

	room     chan struct{}  // one signal: records have been reported
	ended    chan struct{}  // closed by Close when it begins
	done     chan struct{}  // closed by the first Close when it returns
	closeErr error          // set before done is closed
	workers  sync.WaitGroup // senders and searches; added to under mu before closing, or by one of them
}

var _ zapkafka.Producer = (*Producer)(nil)

// New returns a Producer for the Kafka cluster that the brokers belong to. A
// broker is "host:port", or "host" for port 9092; one that answers is enough to
// find the others, two or three survive the loss of one. At least one is
// required. A nil config means the defaults.
//
// New does not dial, starts nothing, and needs no Close if Start is never
// called. Its error says what is wrong with the brokers or the config, and what
// would be right. Both are copied.
func New(brokers []string, config *Config) (*Producer, error) {
	if err := checkBrokers(brokers); err != nil {
		return nil, err
	}
	full, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	addrs := make([]string, len(brokers))
	for i, b := range brokers {
		if strings.HasPrefix(b, "[") && strings.HasSuffix(b, "]") {
			b = b[1 : len(b)-1] // kafka.TCP adds the port, and brackets of its own
		}
		addrs[i] = b
	}
	return &Producer{
		config:  full,
		brokers: addrs,
		topics:  make(map[string]*topic),
		room:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		done:    make(chan struct{}),
	}, nil
}

// Start sets the limits and returns what is held beside the values. It does not
// dial: the first record does, in the background, and is tried again until its
// deadline. Report is told of failing connections, refused credentials, missing
// topics and partitions that take nothing, at most once in ten seconds for the
// same complaint; it may be nil.
//
// It fails when called twice or after Close, and when a limit is not positive.
func (p *Producer) Start(limits zapkafka.Limits, report zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	if p == nil || p.ended == nil {
		return zapkafka.Overhead{}, errors.New("kafkago: this Producer was not made with New: the zero value cannot be started")
	}
	if err := checkLimits(limits); err != nil {
		return zapkafka.Overhead{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return zapkafka.Overhead{}, errors.New("kafkago: Start after Close: a Producer is used once, make a new one")
	case p.started:
		return zapkafka.Overhead{}, errors.New("kafkago: Start called a second time: a Producer serves one KafkaSyncer, make another for the second")
	}
	p.started = true
	p.limits = limits
	p.epoch = time.Now()
	attempt := requestTimeout(limits.DeliveryTimeout)
	p.reports = newReporter(report, limits.DeliveryTimeout, attempt, p.config.AllowAutoTopicCreation)
	p.reports.tls = p.config.Transport.TLS != nil
	p.timedOut = fmt.Errorf("kafkago: not acknowledged by Kafka within %v: %w", limits.DeliveryTimeout, context.DeadlineExceeded)
	p.life, p.kill = context.WithCancel(context.Background())
	p.cluster = newCluster(p.life, p.config.Transport)
	p.client = &kafka.Client{Addr: kafka.TCP(p.brokers...), Timeout: attempt, Transport: p.cluster}
	return overhead, nil
}

// blockRecords is how many records Produce takes at a time, which bounds for how
// long it holds the lock.
const blockRecords = 2048

// Produce takes the records and returns; they are sent and reported in the
// background. A value is copied when it is sent and not before.
//
// It blocks only while as much as Limits.Records or Limits.Bytes is in hand,
// which the syncer never asks for, until ctx is done or Close begins. A ctx that
// is done takes nothing. Before Start and after Close every record is reported
// with an error at once. The end of ctx does not touch records that have been
// taken: these have until Limits.DeliveryTimeout.
func (p *Producer) Produce(ctx context.Context, records []*zapkafka.Record) {
	for len(records) > 0 {
		n, astray, misnamed, err := p.accept(ctx, records[:min(len(records), blockRecords)])
		p.report(astray, errAstray)
		p.report(misnamed, errTopicName)
		records = records[n:]
		if n == 0 && err == nil {
			select {
			case <-p.room:
			case <-ctx.Done():
			case <-p.ended:
			}
		}
		if err != nil {
			for _, r := range records {
				r.Done(err)
			}
			return
		}
	}
}

// accept takes as many of the records as there is room for. The error is why
// there will be none. The items are such as the Balancer has led astray, and
// such as are for a topic that cannot be.
func (p *Producer) accept(ctx context.Context, records []*zapkafka.Record) (n int, astray, misnamed []item, err error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return 0, nil, nil, errClosed
	case !p.started:
		return 0, nil, nil, errNotStarted
	}
	now := p.now()
	for _, t := range p.topics {
		t.offerLocked(now)
	}
	for _, r := range records {
		bytes := int64(size(r))
		// One record is taken whatever its size.
		if p.records >= p.limits.Records || p.records > 0 && p.bytes+bytes > p.limits.Bytes {
			break
		}
		p.records++
		p.bytes += bytes
		n++
		it := item{record: r, expiry: now + p.limits.DeliveryTimeout}
		switch {
		case p.topics[r.Topic] == nil && !isTopicName(r.Topic):
			misnamed = append(misnamed, it)
		case !p.topicLocked(r.Topic).routeLocked(it):
			astray = append(astray, it)
		}
	}
	// Only now, so that the first batches are as full as can be.
	for _, t := range p.topics {
		p.startLocked(t)
	}
	return n, astray, misnamed, nil
}

// now is the Producer's clock. Its zero is Start.
func (p *Producer) now() time.Duration { return time.Since(p.epoch) }

// report reports the outcome of the items and makes room.
func (p *Producer) report(items []item, err error) {
	if len(items) == 0 {
		return
	}
	bytes := int64(0)
	for i := range items {
		r := items[i].record
		bytes += int64(size(r)) // before Done, which ends our right to read it
		items[i].record = nil
		r.Done(err)
	}
	p.mu.Lock()
	p.records -= len(items)
	p.bytes -= bytes
	p.mu.Unlock()
	select {
	case p.room <- struct{}{}:
	default: // a signal is there already
	}
}

// tooLate is what is reported for records whose time is up, with what the last
// attempt came to.
func (p *Producer) tooLate(last error) error {
	if last == nil {
		return p.timedOut
	}
	return fmt.Errorf("%w; the last attempt: %w", p.timedOut, last)
}

// Flush does nothing: nothing is held back for a fuller batch. What is taken is
// sent as soon as its partition has no other batch under way.
func (p *Producer) Flush(context.Context) {}
