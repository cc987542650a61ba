package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/producertest"
)

// kafkaPartitions is what harness.Kafka.Topic makes.
const kafkaPartitions = 4

// kafka is the real Kafka as the suite's broker. All cases share it, each has
// topics of its own.
type kafka struct {
	*harness.Kafka
	t                     testing.TB
	topic, small, missing string
	fault                 producertest.Fault
}

func newKafka(t testing.TB) *kafka {
	k := &kafka{Kafka: harness.Need(t), t: t}
	k.topic = k.Kafka.Topic(t)
	k.small = k.Kafka.Topic(t, "max.message.bytes=65536")
	k.missing = harness.NewName(t)
	return k
}

func (k *kafka) Topic() string        { return k.topic }
func (k *kafka) SmallTopic() string   { return k.small }
func (k *kafka) MissingTopic() string { return k.missing }

// Set stops the process or kills it. A process that is stopped answers nothing,
// but what it is sent fills its windows, and it reads that when it goes on: it is
// stalled, and mute too for those who send little.
func (k *kafka) Set(f producertest.Fault) error {
	if k.Script() == "" {
		return fmt.Errorf("the broker is not that of scripts/kafka.sh: %w", producertest.ErrNoFault)
	}
	if err := k.Heal(); err != nil {
		return err
	}
	switch f {
	case producertest.Stalled, producertest.Mute:
		k.Pause(k.t)
	case producertest.Refused:
		k.Kill(k.t)
	default:
		return fmt.Errorf("a real broker does not do that on demand: %w", producertest.ErrNoFault)
	}
	k.fault = f
	return nil
}

func (k *kafka) Heal() error {
	if k.fault != 0 {
		k.fault = 0
		k.Start(k.t) // thaws as well
	}
	return nil
}

func (k *kafka) Close() { _ = k.Heal() }

// Stored reads up to a mark that it writes into every partition: what was stored
// before comes before.
func (k *kafka) Stored(topic string) ([]producertest.Message, error) {
	const mark = "the end of what was stored at "
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ConsumeTopics(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	end := mark + time.Now().Format(time.RFC3339Nano)
	var marks []*kgo.Record
	for p := range int32(kafkaPartitions) {
		marks = append(marks, &kgo.Record{Topic: topic, Partition: p, Value: []byte(end)})
	}
	if err := client.ProduceSync(ctx, marks...).FirstErr(); err != nil {
		return nil, err
	}
	var got []producertest.Message
	for left := kafkaPartitions; left > 0; {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			switch {
			case string(r.Value) == end:
				left--
			case !strings.HasPrefix(string(r.Value), mark):
				m := producertest.Message{Partition: r.Partition, Key: r.Key, Value: r.Value, Time: r.Timestamp}
				for _, h := range r.Headers {
					m.Headers = append(m.Headers, zapkafka.Header{Key: h.Key, Value: h.Value})
				}
				got = append(got, m)
			}
		})
	}
	return got, nil
}

// TestContractOnKafka is TestContract on a real Kafka. Most faults are beyond
// what can be done to one; those cases are reported as skipped.
func TestContractOnKafka(t *testing.T) {
	harness.Need(t)
	for _, a := range adaptors.All() {
		t.Run(a.Name, func(t *testing.T) {
			a.SkipIfItRaces(t)
			h := harnessFor(a, func(b producertest.Broker) []string { return b.(*kafka).Brokers })
			h.NewBroker = func(t testing.TB) producertest.Broker { return newKafka(t) }
			h.OneAtATime = (&kafka{Kafka: harness.Need(t)}).Script() != "" // a fault is everybody's
			h.Report = func(r producertest.Result) { table.add(a.Name+", Kafka", r) }
			producertest.Run(t, h)
		})
	}
}
