package kafkago_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/kafkago"
)

// One record without a syncer.
func Example() {
	producer, err := kafkago.New([]string{"localhost:9092"}, nil)
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
}

// TLS with a private CA. For mutual TLS put the client's certificate into
// Certificates.
func ExampleNew_tls() {
	pem, err := os.ReadFile("/etc/kafka/ca.pem")
	if err != nil {
		return
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	producer, err := kafkago.New([]string{"kafka-1:9093"}, &kafkago.Config{
		Transport: &kafka.Transport{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	})
	_, _ = producer, err
}

// User and password, checked with SCRAM; TLS as well, so that nobody on the way
// can read the log.
func ExampleNew_scram() {
	mechanism, err := scram.Mechanism(scram.SHA512, "app", os.Getenv("KAFKA_PASSWORD"))
	if err != nil {
		return
	}
	producer, err := kafkago.New([]string{"kafka-1:9093"}, &kafkago.Config{
		Transport: &kafka.Transport{TLS: new(tls.Config), SASL: mechanism},
	})
	_, _ = producer, err
}

// PLAIN sends the password as it is: never without TLS.
func ExampleNew_plain() {
	producer, err := kafkago.New([]string{"kafka-1:9093"}, &kafkago.Config{
		Transport: &kafka.Transport{
			TLS:  new(tls.Config),
			SASL: plain.Mechanism{Username: "app", Password: os.Getenv("KAFKA_PASSWORD")},
		},
	})
	_, _ = producer, err
}

// The topic is made when the first entry is sent to it, if the brokers allow.
func ExampleNew_topicCreation() {
	producer, err := kafkago.New([]string{"kafka-1:9092"}, &kafkago.Config{AllowAutoTopicCreation: true})
	_, _ = producer, err
}
