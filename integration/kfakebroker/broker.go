// Package kfakebroker is a Kafka in this process for the suite in producertest:
// franz-go's kfake, with every fault of the suite, for any client and without a
// proxy.
package kfakebroker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producertest"
)

const (
	topic        = "logs"
	smallTopic   = "small-records"
	missingTopic = "missing-topic"

	brokers    = 2
	partitions = 4

	// patience is how long reading back may take.
	patience = 20 * time.Second
)

// Broker is a cluster of two brokers. It speaks the protocol without TLS and
// without passwords.
type Broker struct {
	cluster *kfake.Cluster
	network *network

	mu     sync.Mutex
	answer *kfake.FaultHandle // the fault that is an answer; nil for none
}

var _ producertest.Broker = (*Broker)(nil)

// New starts the brokers and makes their topics. It is for
// producertest.Harness.NewBroker.
func New(t testing.TB) *Broker {
	t.Helper()
	n := newNetwork()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.ListenFn(n.listen), kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatalf("kfakebroker: %v", err)
	}
	b := &Broker{cluster: cluster, network: n}
	if err := cluster.CreateTopic(smallTopic, partitions, map[string]string{"max.message.bytes": "65536"}); err != nil {
		b.Close()
		t.Fatalf("kfakebroker: %v", err)
	}
	return b
}

// Addrs returns the addresses of the brokers, as "host:port".
func (b *Broker) Addrs() []string { return b.cluster.ListenAddrs() }

// Topic returns the name of a topic with four partitions.
func (b *Broker) Topic() string { return topic }

// SmallTopic returns the name of a topic for batches of at most 64 KiB.
func (b *Broker) SmallTopic() string { return smallTopic }

// MissingTopic returns the name of a topic that nobody makes.
func (b *Broker) MissingTopic() string { return missingTopic }

// Set makes the fault.
func (b *Broker) Set(f producertest.Fault) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.healLocked()
	switch f {
	case producertest.NotLeader:
		b.answer = b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
		return b.network.set(0)
	case producertest.TimeoutAfterStore: // kfake stores before it gives this answer
		b.answer = b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: -1})
		return b.network.set(0)
	case producertest.Refused, producertest.Mute, producertest.MuteOnProduce, producertest.Stalled, producertest.ClosesConnections:
		return b.network.set(f)
	}
	return fmt.Errorf("kfakebroker: %v: %w", f, producertest.ErrNoFault)
}

// Heal ends the fault.
func (b *Broker) Heal() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.healLocked()
	return b.network.set(0)
}

func (b *Broker) healLocked() {
	if b.answer != nil {
		b.answer.Remove()
		b.answer = nil
	}
}

// Stored reads the topic up to its present end.
func (b *Broker) Stored(topic string) ([]producertest.Message, error) {
	want := int64(0)
	for _, p := range b.cluster.PartitionInfos(topic) {
		want += p.HighWatermark
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.ConsumeTopics(topic),
		kgo.FetchMaxWait(50*time.Millisecond), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got []producertest.Message
	for int64(len(got)) < want {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("kfakebroker: %d of %d records read: %w", len(got), want, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, message(r)) })
	}
	return got, nil
}

func message(r *kgo.Record) producertest.Message {
	m := producertest.Message{Partition: r.Partition, Key: r.Key, Value: r.Value, Time: r.Timestamp}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, zapkafka.Header{Key: h.Key, Value: h.Value})
	}
	return m
}

// Close stops the brokers.
func (b *Broker) Close() {
	b.network.close()
	b.cluster.Close()
}
