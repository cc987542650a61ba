package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// reachTime is how long the brokers have to say where a topic begins and ends.
	reachTime = 10 * time.Second
	// silentTime is how long they may go on to say nothing while there is more
	// to read.
	silentTime = 15 * time.Second
)

// place is where in a topic reading begins: at its beginning, at its end, or at
// a time.
type place struct {
	beginning bool
	at        time.Time // zero, and not the beginning: the end
}

// topicReader reads a topic.
type topicReader struct {
	brokers []string
	opts    []kgo.Opt
	topic   string
	from    place
	follow  bool        // go on at the end, until ctx is done
	trouble func(error) // is told what the client goes on trying after
}

// extent is the part of a partition to read.
type extent struct{ from, to int64 }

// read calls each with the records until ctx is done, or without follow up to
// the end that the topic had at the beginning. An error of each ends it.
func (t *topicReader) read(ctx context.Context, each func(*kgo.Record) error) error {
	left, err := t.extents(ctx)
	if err != nil {
		return err
	}
	start := map[int32]kgo.Offset{}
	for p, e := range left {
		start[p] = kgo.NewOffset().At(e.from)
		if e.from >= e.to {
			delete(left, p)
			if !t.follow {
				delete(start, p)
			}
		}
	}
	if !t.follow && len(left) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(t.brokers...), kgo.ClientID("zapkafka-cli"), kgo.DisableClientMetrics(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.topic: start}),
		kgo.KeepControlRecords(), // the last of a partition may be one
		kgo.FetchMaxWait(500 * time.Millisecond),
	}, t.opts...)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if t.follow {
		return t.poll(ctx, cl, nil, each)
	}
	return t.poll(ctx, cl, left, each)
}

// poll reads until nothing is left; nil means forever.
func (t *topicReader) poll(ctx context.Context, cl *kgo.Client, left map[int32]extent, each func(*kgo.Record) error) error {
	for left == nil || len(left) > 0 {
		fetches, err := t.fetch(ctx, cl, left == nil)
		if err != nil || ctx.Err() != nil {
			return err
		}
		fetches.EachError(func(_ string, _ int32, err error) { t.trouble(err) })
		for _, r := range fetches.Records() {
			if left != nil {
				e, open := left[r.Partition]
				if !open || r.Offset >= e.to {
					continue
				}
				if r.Offset == e.to-1 {
					delete(left, r.Partition)
				}
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetch waits for records, for ever or as long as brokers may be silent.
func (t *topicReader) fetch(ctx context.Context, cl *kgo.Client, forever bool) (kgo.Fetches, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if !forever {
		limited, cancel = context.WithTimeout(ctx, silentTime)
	}
	defer cancel()
	fetches := cl.PollFetches(limited)
	if !forever && ctx.Err() == nil && limited.Err() != nil {
		return nil, fmt.Errorf("topic %s was not read to its end: the brokers have sent nothing for %v", t.topic, silentTime)
	}
	return fetches, nil
}

// extents asks where reading begins, and where the partitions end.
func (t *topicReader) extents(ctx context.Context) (map[int32]extent, error) {
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(t.brokers...), kgo.ClientID("zapkafka-cli"), kgo.DisableClientMetrics(),
		kgo.DialTimeout(3 * time.Second), kgo.RequestRetries(3), // what does not answer now is not there
	}, t.opts...)...)
	if err != nil {
		return nil, usageError{err}
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	// The first request of a connection does not end with its context, but does
	// with the client.
	defer context.AfterFunc(ctx, cl.Close)()
	adm := kadm.NewClient(cl)
	ends, err := adm.ListEndOffsets(ctx, t.topic)
	if err := t.explain(ctx, ends, err); err != nil {
		return nil, err
	}
	starts := ends
	switch {
	case t.from.beginning:
		starts, err = adm.ListStartOffsets(ctx, t.topic)
	case !t.from.at.IsZero():
		starts, err = adm.ListOffsetsAfterMilli(ctx, t.from.at.UnixMilli(), t.topic)
	}
	if err := t.explain(ctx, starts, err); err != nil {
		return nil, err
	}
	found := map[int32]extent{}
	ends.Each(func(o kadm.ListedOffset) {
		from, ok := starts.Lookup(t.topic, o.Partition)
		if !ok {
			from = o
		}
		found[o.Partition] = extent{from.Offset, o.Offset}
	})
	return found, nil
}

// explain says what is wrong with an answer; nil if nothing is.
func (t *topicReader) explain(ctx context.Context, o kadm.ListedOffsets, err error) error {
	if err == nil {
		err = o.Error()
	}
	switch {
	case err == nil && len(o[t.topic]) == 0, errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("there is no topic %s, or this user may not see it", t.topic)
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no answer from Kafka at %s within %v", strings.Join(t.brokers, ", "), reachTime)
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("%w (the broker hung up: is this a listener without TLS, or does it want other credentials?)", err)
	}
	return fmt.Errorf("ask Kafka at %s for topic %s: %w", strings.Join(t.brokers, ", "), t.topic, err)
}
