package harness

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Patience is how long a test waits for something that has to happen.
const Patience = 60 * time.Second

// Kafka is the real Kafka under test.
type Kafka struct {
	Brokers []string
	script  string
	env     []string  // for the script
	opts    []kgo.Opt // for the harness's own client
}

// Need returns the Kafka that KAFKA_BROKERS names, and skips the test if there
// is none.
func Need(t testing.TB) *Kafka {
	t.Helper()
	brokers := os.Getenv("KAFKA_BROKERS")
	if brokers == "" {
		t.Skip("KAFKA_BROKERS is not set: `make integration` starts a Kafka and runs this test on it")
	}
	return &Kafka{Brokers: strings.Split(brokers, ","), script: os.Getenv("KAFKA_SCRIPT")}
}

// With returns the Kafka at these addresses, for whose listeners the harness's
// own client needs the options.
func With(brokers []string, opts ...kgo.Opt) *Kafka { return &Kafka{Brokers: brokers, opts: opts} }

// NeedScript is Need for tests that disturb the broker. Whatever a test does to
// it, at its end it runs again.
func NeedScript(t testing.TB) *Kafka {
	t.Helper()
	k := Need(t)
	if k.script == "" {
		t.Skip("the broker is not that of scripts/kafka.sh (KAFKA_SCRIPT is not set): `make integration` without KAFKA_BROKERS may disturb one")
	}
	t.Cleanup(func() { k.Start(t) })
	return k
}

// Script is the path of scripts/kafka.sh.
func (k *Kafka) Script() string { return k.script }

// Start starts or thaws the broker and returns when it answers.
func (k *Kafka) Start(t testing.TB) { k.run(t, nil, "start") }

// StartWith is Start with variables for the script.
func (k *Kafka) StartWith(t testing.TB, env ...string) { k.run(t, env, "start") }

// Stop ends the broker in good order.
func (k *Kafka) Stop(t testing.TB) { k.run(t, nil, "stop") }

// Kill ends the broker with SIGKILL.
func (k *Kafka) Kill(t testing.TB) { k.run(t, nil, "kill") }

// Pause freezes the broker.
func (k *Kafka) Pause(t testing.TB) { k.run(t, nil, "pause") }

// Resume thaws it.
func (k *Kafka) Resume(t testing.TB) { k.run(t, nil, "resume") }

func (k *Kafka) run(t testing.TB, env []string, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.script, command)
	cmd.Env = slices.Concat(os.Environ(), k.env, env)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	// The broker inherits nothing of ours, but be sure not to wait for it.
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("scripts/kafka.sh %s: %v\n%s", command, err, said.Bytes())
	}
}

// client returns a client for the harness's own requests.
func (k *Kafka) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, k.opts, opts)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// NewName returns a topic name that no other test has.
func NewName(t testing.TB) string {
	name := strings.Map(func(c rune) rune {
		if c == '/' || c == ' ' || c == '=' || c == ',' {
			return '-'
		}
		return c
	}, t.Name())
	return fmt.Sprintf("%s-%08x", name, rand.Uint32())
}

// Topic makes a topic of four partitions with a name of its own. Each of
// configs is NAME=VALUE.
func (k *Kafka) Topic(t testing.TB, configs ...string) string {
	t.Helper()
	client := k.client(t)
	defer client.Close()
	request := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = NewName(t), 4, 1
	for _, c := range configs {
		name, value, _ := strings.Cut(c, "=")
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, &value
		topic.Configs = append(topic.Configs, config)
	}
	request.Topics = append(request.Topics, topic)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	response, err := request.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("create topic %s: %v", topic.Topic, err)
	}
	return topic.Topic
}

// Read reads the topic from its start to its present end.
func (k *Kafka) Read(t testing.TB, topic string) *Tally {
	t.Helper()
	tally := &Tally{}
	k.ReadRecords(t, topic, func(r *kgo.Record) { tally.Add(r.Value) })
	return tally
}

// ReadRecords shows visit every record that is in the topic by now.
func (k *Kafka) ReadRecords(t testing.TB, topic string, visit func(*kgo.Record)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	client := k.client(t,
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20), kgo.MaxConcurrentFetches(1))
	defer client.Close()
	left := endOffsets(ctx, t, client, topic)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read topic %s: %v, with partitions %v (partition: end) still to be read", topic, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, ok := left[r.Partition]
			if !ok || r.Offset >= end {
				return
			}
			visit(r)
			if r.Offset == end-1 {
				delete(left, r.Partition)
			}
		})
	}
}

// endOffsets returns where the partitions that hold something end. A broker that
// was frozen has lost its leaderships for a moment when it goes on: it is asked
// again until ctx is done.
func endOffsets(ctx context.Context, t testing.TB, client *kgo.Client, topic string) map[int32]int64 {
	t.Helper()
	for {
		ends, err := askEndOffsets(ctx, t, client, topic)
		if err == nil {
			return ends
		}
		if !kerr.IsRetriable(err) {
			t.Fatalf("offsets of topic %s: %v", topic, err)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("offsets of topic %s: %v, still at the end of the time", topic, err)
		}
	}
}

func askEndOffsets(ctx context.Context, t testing.TB, client *kgo.Client, topic string) (map[int32]int64, error) {
	t.Helper()
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	wanted := kmsg.NewListOffsetsRequestTopic()
	wanted.Topic = topic
	for i := range partitions(ctx, t, client, topic) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp, p.CurrentLeaderEpoch = int32(i), -1, -1
		wanted.Partitions = append(wanted.Partitions, p)
	}
	request.Topics = append(request.Topics, wanted)
	ends := make(map[int32]int64)
	for _, shard := range client.RequestSharded(ctx, request) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, answer := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range answer.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("partition %d: %w", p.Partition, err)
				}
				if p.Offset > 0 {
					ends[p.Partition] = p.Offset
				}
			}
		}
	}
	return ends, nil
}

func partitions(ctx context.Context, t testing.TB, client *kgo.Client, topic string) int {
	t.Helper()
	request := kmsg.NewPtrMetadataRequest()
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = &topic
	request.Topics = append(request.Topics, wanted)
	response, err := request.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("metadata of topic %s: %v", topic, err)
	}
	return len(response.Topics[0].Partitions)
}

// Count has kcat, which shares no code with any of this, count the topic's
// records. It reports false where there is no kcat, and for a Kafka of With's.
func (k *Kafka) Count(t testing.TB, topic string) (int, bool) {
	t.Helper()
	if len(k.opts) > 0 {
		return 0, false // kcat would have to be told them too
	}
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Log("kcat is not installed: the topic is counted by franz-go alone")
		return 0, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-b", strings.Join(k.Brokers, ","), "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "\n")
	var lines lineCounter
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &lines, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("kcat: %v\n%s", err, said.Bytes())
	}
	return int(lines), true
}

type lineCounter int

func (n *lineCounter) Write(p []byte) (int, error) {
	*n += lineCounter(bytes.Count(p, []byte("\n")))
	return len(p), nil
}
