package ibmsarama_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
)

// One record without a syncer, to a broker in this process.
func Example() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "app-logs"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	producer, err := ibmsarama.New(broker.ListenAddrs(), nil)
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

// TLS with a private CA. For mutual TLS put the client's certificate into
// Certificates.
func ExampleNew_tls() {
	pem, err := os.ReadFile("/etc/kafka/ca.pem")
	if err != nil {
		return
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := ibmsarama.NewConfig()
	config.Net.TLS.Enable = true
	config.Net.TLS.Config = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	producer, err := ibmsarama.New([]string{"kafka-1:9093"}, config)
	_, _ = producer, err
}

// newSCRAMClient returns sarama's view of a SCRAM library, which it leaves to its
// users. The package documentation has one for github.com/xdg-go/scram.
var newSCRAMClient func() sarama.SCRAMClient

// User and password, checked with SCRAM; TLS as well, so that nobody on the way
// can read the log.
func ExampleNew_scram() {
	config := ibmsarama.NewConfig()
	config.Net.TLS.Enable = true
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA512
	config.Net.SASL.SCRAMClientGeneratorFunc = newSCRAMClient
	config.Net.SASL.User = "app"
	config.Net.SASL.Password = os.Getenv("KAFKA_PASSWORD")
	producer, err := ibmsarama.New([]string{"kafka-1:9093"}, config)
	_, _ = producer, err
}

// PLAIN sends the password as it is: never without TLS.
func ExampleNew_plain() {
	config := ibmsarama.NewConfig()
	config.Net.TLS.Enable = true
	config.Net.SASL.Enable = true
	config.Net.SASL.User = "app"
	config.Net.SASL.Password = os.Getenv("KAFKA_PASSWORD")
	producer, err := ibmsarama.New([]string{"kafka-1:9093"}, config)
	_, _ = producer, err
}

// token is asked for with each connection.
type token string

func (path token) Token() (*sarama.AccessToken, error) {
	b, err := os.ReadFile(string(path))
	return &sarama.AccessToken{Token: string(b)}, err
}

// A token that is read with each connection.
func ExampleNew_oauth() {
	config := ibmsarama.NewConfig()
	config.Net.TLS.Enable = true
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeOAuth
	config.Net.SASL.TokenProvider = token("/var/run/secrets/kafka/token")
	producer, err := ibmsarama.New([]string{"kafka-1:9093"}, config)
	_, _ = producer, err
}

// The topic is made when the first entry is sent to it, if the brokers allow.
func ExampleNew_topicCreation() {
	config := ibmsarama.NewConfig()
	config.Metadata.AllowAutoTopicCreation = true
	producer, err := ibmsarama.New([]string{"kafka-1:9092"}, config)
	_, _ = producer, err
}

// A producer that the program has made stays the program's: it is closed after
// the syncer was shut down.
func ExampleWrap() {
	config := ibmsarama.NewConfig()
	owned, err := sarama.NewAsyncProducer([]string{"kafka-1:9092"}, config)
	if err != nil {
		return
	}
	defer owned.AsyncClose()
	producer, err := ibmsarama.Wrap(owned, config)
	if err != nil {
		return
	}
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", os.Stderr, nil)
	if err != nil {
		return
	}
	fmt.Fprintln(syncer, `{"msg":"hello"}`)
	_ = syncer.Close()
}
