package harness

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// Own returns a Kafka of scripts/kafka.sh beside that of the other tests, which
// the variables for the script describe (KAFKA_PORT=19300). It runs when Start was
// called, and is gone with its data at the end of the test. Without the script the
// test is skipped.
func Own(t testing.TB, env ...string) *Kafka {
	t.Helper()
	k := &Kafka{script: os.Getenv("KAFKA_SCRIPT"), env: append([]string{"KAFKA_TOPIC="}, env...)}
	if k.script == "" {
		t.Skip("KAFKA_SCRIPT is not set: this test starts a Kafka of its own with scripts/kafka.sh")
	}
	k.Brokers = k.listeners(t)["KAFKA_BROKERS"]
	t.Cleanup(func() { k.run(t, nil, "clean") })
	return k
}

// BehindProxy returns the addresses that a proxy has to forward to, where the
// Kafka was started with KAFKA_PROXIED. The proxy listens 10 above each.
func (k *Kafka) BehindProxy(t testing.TB) []string { return k.listeners(t)["KAFKA_BEHIND_PROXY"] }

// listeners asks the script for the addresses of its brokers.
func (k *Kafka) listeners(t testing.TB) map[string][]string {
	t.Helper()
	cmd := exec.Command(k.script, "env")
	cmd.Env = slices.Concat(os.Environ(), k.env)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scripts/kafka.sh env: %v", err)
	}
	found := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		name, list, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[name] = strings.Split(list, ",")
	}
	return found
}

// Start starts or thaws the brokers and returns when they answer. This and the
// following are about all nodes, or about the one that is named.
func (k *Kafka) Start(t testing.TB, node ...int) { k.run(t, nil, "start", node...) }

// StartWith is Start with variables for the script.
func (k *Kafka) StartWith(t testing.TB, env ...string) { k.run(t, env, "start") }

// Stop ends the broker in good order.
func (k *Kafka) Stop(t testing.TB, node ...int) { k.run(t, nil, "stop", node...) }

// Kill ends the broker with SIGKILL.
func (k *Kafka) Kill(t testing.TB, node ...int) { k.run(t, nil, "kill", node...) }

// Pause freezes the broker.
func (k *Kafka) Pause(t testing.TB, node ...int) { k.run(t, nil, "pause", node...) }

// Resume thaws it.
func (k *Kafka) Resume(t testing.TB, node ...int) { k.run(t, nil, "resume", node...) }

func (k *Kafka) run(t testing.TB, env []string, command string, node ...int) {
	t.Helper()
	args := []string{command}
	for _, n := range node {
		args = append(args, strconv.Itoa(n))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.script, args...)
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
	name := NewName(t)
	k.CreateTopic(t, Topic{Name: name, Configs: configs})
	return name
}

// Topic is a topic to be made.
type Topic struct {
	Name       string
	Partitions int       // 0: four
	Replicas   [][]int32 // nodes of each partition, which makes Partitions superfluous; nil: the brokers choose
	Configs    []string  // each NAME=VALUE
}

// CreateTopic makes the topic. One of the same name that is being deleted is
// waited for.
func (k *Kafka) CreateTopic(t testing.TB, wanted Topic) {
	t.Helper()
	client := k.client(t)
	defer client.Close()
	request := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = wanted.Name, int32(cmp.Or(wanted.Partitions, 4)), -1
	if len(wanted.Replicas) > 0 {
		topic.NumPartitions = -1
	}
	for i, nodes := range wanted.Replicas {
		p := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		p.Partition, p.Replicas = int32(i), nodes
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, p)
	}
	for _, c := range wanted.Configs {
		name, value, _ := strings.Cut(c, "=")
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, &value
		topic.Configs = append(topic.Configs, config)
	}
	request.Topics = append(request.Topics, topic)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for {
		response, err := request.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(response.Topics[0].ErrorCode)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, kerr.TopicAlreadyExists) || ctx.Err() != nil {
			t.Fatalf("create topic %s: %v", topic.Topic, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// SetTopic changes a setting of the topic.
func (k *Kafka) SetTopic(t testing.TB, topic, name, value string) {
	t.Helper()
	client := k.client(t)
	defer client.Close()
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = name, &value
	resource.Configs = append(resource.Configs, config)
	request.Resources = append(request.Resources, resource)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	response, err := request.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.Resources[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("set %s=%s of topic %s: %v", name, value, topic, err)
	}
}

// DeleteTopic deletes it with all that is in it.
func (k *Kafka) DeleteTopic(t testing.TB, name string) {
	t.Helper()
	client := k.client(t)
	defer client.Close()
	request := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	request.Topics, request.TopicNames = append(request.Topics, topic), []string{name}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	response, err := request.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("delete topic %s: %v", name, err)
	}
}

// Read reads the topic from its start to its present end.
func (k *Kafka) Read(t testing.TB, topic string) *Tally {
	t.Helper()
	tally := &Tally{}
	k.ReadInto(t, topic, tally)
	return tally
}

// ReadInto is Read that adds to what was found elsewhere.
func (k *Kafka) ReadInto(t testing.TB, topic string, tally *Tally) {
	t.Helper()
	k.ReadRecords(t, topic, func(r *kgo.Record) { add(tally, r) })
}

// ReadRecords shows visit every record that is in the topic by now.
func (k *Kafka) ReadRecords(t testing.TB, topic string, visit func(*kgo.Record)) {
	t.Helper()
	// Topics of an hour's load have many records.
	ctx, cancel := context.WithTimeout(context.Background(), 10*Patience)
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

func add(tally *Tally, r *kgo.Record) {
	tally.AddMarked(r.Value, slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "possibly-duplicate" }))
}

// Follow reads the topic from its start as it grows, until the function that it
// returns is called, which returns what was found. Nothing is said of errors: the
// topic may be deleted meanwhile.
func (k *Kafka) Follow(t testing.TB, topic string) (stop func() *Tally) {
	t.Helper()
	client := k.client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	found := make(chan *Tally, 1)
	go func() {
		defer client.Close()
		tally := &Tally{}
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { add(tally, r) })
		}
		found <- tally
	}()
	stop = sync.OnceValue(func() *Tally {
		cancel()
		return <-found
	})
	t.Cleanup(func() { stop() })
	return stop
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
