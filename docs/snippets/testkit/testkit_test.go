// Package testkit has tests as a program would have them.
package testkit

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
	"github.com/zapkafka/zapkafka/producertest"
)

// placeOrder is the program.
func placeOrder(logger *zap.Logger, customer string, items int) {
	logger.Info("order placed", zapkafka.Key(customer), zap.Int("items", items))
}

func TestOrderIsLogged(t *testing.T) {
	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
	placeOrder(logger.Logger, "customer-7", 3)

	e := logs.WaitFor(1)[0]
	if e.Fields["msg"] != "order placed" || e.Fields["items"] != 3.0 || string(e.Key) != "customer-7" {
		t.Errorf("got %v", e)
	}
}

func TestNothingElseIsLogged(t *testing.T) {
	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
	placeOrder(logger.Logger, "customer-7", 3)
	if err := logger.Sync(); err != nil { // now all of it is there
		t.Fatal(err)
	}
	if all := logs.Entries(); len(all) != 1 || len(all.FilterMessage("order placed")) != 1 {
		t.Errorf("got %v", all)
	}
}

func TestOutage(t *testing.T) {
	logger, logs := producertest.NewLogger(t, zap.InfoLevel)
	logs.KafkaDown()
	placeOrder(logger.Logger, "customer-7", 3)
	if e := logs.WaitForFallback(1)[0]; string(e.Key) != "customer-7" {
		t.Errorf("on file is %v", e)
	}

	logs.KafkaUp()
	if e := logs.WaitFor(1)[0]; e.Header("replayed") == "" {
		t.Errorf("replayed was %v", e)
	}
}

func TestOnKfake(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "app-logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	producer, err := franz.New(cluster.ListenAddrs())
	if err != nil {
		t.Fatal(err)
	}
	syncer := start(t, producer)
	placeOrder(zapkafka.New(syncer, zap.InfoLevel).Logger, "customer-7", 3)

	r := consume(t, cluster.ListenAddrs(), "app-logs")
	if string(r.Key) != "customer-7" {
		t.Errorf("got key %q and value %s", r.Key, r.Value)
	}
}

// start makes what the program would.
func start(t *testing.T, producer zapkafka.Producer) *zapkafka.KafkaSyncer {
	t.Helper()
	fallback, err := zapkafka.OpenFallback(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syncer.Close()
		_ = fallback.Close()
	})
	return syncer
}

// consume returns the first record of a topic.
func consume(t *testing.T, brokers []string, topic string) *kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		if records := fetches.Records(); len(records) > 0 {
			return records[0]
		}
	}
}

func TestKafkaGoesAway(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "app-logs"))
	if err != nil {
		t.Fatal(err)
	}
	producer, err := franz.New(cluster.ListenAddrs())
	if err != nil {
		t.Fatal(err)
	}
	syncer := start(t, producer)
	cluster.Close()
	placeOrder(zapkafka.New(syncer, zap.InfoLevel).Logger, "customer-7", 3)

	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := syncer.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if s := syncer.Stats(); s.FellBack.Total() != 1 || s.Lost.Total() != 0 {
		t.Errorf("got %+v, want the entry on file", s)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
