package ibmsarama

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/IBM/sarama"
)

const (
	// avoidFor is how long entries without a key keep away from all partitions of
	// a broker that has not answered. It is doubled, up to avoidMost, each time
	// that the broker is tried again for nothing: while it is, records for the
	// others wait too, for up to Net.ReadTimeout, and once more for as long when
	// sarama then asks the same broker for the topic's leaders.
	avoidFor  = 15 * time.Second
	avoidMost = time.Minute
	// refuseMost is how long no connection to such a broker is made.
	refuseMost = 5 * time.Second
)

// silence is what is known of a broker that has not answered. It is frozen, or
// behind a network that swallows packets: connections can be made, and all that
// is sent waits for the time-out.
type silence struct {
	refuse  time.Time // no connection before
	avoid   time.Time // no entries without a key before
	lasting time.Duration
}

// isSilence reports whether a record failed because its broker did not answer. An
// answer to the question for leaders that did not come says nothing about the
// record's own broker.
func isSilence(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout() && !errors.Is(err, sarama.ErrOutOfBrokers)
}

// led is told which brokers lead the partitions of a topic, by their addresses.
// One that has moved since is mistaken for a while: its old leader is avoided for
// nothing, and connections that stand are not touched.
func (s *shunned) led(topic string, leaders map[int32]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaders == nil {
		s.leaders = make(map[string]map[int32]string)
	}
	s.leaders[topic] = leaders
}

// silent is called for each record that failed because the leader of its
// partition did not answer.
func (s *shunned) silent(topic string, partition int32, delivery time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	broker := s.leaders[topic][partition]
	if broker == "" {
		return
	}
	now := time.Now()
	old := s.brokers[broker]
	b := silence{lasting: avoidFor}
	switch {
	case now.Before(old.avoid):
		b.lasting = old.lasting
	case now.Before(old.avoid.Add(avoidMost)):
		b.lasting = min(2*old.lasting, avoidMost)
	}
	if !now.Before(old.avoid) {
		s.changes.Add(1)
	}
	// A record with a key is for this broker and no other: it should have some
	// tries in its time.
	b.refuse = now.Add(min(refuseMost, delivery/4))
	b.avoid = now.Add(b.lasting)
	if s.brokers == nil {
		s.brokers = make(map[string]silence)
	}
	s.brokers[broker] = b
}

// refused returns an error for a broker that has just not answered: the client
// would wait for it again, with what it holds for it and with its questions for
// leaders, which it asks of any broker. If all are silent, all are tried.
func (s *shunned) refused(broker string) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !now.Before(s.brokers[broker].refuse) {
		return nil
	}
	for _, leaders := range s.leaders {
		for _, other := range leaders {
			if !now.Before(s.brokers[other].refuse) {
				return fmt.Errorf("dial %s: the broker has just not answered in time, and is not asked again for some seconds", broker)
			}
		}
	}
	return nil
}
