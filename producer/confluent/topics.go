//go:build cgo

package confluent

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// topicBook knows which topics have records under way.
type topicBook struct {
	mu     sync.Mutex
	topics map[string]*topicState

	feeding *topicState // the feeder's last
	reading *topicState // the reader's last
}

type topicState struct {
	name     string
	pending  atomic.Int64
	reported atomic.Int64
	missing  atomic.Bool // the brokers do not know it
	seen     int64       // reported, as the watcher last saw it
}

func (b *topicBook) state(name string) *topicState {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.topics[name]
	if s == nil {
		if b.topics == nil {
			b.topics = make(map[string]*topicState)
		}
		s = &topicState{name: name}
		b.topics[name] = s
	}
	return s
}

// fed counts a record; the feeder calls it.
func (b *topicBook) fed(name string) *topicState {
	if b.feeding == nil || b.feeding.name != name {
		b.feeding = b.state(name)
	}
	b.feeding.pending.Add(1)
	return b.feeding
}

// out counts a report; the reader of events calls it.
func (b *topicBook) out(name string) {
	if b.reading == nil || b.reading.name != name {
		b.reading = b.state(name)
	}
	b.reading.pending.Add(-1)
	b.reading.reported.Add(1)
}

// miss remembers that the brokers do not know the topic.
func (b *topicBook) miss(name string) { b.state(name).missing.Store(true) }

// stuck returns topics of which no record has been reported since the last call
// although there are some, and those that are missing.
func (b *topicBook) stuck() []*topicState {
	b.mu.Lock()
	defer b.mu.Unlock()
	var stuck []*topicState
	for _, s := range b.topics {
		reported := s.reported.Load()
		if s.missing.Load() || s.pending.Load() > 0 && reported == s.seen {
			stuck = append(stuck, s)
		}
		s.seen = reported
	}
	return stuck
}

const (
	watchEvery = time.Second
	// askTimeout bounds for how long the watcher is inside the C library, which
	// Close waits for.
	askTimeout = 500 * time.Millisecond
	// silent is how many times the watcher leaves out when brokers gave no
	// answer: then it is not the topic.
	silent = 4
)

// watchTopics asks for topics that get nowhere. The client itself says nothing
// of an unknown topic until its grace is over (rdkafka_topic.c,
// rd_kafka_topic_set_notexists), which here is longer than any record lives.
// The answer also makes a topic usable that was made in the meantime.
func (c *client) watchTopics() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for skip := 0; ; {
		select {
		case <-c.quit:
			return
		case <-tick.C:
		}
		stuck := c.topics.stuck()
		if skip > 0 {
			skip--
			continue
		}
		for _, s := range stuck {
			if !c.ask(s) {
				skip = silent
				break
			}
		}
	}
}

// ask asks the brokers for the topic; false when there was no answer.
func (c *client) ask(s *topicState) bool {
	select {
	case <-c.quit:
		return false
	default:
	}
	answer, err := c.kafka.GetMetadata(&s.name, false, int(askTimeout.Milliseconds()))
	if err != nil {
		return false
	}
	switch topic := answer.Topics[s.name]; topic.Error.Code() {
	case kafka.ErrNoError:
		s.missing.Store(false)
	case kafka.ErrUnknownTopicOrPart:
		s.missing.Store(true)
		c.p.reports.unknownTopic(s.name, topic.Error)
	case kafka.ErrLeaderNotAvailable: // an election, or the topic is being made
	default:
		c.p.reports.once("topic "+s.name, fmt.Errorf("confluent: topic %q: %w", s.name, topic.Error))
	}
	return true
}
