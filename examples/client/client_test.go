package client

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka"
)

func TestMain(m *testing.M) {
	// sarama counts with this package, which starts one goroutine for the whole
	// process with its first meter, and has no way to end it.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// Each client that this was built with delivers.
func TestClients(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "test"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range append(Names(), "") {
		t.Run(name, func(t *testing.T) {
			producer, err := New(name, c.ListenAddrs())
			if name == "confluent" && err != nil {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			limits := zapkafka.Limits{Records: 1000, Bytes: 1 << 20, RecordBytes: 64 << 10, DeliveryTimeout: 30 * time.Second}
			if _, err := producer.Start(limits, func(err error) { t.Log(err) }); err != nil {
				t.Fatal(err)
			}
			outcome := make(chan error, 1)
			producer.Produce(t.Context(), []*zapkafka.Record{zapkafka.NewRecord("test", []byte("{}"), func(err error) { outcome <- err })})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := producer.Close(ctx); err != nil {
				t.Error(err)
			}
			if err := <-outcome; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnknownClient(t *testing.T) {
	producer, err := New("kafkacat", []string{"localhost:9092"})
	if producer != nil || err == nil {
		t.Fatalf("got %v, %v", producer, err)
	}
	for _, want := range append(Names(), `"kafkacat"`) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %q", want, err)
		}
	}
}

func TestNames(t *testing.T) {
	if names := Names(); names[0] != Default || !slices.Contains(names, "confluent") {
		t.Errorf("names are %q", names)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for _, name := range Names() {
		if producer, err := New(name, nil); err == nil {
			t.Errorf("%s: %v without brokers", name, producer)
		}
	}
}
