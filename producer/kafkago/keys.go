package kafkago

import (
	"github.com/segmentio/kafka-go"

	"github.com/zapkafka/zapkafka"
)

var _ zapkafka.Partitioner = (*Producer)(nil)

// Partition implements [zapkafka.Partitioner]. It does not know where a
// Config.Balancer sends a key that is none of kafka-go's own which look at keys
// (Hash, ReferenceHash, CRC32Balancer, Murmur2Balancer), and nothing of a topic
// before its first record.
func (p *Producer) Partition(topic string, key []byte) (partition int32, known bool) {
	if key == nil {
		return 0, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.topics[topic]
	if t == nil || len(t.all) == 0 {
		return 0, false
	}
	switch t.balancer.(type) {
	case *sticky, *kafka.Hash, *kafka.ReferenceHash, kafka.Murmur2Balancer, *kafka.Murmur2Balancer:
	case kafka.CRC32Balancer, *kafka.CRC32Balancer:
		if len(key) == 0 {
			return 0, false // as librdkafka, it may choose any
		}
	default:
		return 0, false
	}
	return int32(t.balancer.Balance(kafka.Message{Topic: topic, Key: key}, t.all...)), true
}
