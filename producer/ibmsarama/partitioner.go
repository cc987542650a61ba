package ibmsarama

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

const (
	// stickyBytes is how much goes to one partition before the next is chosen.
	stickyBytes = 64 << 10
	// shunFor is how long entries without a key keep away from a partition
	// after it failed.
	shunFor = 5 * time.Second
)

// NewStickyPartitioner is the Partitioner of [NewConfig]. Messages without a key
// go to one partition for 64 KiB of values, then to another one chosen at random,
// which makes few large batches of what sarama's own partitioners would make many
// small ones of. They keep away for some seconds from a partition that has just
// failed, and for longer from those of a broker that has not answered. Messages
// with a key go where sarama's NewHashPartitioner would put them.
func NewStickyPartitioner(topic string) sarama.Partitioner {
	return &stickyPartitioner{topic: topic, keyed: sarama.NewHashPartitioner(topic)}
}

// stickyPartitioner is used by one goroutine of the client.
type stickyPartitioner struct {
	topic   string
	keyed   sarama.Partitioner
	shunned *shunned // nil without a Producer of ours

	current int32
	left    int   // bytes that may still go there
	of      int32 // how many partitions there were
	seen    uint64
}

func (s *stickyPartitioner) Partition(m *sarama.ProducerMessage, partitions int32) (int32, error) {
	if m.Key != nil {
		s.shunned.count(s.topic, partitions)
		return s.keyed.Partition(m, partitions)
	}
	if s.left <= 0 || s.of != partitions || s.shunned.changed(&s.seen) {
		s.choose(partitions)
	}
	if m.Value != nil {
		s.left -= m.Value.Length()
	}
	return s.current, nil
}

// choose takes a partition at random, not the same again if there is another.
// The place in the list of writable partitions is taken for its number, which
// it is unless some have no leader; a mistake costs a retry.
func (s *stickyPartitioner) choose(partitions int32) {
	old, had := s.current, s.of > 0
	s.left, s.of = stickyBytes, partitions
	bad := s.shunned.of(s.topic)
	from := rand.Int32N(partitions)
	best, rank := from, 3
	for i := range partitions {
		p := (from + i) % partitions
		r := 0
		if bad[p] {
			r += 2
		}
		if had && p == old {
			r++
		}
		if r < rank {
			best, rank = p, r
		}
	}
	s.current = best
}

// RequiresConsistency is asked only of partitioners that lack
// MessageRequiresConsistency.
func (s *stickyPartitioner) RequiresConsistency() bool { return true }

// MessageRequiresConsistency reports whether the message has to go to its
// partition even when that has no leader.
func (s *stickyPartitioner) MessageRequiresConsistency(m *sarama.ProducerMessage) bool {
	return m.Key != nil
}

// partitionerOf returns the user's constructor; a sticky partitioner among what
// it makes is told of the partitions to shun.
func partitionerOf(user sarama.PartitionerConstructor, bad *shunned) sarama.PartitionerConstructor {
	return func(topic string) sarama.Partitioner {
		p := user(topic)
		if s, ok := p.(*stickyPartitioner); ok {
			s.shunned = bad
		}
		return p
	}
}

// shunned is a list of partitions that have failed of late, and of brokers that
// have not answered. A nil list is empty.
type shunned struct {
	changes atomic.Uint64

	counts sync.Map // of partitions, by topic: int32

	mu      sync.Mutex
	until   map[string]map[int32]time.Time
	leaders map[string]map[int32]string // the brokers' addresses
	brokers map[string]silence          // by address
	hash    sarama.Partitioner          // for Partition; nil before its first use
}

// count notes how many partitions the client has found.
func (s *shunned) count(topic string, partitions int32) {
	if s == nil {
		return
	}
	if n, _ := s.counts.Load(topic); n != partitions {
		s.counts.Store(topic, partitions)
	}
}

// add is called for each record that failed and will be retried.
func (s *shunned) add(topic string, partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = make(map[string]map[int32]time.Time)
	}
	if s.until[topic] == nil {
		s.until[topic] = make(map[int32]time.Time)
	}
	now := time.Now()
	if !s.until[topic][partition].After(now) {
		s.changes.Add(1)
	}
	s.until[topic][partition] = now.Add(shunFor)
}

// changed reports whether a partition was added since the count in seen, which
// it brings up to date.
func (s *shunned) changed(seen *uint64) bool {
	if s == nil {
		return false
	}
	n := s.changes.Load()
	if n == *seen {
		return false
	}
	*seen = n
	return true
}

// of returns the partitions of a topic to keep away from.
func (s *shunned) of(topic string) map[int32]bool {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var bad map[int32]bool
	now := time.Now()
	for p, until := range s.until[topic] {
		if now.After(until) {
			delete(s.until[topic], p)
			continue
		}
		if bad == nil {
			bad = make(map[int32]bool)
		}
		bad[p] = true
	}
	for p, broker := range s.leaders[topic] {
		if !now.Before(s.brokers[broker].avoid) {
			continue
		}
		if bad == nil {
			bad = make(map[int32]bool)
		}
		bad[p] = true
	}
	return bad
}
