package producertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka"
)

// Harness is what [Run] needs to know of an adaptor. NewBroker and NewProducer
// are required.
type Harness struct {
	// NewBroker starts a broker for one case, with its topics made and empty. The
	// suite closes it. Several cases, each with a broker of its own, run at the
	// same time, unless OneAtATime says otherwise.
	NewBroker func(t testing.TB) Broker

	// NewProducer returns a new producer for the broker, which came from
	// NewBroker; the suite starts and closes it. The broker may be out of reach
	// by then.
	NewProducer func(t testing.TB, b Broker) zapkafka.Producer

	// Unsupported names the cases whose sentence the client cannot keep, and says
	// why. They run all the same; their failures are logged and fail nothing, and
	// a case that passes is reported as passed.
	Unsupported map[string]string

	// GoroutinesLeft is the most goroutines that a closed producer may leave
	// behind. Default none.
	GoroutinesLeft int

	// OneAtATime runs the cases one after another, for brokers that share
	// something which a fault disturbs. Default several at a time.
	OneAtATime bool

	// Report, unless nil, is called with the result of each case that ran, by one
	// goroutine at a time.
	Report func(Result)
}

// Broker is a Kafka that can be disturbed. Only one case uses it, but from
// several goroutines.
type Broker interface {
	// Topic is a topic with at least two partitions that takes values of 900,000
	// bytes.
	Topic() string
	// SmallTopic is a topic that takes batches of at most 64 KiB
	// (max.message.bytes=65536).
	SmallTopic() string
	// MissingTopic is the name of a topic that does not exist and that nobody
	// creates.
	MissingTopic() string

	// Stored returns what is in the topic now: all of a partition in the order of
	// its offsets, the partitions in any order. It is called with no fault set.
	// The messages belong to the caller.
	Stored(topic string) ([]Message, error)

	// Set disturbs the broker from now on. It returns when the fault is in force,
	// for connections that are open as well as for new ones. A harness that
	// cannot make the fault returns an error which wraps [ErrNoFault] and says
	// why: cases that need it are then reported as skipped.
	Set(f Fault) error
	// Heal ends the fault and returns when the broker can be reached. Connections
	// need not survive. Without a fault it does nothing.
	Heal() error

	// Close stops the broker, also while a fault is set.
	Close()
}

// Message is a record as a broker has stored it.
type Message struct {
	// Topic is the topic that the message is in. A [Broker] may leave it empty.
	Topic string
	// Partition is the partition that the message is in.
	Partition int32
	// Key and Value are what was stored; nil for null.
	Key, Value []byte
	// Headers are the headers in their order.
	Headers []zapkafka.Header
	// Time is the time stamp, in milliseconds.
	Time time.Time
}

// Fault is a way in which a broker fails its clients.
type Fault int

// The faults. Each lasts until [Broker.Heal].
const (
	// Refused: nobody listens, and connections that were open are closed.
	Refused Fault = iota + 1
	// Mute: connections are accepted, what comes is read, nothing is answered.
	Mute
	// MuteOnProduce: produce requests are read, not stored and never answered,
	// nor is anything that follows them on their connection. All else is.
	MuteOnProduce
	// Stalled: connections can be made, but the broker reads nothing, so that TCP
	// windows fill. A stopped process is like this.
	Stalled
	// ClosesConnections: a connection is closed when a produce request comes,
	// which is neither stored nor answered.
	ClosesConnections
	// NotLeader: produce requests are answered with NOT_LEADER_OR_FOLLOWER.
	NotLeader
	// TimeoutAfterStore: produce requests are stored, and answered with
	// REQUEST_TIMED_OUT.
	TimeoutAfterStore
)

var faultNames = map[Fault]string{
	Refused: "Refused", Mute: "Mute", MuteOnProduce: "MuteOnProduce", Stalled: "Stalled",
	ClosesConnections: "ClosesConnections", NotLeader: "NotLeader", TimeoutAfterStore: "TimeoutAfterStore",
}

// String returns the name of the constant.
func (f Fault) String() string {
	if name := faultNames[f]; name != "" {
		return name
	}
	return fmt.Sprintf("Fault(%d)", int(f))
}

// ErrNoFault is wrapped by the error of [Broker.Set] for a fault that the harness
// cannot make.
var ErrNoFault = errors.New("producertest: the harness cannot make this fault")
