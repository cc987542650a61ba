package franz

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/zapkafka/zapkafka"
)

var _ zapkafka.Partitioner = (*Producer)(nil)

// partitioner is the client's default, spelled out: sticky for 64 KiB, adaptive,
// and murmur2 for keys as in the Java client.
var partitioner = kgo.UniformBytesPartitioner(64<<10, true, true, nil)

// keys is where partitioner sends keys: for a record with one it is a function of
// key and number, and looks at nothing else.
var keys = partitioner.ForTopic("").(kgo.TopicBackupPartitioner)

// countFor is how long the number of a topic's partitions is believed.
const countFor = 5 * time.Second

// count is the number of a topic's partitions, for Partition alone: the client has
// its own. Guarded by Producer.mu.
type count struct {
	n      int // 0: not known yet
	asked  time.Time
	asking bool
}

// Partition implements [zapkafka.Partitioner]. It does not know where a partitioner
// of the user's own (kgo.RecordPartitioner) sends a key, and before it is asked for
// the first time not how many partitions there are: it finds out in the background.
func (p *Producer) Partition(topic string, key []byte) (partition int32, known bool) {
	if key == nil {
		return 0, false
	}
	n := p.partitions(topic)
	if n == 0 {
		return 0, false
	}
	return int32(keys.PartitionByBackup(&kgo.Record{Key: key}, n, nil)), true
}

// partitions is how many partitions the topic has, 0 if that is not known.
func (p *Producer) partitions(topic string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == nil || p.closing || !p.tells {
		return 0
	}
	c := p.counts[topic]
	if c == nil {
		c = &count{}
		p.counts[topic] = c
	}
	if !c.asking && time.Since(c.asked) >= countFor {
		c.asking = true
		p.helpers.Go(func() { p.count(topic, c) })
	}
	return c.n
}

// count asks the client, which mostly knows without asking a broker.
func (p *Producer) count(topic string, c *count) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	resp, err := p.client.RequestCachedMetadata(p.life, req, countFor)
	p.mu.Lock()
	defer p.mu.Unlock()
	c.asking, c.asked = false, time.Now()
	if err != nil || len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
		return // what was known may still be true
	}
	c.n = len(resp.Topics[0].Partitions)
}
