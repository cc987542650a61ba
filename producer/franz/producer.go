package franz

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
)

// Producer hands log records to Kafka through a franz-go client. It is a
// [zapkafka.Producer] and keeps that contract; one Producer serves one
// KafkaSyncer. Make it with [New]; the zero value cannot be started.
type Producer struct {
	// Set by New and then only read.
	brokers []string
	opts    []kgo.Opt

	mu       sync.Mutex // guards the five below, and adding to inflight
	starting bool
	closing  bool
	client   *kgo.Client
	purging  map[string]bool // topics being purged, see recreated
	counts   map[string]*count

	// Set by Start, before the client is stored, and then only read.
	limits   zapkafka.Limits
	capacity int64 // records that may be with the client
	reports  *reporter
	tells    bool            // the client has our partitioner: see Partition
	shown    bool            // code of the user's sees the client's records: see block.end
	timedOut error           // what a record is reported with at its deadline
	life     context.Context // ended by kill: gives up what the client holds
	kill     context.CancelFunc

	inflight atomic.Int64 // records passed to the client and not yet reported

	// waiting is true while Produce waits for room, draining while Close waits
	// for the last record. Promises look at them after they have lowered
	// inflight, the waiters raise them before they read it: one of the two
	// always sees the other. Both channels have room for one signal.
	waiting  atomic.Bool
	room     chan struct{}
	draining atomic.Bool
	idle     chan struct{}

	ended    chan struct{} // closed by Close when it begins
	done     chan struct{} // closed by the first Close when it returns
	closeErr error         // set before done is closed
	helpers  sync.WaitGroup
}

var _ zapkafka.Producer = (*Producer)(nil)

// New returns a Producer for the Kafka cluster that the brokers belong to. A
// broker is "host:port", or "host" for port 9092; one that answers is enough to
// find the others, two or three survive the loss of one. At least one is
// required.
//
// The opts are the client's own, for TLS, SASL, hooks, topic creation and all
// else; they come after this package's settings and win over them. Exceptions
// are those with which the contract of a Producer could not be kept: New or
// Start refuses them by name (the package documentation lists them).
//
// New does not dial, starts nothing, and needs no Close if Start is never
// called. Its error says what is wrong with the brokers or options. The slices
// are copied.
func New(brokers []string, opts ...kgo.Opt) (*Producer, error) {
	if err := checkBrokers(brokers); err != nil {
		return nil, err
	}
	p := &Producer{
		brokers: append([]string(nil), brokers...),
		opts:    append([]kgo.Opt(nil), opts...),
		purging: make(map[string]bool),
		counts:  make(map[string]*count),
		room:    make(chan struct{}, 1),
		idle:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	if err := checkOptions(p.brokers, p.opts); err != nil {
		return nil, err
	}
	return p, nil
}

// Start builds the client for the limits and returns what it holds beside the
// values. It does not dial: the first record does, in the background, and the
// client goes on trying. Report is told of what the client complains of, at
// most once in ten seconds for the same complaint of the same broker or topic;
// it may be nil. When the options hold a kgo.WithLogger, the client's lines go
// there and not to report, which then hears of missing topics only.
//
// It fails when called twice or after Close, when a limit is not positive, and
// when the options contradict the limits or the contract; the error names the
// option. After a failure because of limits or options Start may be called
// again.
func (p *Producer) Start(limits zapkafka.Limits, report zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	if p == nil || p.ended == nil {
		return zapkafka.Overhead{}, errors.New("franz: this Producer was not made with New: the zero value cannot be started")
	}
	if err := checkLimits(limits); err != nil {
		return zapkafka.Overhead{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return zapkafka.Overhead{}, errors.New("franz: Start after Close: a Producer is used once, make a new one")
	case p.starting || p.client != nil:
		return zapkafka.Overhead{}, errors.New("franz: Start called a second time: a Producer serves one KafkaSyncer, make another for the second")
	}
	// The client calls hooks while it is built, and those are the user's: mu
	// must not be held then.
	p.starting = true
	p.mu.Unlock()
	reports := newReporter(report, limits.DeliveryTimeout)
	client, err := newClient(p.brokers, p.opts, limits, reports)
	p.mu.Lock()
	p.starting = false
	if err == nil && p.closing {
		err = errors.New("franz: Close was called during Start")
		p.mu.Unlock() // the user's hooks again
		client.Close()
		p.mu.Lock()
	}
	if err != nil {
		return zapkafka.Overhead{}, err
	}
	p.limits = limits
	p.capacity = int64(limits.Records)
	p.reports = reports
	p.tells = client.OptValue(kgo.RecordPartitioner) == any(partitioner)
	p.shown = !p.tells || showsRecords(client)
	p.timedOut = fmt.Errorf("franz: not acknowledged by Kafka within %v, or behind a record of its partition that was not: %w",
		limits.DeliveryTimeout, context.DeadlineExceeded)
	p.life, p.kill = context.WithCancel(context.Background())
	p.client = client
	return overhead, nil
}

// Produce hands the records to the client and returns; they are reported from
// the client's goroutine. It copies no value, key or header: the client reads
// the records' own memory until their Done.
//
// It blocks only while as many records as Limits.Records are with the client,
// which the syncer never asks for, until ctx is done or Close begins. A ctx that
// is done takes nothing. Before Start and after Close every record is reported
// with an error at once. The end of ctx does not touch records that the client
// has taken: these have until Limits.DeliveryTimeout.
func (p *Producer) Produce(ctx context.Context, records []*zapkafka.Record) {
	for len(records) > 0 {
		n, err := p.admit(ctx, min(len(records), blockRecords))
		if err != nil {
			for _, r := range records {
				r.Done(err)
			}
			return
		}
		p.send(records[:n])
		records = records[n:]
	}
}

// admit waits for room, takes it for at most want records, and returns for how
// many. The error is why there will be none.
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
	case p.client == nil:
		return 0, errNotStarted
	}
	n := min(int64(want), p.capacity-p.inflight.Load())
	if n <= 0 {
		return 0, nil
	}
	p.inflight.Add(n)
	return int(n), nil
}

// finished is told by a promise that a record has been reported.
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

// Flush ends the client's lingering, so that all it holds is sent as soon as
// the brokers take it. It waits for nothing and returns within microseconds,
// whatever the brokers do. It may be called at any time, beside any other
// method; before Start and after Close it does nothing.
func (p *Producer) Flush(context.Context) {
	p.mu.Lock()
	client := p.client
	if p.closing {
		client = nil
	}
	p.mu.Unlock()
	if client != nil {
		nudge(client)
	}
}

// nudge uses that the client's Flush first sends what lingers, and only then
// looks at its context (kgo/producer.go, Client.Flush, v1.22.2).
func nudge(client *kgo.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = client.Flush(ctx)
}

// closeGrace is how long Close goes on after its context is done, for the
// client to report what it gives up.
const closeGrace = 90 * time.Millisecond
