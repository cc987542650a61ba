package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
)

// cannotTell are the clients of which nobody can ask where a key goes.
var cannotTell = map[string]string{
	"confluent": "librdkafka has no call for that in Go",
}

// What an adaptor says of where keys go is where their records are.
func TestPartition(t *testing.T) {
	const topic, partitions, n = "many", 12, 500
	for _, a := range adaptors.All() {
		t.Run(a.Name, func(t *testing.T) {
			a.SkipIfItRaces(t)
			cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(partitions, topic))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			p, err := a.New(cluster.ListenAddrs())
			if err != nil {
				t.Fatal(err)
			}
			of, tells := p.(zapkafka.Partitioner)
			if why := cannotTell[a.Name]; why != "" {
				if tells {
					t.Errorf("it is listed as one that cannot tell: %s", why)
				}
				t.Skip(why)
			}
			if !tells {
				t.Fatalf("%T is no zapkafka.Partitioner", p)
			}
			limits := zapkafka.Limits{Records: 10_000, Bytes: 16 << 20, RecordBytes: 900_000, DeliveryTimeout: patience}
			if _, err := p.Start(limits, func(err error) { t.Log(err) }); err != nil {
				t.Fatal(err)
			}
			defer func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := p.Close(ctx); err != nil {
					t.Error(err)
				}
				if _, known := of.Partition("no-such-topic", []byte("k")); known {
					t.Error("known of a topic that is not there")
				}
			}()
			if _, known := of.Partition(topic, nil); known {
				t.Error("known without a key")
			}
			produce(t, p, topic, n)
			deadline := time.Now().Add(patience)
			for _, known := of.Partition(topic, []byte("k")); !known; _, known = of.Partition(topic, []byte("k")) {
				if time.Now().After(deadline) {
					t.Fatalf("after %v and %d records it is not known where a key goes", patience, n)
				}
				<-time.After(time.Millisecond)
			}
			used := map[int32]bool{}
			for _, r := range readBack(t, cluster, topic, n) {
				used[r.Partition] = true
				if got, known := of.Partition(topic, r.Key); !known || got != r.Partition {
					t.Errorf("key %s went to partition %d, Partition says %d (known: %t)", r.Key, r.Partition, got, known)
				}
			}
			if len(used) != partitions {
				t.Errorf("%d keys went to %d partitions", n, len(used))
			}
		})
	}
}

const patience = 30 * time.Second

// produce sends records with n different keys, and waits for them.
func produce(t *testing.T, p zapkafka.Producer, topic string, n int) {
	t.Helper()
	done := make(chan error, n)
	records := make([]*zapkafka.Record, n)
	for i := range records {
		records[i] = zapkafka.NewRecord(topic, fmt.Append(nil, "value ", i), func(err error) { done <- err })
		records[i].Key = fmt.Append(nil, "key-", i)
	}
	p.Produce(t.Context(), records)
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func readBack(t *testing.T, cluster *kfake.Cluster, topic string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("reading back: %d of %d records: %v", len(all), n, err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}
