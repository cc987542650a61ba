package main

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatArrives(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "test"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := run(cluster.ListenAddrs(), "test", t.TempDir()); err != nil {
		t.Fatal(err)
	}

	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("test"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	messages, key := []string{}, ""
	for want := cluster.PartitionInfos("test")[0].HighWatermark; int64(len(messages)) < want; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var e struct{ Logger, Level, Msg string }
			if err := json.Unmarshal(r.Value, &e); err != nil {
				t.Errorf("%v in %s", err, r.Value)
			}
			messages = append(messages, e.Logger+" "+e.Level+" "+e.Msg)
			key = string(r.Key)
		})
	}
	want := []string{
		"orders info order placed",
		" info log level changed",
		"orders debug shown",
		"orders warn refused",
	}
	if !reflect.DeepEqual(messages, want) || key != "tenant-7" {
		t.Errorf("%q, the last with the key %q, want %q and tenant-7", messages, key, want)
	}
}
