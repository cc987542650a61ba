//go:build cgo

package confluent_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/confluent"
)

// One record without a syncer, to a broker in this process.
func Example() {
	broker, err := kafka.NewMockCluster(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	if err := broker.CreateTopic("app-logs", 1, 1); err != nil {
		fmt.Println(err)
		return
	}

	producer, err := confluent.New(strings.Split(broker.BootstrapServers(), ","), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	limits := zapkafka.Limits{Records: 1000, Bytes: 1 << 20, RecordBytes: 64 << 10, DeliveryTimeout: 30 * time.Second}
	if _, err := producer.Start(limits, func(err error) { fmt.Println(err) }); err != nil {
		fmt.Println(err)
		return
	}
	record := zapkafka.NewRecord("app-logs", []byte(`{"msg":"hello"}`), func(err error) { fmt.Println("outcome:", err) })
	producer.Produce(context.Background(), []*zapkafka.Record{record})

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := producer.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: outcome: <nil>
}

// TLS with a private CA. For mutual TLS add ssl.certificate.location and
// ssl.key.location.
func ExampleNew_tls() {
	producer, err := confluent.New([]string{"kafka-1:9093"}, &kafka.ConfigMap{
		"security.protocol": "ssl",
		"ssl.ca.location":   "/etc/kafka/ca.pem",
	})
	_, _ = producer, err
}

// User and password, checked with SCRAM; TLS as well, so that nobody on the way
// can read the log.
func ExampleNew_scram() {
	producer, err := confluent.New([]string{"kafka-1:9093"}, &kafka.ConfigMap{
		"security.protocol": "sasl_ssl",
		"sasl.mechanism":    "SCRAM-SHA-512",
		"sasl.username":     "app",
		"sasl.password":     os.Getenv("KAFKA_PASSWORD"),
	})
	_, _ = producer, err
}

// PLAIN sends the password as it is: never without TLS.
func ExampleNew_plain() {
	producer, err := confluent.New([]string{"kafka-1:9093"}, &kafka.ConfigMap{
		"security.protocol": "sasl_ssl",
		"sasl.mechanism":    "PLAIN",
		"sasl.username":     "app",
		"sasl.password":     os.Getenv("KAFKA_PASSWORD"),
	})
	_, _ = producer, err
}

// A token that the client fetches by itself from an OpenID provider.
func ExampleNew_oauth() {
	producer, err := confluent.New([]string{"kafka-1:9093"}, &kafka.ConfigMap{
		"security.protocol":                   "sasl_ssl",
		"sasl.mechanism":                      "OAUTHBEARER",
		"sasl.oauthbearer.method":             "oidc",
		"sasl.oauthbearer.client.id":          "app",
		"sasl.oauthbearer.client.secret":      os.Getenv("OIDC_SECRET"),
		"sasl.oauthbearer.token.endpoint.url": "https://id.example.com/token",
	})
	_, _ = producer, err
}

// The topic is made when the first entry is sent to it, if the brokers allow.
func ExampleNew_topicCreation() {
	producer, err := confluent.New([]string{"kafka-1:9092"}, &kafka.ConfigMap{"allow.auto.create.topics": true})
	_, _ = producer, err
}
