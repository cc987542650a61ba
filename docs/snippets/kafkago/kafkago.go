// Package kafkago is about kafka-go.
package kafkago

import (
	"context"
	"crypto/tls"
	"os"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/aws_msk_iam_v2"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/zapkafka/zapkafka/producer/kafkago"
)

// TLS encrypts; with a certificate of its own in config it is mutual.
func TLS(brokers []string, config *tls.Config) (*kafkago.Producer, error) {
	return kafkago.New(brokers, &kafkago.Config{Transport: &kafka.Transport{TLS: config}})
}

// Plain is user and password as they are: never without TLS.
func Plain(brokers []string, config *tls.Config) (*kafkago.Producer, error) {
	auth := plain.Mechanism{Username: "app", Password: os.Getenv("KAFKA_PASSWORD")}
	return kafkago.New(brokers, &kafkago.Config{Transport: &kafka.Transport{TLS: config, SASL: auth}})
}

// Scram is user and password, which is proved and not sent.
func Scram(brokers []string, config *tls.Config) (*kafkago.Producer, error) {
	auth, err := scram.Mechanism(scram.SHA512, "app", os.Getenv("KAFKA_PASSWORD"))
	if err != nil {
		return nil, err
	}
	return kafkago.New(brokers, &kafkago.Config{Transport: &kafka.Transport{TLS: config, SASL: auth}})
}

// OAuth asks token for a new one with each connection.
func OAuth(brokers []string, config *tls.Config, token func(context.Context) (string, error)) (*kafkago.Producer, error) {
	return kafkago.New(brokers, &kafkago.Config{Transport: &kafka.Transport{TLS: config, SASL: bearer(token)}})
}

// bearer is a sasl.Mechanism (RFC 7628).
type bearer func(context.Context) (string, error)

func (bearer) Name() string { return "OAUTHBEARER" }

func (token bearer) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	t, err := token(ctx)
	return token, []byte("n,,\x01auth=Bearer " + t + "\x01\x01"), err
}

func (bearer) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	if len(challenge) == 0 {
		return true, nil, nil
	}
	return false, []byte{1}, nil // refused: the broker's next answer is the error
}

// MSK takes credentials and region from where AWS's SDK finds them.
func MSK(ctx context.Context, brokers []string) (*kafkago.Producer, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	auth := aws_msk_iam_v2.NewMechanism(cfg)
	return kafkago.New(brokers, &kafkago.Config{Transport: &kafka.Transport{TLS: new(tls.Config), SASL: auth}})
}
