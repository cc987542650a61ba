//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

// Producer hands log records to Kafka through confluent-kafka-go. It is a
// [zapkafka.Producer] and keeps that contract; one Producer serves one
// KafkaSyncer. Make it with [New]; the zero value cannot be started.
type Producer struct {
	// Set by New and then only read. The config is behind pointers, so that
	// whoever prints a Producer does not print passwords.
	brokers []string
	user    *settings

	mu       sync.Mutex // guards the four below
	starting bool
	started  bool
	closing  bool
	clients  map[*client]bool // those that have not been freed

	// Set by Start, before started, and then only read.
	limits   zapkafka.Limits
	conf     *kafka.ConfigMap // what clients are built from
	reports  *reporter
	timedOut error // what a record is reported with at its deadline

	inflight atomic.Int64  // records with clients and not yet reported
	idle     chan struct{} // has room for one signal: inflight came to 0

	spare *call // used by Produce only, which one goroutine calls at a time

	calls chan *call    // from Produce to the feeder, unbuffered
	fed   chan struct{} // closed by the feeder when it has ended

	// Used by the feeder only.
	client    *client
	built     time.Time // when client was built
	lastFatal error     // why the one before was given up
	topic     string    // the last topic whose name was found valid

	ended    chan struct{} // closed by Close when it begins
	done     chan struct{} // closed by the first Close when it returns
	freed    chan struct{} // closed when the client is freed, maybe later
	closeErr error         // set before done is closed
}

var _ zapkafka.Producer = (*Producer)(nil)

// New returns a Producer for the Kafka cluster that the brokers belong to. A
// broker is "host:port", or "host" for port 9092; one that answers is enough to
// find the others, two or three survive the loss of one. At least one is
// required.
//
// The config is the client's own and comes after this package's settings, so
// what it holds wins; nil means none. It is copied. Of two names for one
// property (linger.ms and queue.buffering.max.ms) either may be used, not both.
//
// New does not dial. It has the client check the config, which takes some
// hundredths of a second and leaves nothing running, and its error says which
// property is wrong: unknown ones, values that the client refuses, files that
// cannot be read, and those with which the contract could not be kept.
func New(brokers []string, config *kafka.ConfigMap) (*Producer, error) {
	servers, err := checkBrokers(brokers)
	if err != nil {
		return nil, err
	}
	user, err := userSettings(config)
	if err != nil {
		return nil, err
	}
	if err := checkSettings(user); err != nil {
		return nil, err
	}
	if err := probe(configMap(servers, user, smallest), user); err != nil {
		return nil, err
	}
	return &Producer{
		brokers: servers,
		user:    &user,
		clients: make(map[*client]bool),
		idle:    make(chan struct{}, 1),
		calls:   make(chan *call),
		fed:     make(chan struct{}),
		ended:   make(chan struct{}),
		done:    make(chan struct{}),
		freed:   make(chan struct{}),
	}, nil
}

// smallest stands for the limits that New does not know yet. They contradict
// nothing.
var smallest = zapkafka.Limits{Records: 1, Bytes: 1, RecordBytes: 1, DeliveryTimeout: time.Minute}

// Start checks the config against the limits and returns what the client holds
// beside the values. It does not dial, nor build the client, which would dial
// in the background at once: the first record does. Report is told of what the
// client complains of, at most once in ten seconds for the same complaint of
// the same broker or topic; it may be nil. When the config holds a
// go.logs.channel, the client's log lines go there and not to report, which
// then hears of the client's error events and of missing topics only.
//
// It fails when called twice or after Close, when a limit is not positive, and
// when the config contradicts the limits; the error names the property. After a
// failure because of limits or config Start may be called again.
func (p *Producer) Start(limits zapkafka.Limits, report zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	if p == nil || p.ended == nil {
		return zapkafka.Overhead{}, errors.New("confluent: this Producer was not made with New: the zero value cannot be started")
	}
	if err := checkLimits(limits); err != nil {
		return zapkafka.Overhead{}, err
	}
	if err := checkAgainst(*p.user, limits); err != nil {
		return zapkafka.Overhead{}, err
	}
	p.mu.Lock()
	switch {
	case p.closing:
		p.mu.Unlock()
		return zapkafka.Overhead{}, errors.New("confluent: Start after Close: a Producer is used once, make a new one")
	case p.starting || p.started:
		p.mu.Unlock()
		return zapkafka.Overhead{}, errors.New("confluent: Start called a second time: a Producer serves one KafkaSyncer, make another for the second")
	}
	p.starting = true
	p.mu.Unlock()
	// Files are read and libraries loaded: mu must not be held.
	conf := configMap(p.brokers, *p.user, limits)
	err := probe(conf, *p.user)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting = false
	if err == nil && p.closing {
		err = errors.New("confluent: Close was called during Start")
	}
	if err != nil {
		return zapkafka.Overhead{}, err
	}
	p.limits, p.conf = limits, &conf
	p.reports = newReporter(report, limits.DeliveryTimeout, *p.user)
	p.timedOut = fmt.Errorf("confluent: not acknowledged by Kafka within %v: %w", limits.DeliveryTimeout, context.DeadlineExceeded)
	p.started = true
	go p.feed()
	return overhead, nil
}

// Produce hands the records to the client, which copies them, and returns; they
// are reported from a goroutine that reads the client's events.
//
// It blocks while the client has no room, which the limits exclude, or while a
// call into the C library hangs; until ctx is done, Close begins, or the
// delivery timeout has passed. It then reports the records that the client has
// not taken. If the C library hangs with a record, that one is reported when it
// returns. A ctx that is done takes nothing. Before Start and after Close every
// record is reported with an error at once. The end of ctx does not touch
// records that the client has taken: these have until Limits.DeliveryTimeout.
func (p *Producer) Produce(ctx context.Context, records []*zapkafka.Record) {
	if len(records) == 0 {
		return
	}
	if err := p.ready(ctx); err != nil {
		for _, r := range records {
			r.Done(err)
		}
		return
	}
	c := p.newCall(records)
	timer := time.NewTimer(p.limits.DeliveryTimeout)
	defer timer.Stop()
	calls, err := p.calls, error(nil)
	for err == nil {
		select {
		case calls <- c:
			calls = nil
		case <-c.done:
			p.spare = c
			return
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.ended:
			err = errClosed
		case <-timer.C:
			err = p.timedOut
		}
	}
	c.giveUp(err)
	if calls != nil {
		return // the feeder never had it
	}
	// The record that the feeder has in hand is reported by the feeder, in an
	// instant, unless it is stuck in the C library.
	timer.Reset(stuckAfter)
	select {
	case <-c.done:
	case <-timer.C:
	}
}

// stuckAfter is for how long Produce waits for a call into the C library after
// its context is done.
const stuckAfter = 20 * time.Millisecond

// ready says why nothing can be produced.
func (p *Producer) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return errClosed
	case !p.started:
		return errNotStarted
	}
	return nil
}

// Flush does nothing. The client has no call that ends its lingering without
// waiting for acknowledgements, and needs none: what it collects is sent after
// linger.ms, which is 5 here and may be 100 at most.
func (p *Producer) Flush(context.Context) {}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // one is waiting there already
	}
}
