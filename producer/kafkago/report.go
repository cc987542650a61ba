package kafkago

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/zapkafka/zapkafka"
)

const (
	repeatAfter = 10 * time.Second // the same complaint is reported once in this time
	maxSeen     = 256              // complaints remembered, so that the memory for them is bounded

	// creationGrace is for how long a missing topic is nothing to report when it
	// is to be created: brokers answer "unknown" while they do.
	creationGrace = 3 * time.Second
)

// reporter passes troubles on to the syncer's handler, few of them and each with
// its cause.
type reporter struct {
	report  zapkafka.ErrorHandler
	timeout time.Duration // for how long a record is tried
	attempt time.Duration // at most, for how long once
	create  bool          // missing topics are to be created
	tls     bool          // the client speaks TLS

	mu      sync.Mutex
	stopped bool
	seen    map[string]time.Time // when a complaint was last reported
}

func newReporter(report zapkafka.ErrorHandler, timeout, attempt time.Duration, create bool) *reporter {
	return &reporter{report: report, timeout: timeout, attempt: attempt, create: create, seen: make(map[string]time.Time)}
}

// search reports that the partitions of a topic cannot be found.
func (l *reporter) search(topic string, err error, since time.Duration) {
	missing := errors.Is(err, kafka.UnknownTopicOrPartition)
	var op *net.OpError
	fresh := missing || errors.Is(err, kafka.LeaderNotAvailable)
	switch {
	case l.create && fresh && since < creationGrace:
	case missing:
		what := "create it, or have it created with Config.AllowAutoTopicCreation"
		if l.create {
			what = "create it: the brokers do not, although Config.AllowAutoTopicCreation asks them to (is auto.create.topics.enable off?)"
		}
		l.tell("unknown topic "+topic, fmt.Errorf("kafkago: topic %q does not exist, or not for this user; %s; a record for it is retried for %v and then given up: %w",
			topic, what, l.timeout, err))
	case errors.As(err, &op) && op.Op == "dial":
		// The topic has nothing to do with it.
		l.tell(cause(err), fmt.Errorf("kafkago: Kafka cannot be reached (topic %q): %w%s", topic, err, l.hint(err)))
	default:
		l.tell(cause(err), fmt.Errorf("kafkago: no partitions known of topic %q: %w%s", topic, err, l.hint(err)))
	}
}

// partition reports that a partition takes nothing.
func (l *reporter) partition(topic string, id int, err error) {
	l.tell(cause(err), fmt.Errorf("kafkago: partition %d of topic %q, and perhaps others: %w%s", id, topic, err, l.hint(err)))
}

// hint says what is probably meant by errors that do not say it themselves.
func (l *reporter) hint(err error) string {
	switch {
	case errors.Is(err, io.EOF) && l.tls:
		return " (the broker hung up: is this a listener without TLS, or does it want other credentials?)"
	case errors.Is(err, io.EOF):
		return " (the broker hung up: does it want TLS, or other credentials?)"
	case unanswered(err):
		return fmt.Sprintf(" (no answer within %v)", l.attempt)
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition), errors.Is(err, protocol.ErrNoLeader):
		return " (it has no leader that is known at the moment: are the brokers up?)"
	}
	return ""
}

// cause is what an error has in common with others of its origin. The text of
// many holds a port that changes with every connection.
func cause(err error) string {
	var op *net.OpError
	var code kafka.Error
	switch {
	case errors.As(err, &op) && op.Addr != nil:
		return op.Op + " " + op.Addr.String()
	case errors.As(err, &code):
		return code.Title()
	case unanswered(err):
		return "timeout"
	}
	return err.Error()
}

// tell reports a complaint that is new, or old enough to be repeated.
func (l *reporter) tell(key string, err error) {
	if l.report == nil {
		return
	}
	l.mu.Lock()
	now := time.Now()
	at, ok := l.seen[key]
	mute := l.stopped || ok && now.Sub(at) < repeatAfter
	if !mute {
		if len(l.seen) >= maxSeen {
			clear(l.seen)
		}
		l.seen[key] = now
	}
	l.mu.Unlock()
	if !mute {
		l.report(err)
	}
}

// stop ends reports: what fails from now on fails because of Close.
func (l *reporter) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
}
