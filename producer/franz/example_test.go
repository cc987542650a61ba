package franz_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// One record without a syncer, to a broker in this process.
func Example() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "app-logs"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	producer, err := franz.New(broker.ListenAddrs())
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
	producer, err := franz.New([]string{"kafka-1:9093"},
		kgo.DialTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	_, _ = producer, err
}

// User and password, checked with SCRAM; TLS as well, so that nobody on the way
// can read the log.
func ExampleNew_scram() {
	auth := scram.Auth{User: "app", Pass: os.Getenv("KAFKA_PASSWORD")}
	producer, err := franz.New([]string{"kafka-1:9093"},
		kgo.DialTLSConfig(new(tls.Config)),
		kgo.SASL(auth.AsSha512Mechanism()))
	_, _ = producer, err
}

// PLAIN sends the password as it is: never without TLS.
func ExampleNew_plain() {
	auth := plain.Auth{User: "app", Pass: os.Getenv("KAFKA_PASSWORD")}
	producer, err := franz.New([]string{"kafka-1:9093"},
		kgo.DialTLSConfig(new(tls.Config)),
		kgo.SASL(auth.AsMechanism()))
	_, _ = producer, err
}

// A token that is asked for with each connection.
func ExampleNew_oauth() {
	token := func(context.Context) (oauth.Auth, error) {
		b, err := os.ReadFile("/var/run/secrets/kafka/token")
		return oauth.Auth{Token: string(b)}, err
	}
	producer, err := franz.New([]string{"kafka-1:9093"},
		kgo.DialTLSConfig(new(tls.Config)),
		kgo.SASL(oauth.Oauth(token)))
	_, _ = producer, err
}

// The topic is made when the first entry is sent to it, if the brokers allow.
func ExampleNew_topicCreation() {
	producer, err := franz.New([]string{"kafka-1:9092"}, kgo.AllowAutoTopicCreation())
	_, _ = producer, err
}
