package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	partitions = 3
	// reachTime is how long the brokers have to answer at the start, createTime
	// how long they have for the topic then.
	reachTime  = 6 * time.Second
	createTime = 10 * time.Second
)

// createTopic makes the topic, and returns when it can be written to.
func createTopic(ctx context.Context, brokers []string, topic string) error {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.DialTimeout(3*time.Second),
		kgo.RequestRetries(2), // what does not answer now is not there
	)
	if err != nil {
		return fmt.Errorf("KAFKA_BROKERS is %q: %w", strings.Join(brokers, ","), err)
	}
	defer cl.Close()
	if err := reach(ctx, cl); err != nil {
		return fmt.Errorf("cannot reach Kafka at %s: %w (is it running, and is KAFKA_BROKERS right?)", strings.Join(brokers, ", "), err)
	}
	ctx, cancel := context.WithTimeout(ctx, createTime)
	defer cancel()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, -1 // as many copies as the brokers make by default
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(createTime / time.Millisecond)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err == nil && len(resp.Topics) == 1 {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		if m := resp.Topics[0].ErrorMessage; err != nil && m != nil {
			err = fmt.Errorf("%w (%s)", err, *m)
		}
	}
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	for !hasLeaders(ctx, cl, topic) {
		if !wait(ctx, 20*time.Millisecond) {
			return fmt.Errorf("topic %s was created, but has no leaders after %v", topic, createTime)
		}
	}
	return nil
}

// reach waits for a sign of life of any broker.
func reach(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	// The first request of a connection does not end with its context, but does
	// with the client.
	defer context.AfterFunc(ctx, cl.Close)()
	begin := time.Now()
	err := cl.Ping(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", time.Since(begin).Round(100*time.Millisecond))
	}
	return err
}

// hasLeaders reports whether all partitions of the topic can be written to.
func hasLeaders(ctx context.Context, cl *kgo.Client, topic string) bool {
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != partitions {
		return false
	}
	for _, p := range resp.Topics[0].Partitions {
		if p.ErrorCode != 0 || p.Leader < 0 {
			return false
		}
	}
	return true
}

// readTopic reads the topic from its start to where it ends at the moment.
func readTopic(ctx context.Context, brokers []string, topic string, each func(entry []byte)) error {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	defer context.AfterFunc(ctx, cl.Close)() // see reach
	left, err := unread(ctx, cl, topic)
	if err != nil {
		return fmt.Errorf("where does it end? %w", err)
	}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		// Other errors are reported where they have not ended the reading, and
		// the client tries again.
		fetches.EachRecord(func(r *kgo.Record) {
			end, ok := left[r.Partition]
			if !ok || r.Offset >= end {
				return
			}
			each(r.Value)
			if r.Offset == end-1 {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}

// unread returns the ends of the partitions that are not empty.
func unread(ctx context.Context, cl *kgo.Client, topic string) (map[int32]int64, error) {
	const earliest, latest = -2, -1
	ends, err := offsets(ctx, cl, topic, latest)
	if err != nil {
		return nil, err
	}
	starts, err := offsets(ctx, cl, topic, earliest)
	if err != nil {
		return nil, err
	}
	for p, end := range ends {
		if starts[p] >= end {
			delete(ends, p)
		}
	}
	return ends, nil
}

func offsets(ctx context.Context, cl *kgo.Client, topic string, which int64) (map[int32]int64, error) {
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for p := range int32(partitions) {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p, which
		t.Partitions = append(t.Partitions, rp)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	found := make(map[int32]int64)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("partition %d: %w", p.Partition, err)
			}
			found[p.Partition] = p.Offset
		}
	}
	if len(found) != partitions {
		return nil, fmt.Errorf("the brokers told of %d partitions, not %d", len(found), partitions)
	}
	return found, nil
}
