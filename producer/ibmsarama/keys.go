package ibmsarama

import (
	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
)

var _ zapkafka.Partitioner = (*Producer)(nil)

// Partition implements [zapkafka.Partitioner]. It knows where [NewStickyPartitioner]
// sends a key, once a record with one has gone to the topic, and nothing of other
// partitioners.
func (p *Producer) Partition(topic string, key []byte) (partition int32, known bool) {
	n, asked := p.shunned.counts.Load(topic)
	if key == nil || !asked {
		return 0, false
	}
	p.shunned.mu.Lock() // the hash has a state
	defer p.shunned.mu.Unlock()
	if p.shunned.hash == nil {
		p.shunned.hash = sarama.NewHashPartitioner(topic) // whatever the topic
	}
	partition, err := p.shunned.hash.Partition(&sarama.ProducerMessage{Topic: topic, Key: sarama.ByteEncoder(key)}, n.(int32))
	return partition, err == nil
}
