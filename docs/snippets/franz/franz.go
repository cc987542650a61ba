// Package franz is about franz-go.
package franz

import (
	"context"
	"crypto/tls"
	"os"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/zapkafka/zapkafka/producer/franz"
)

// TLS encrypts; with a certificate of its own in config it is mutual.
func TLS(brokers []string, config *tls.Config) (*franz.Producer, error) {
	return franz.New(brokers, kgo.DialTLSConfig(config))
}

// Plain is user and password as they are: never without TLS.
func Plain(brokers []string, config *tls.Config) (*franz.Producer, error) {
	auth := plain.Auth{User: "app", Pass: os.Getenv("KAFKA_PASSWORD")}
	return franz.New(brokers, kgo.DialTLSConfig(config), kgo.SASL(auth.AsMechanism()))
}

// Scram is user and password, which is proved and not sent.
func Scram(brokers []string, config *tls.Config) (*franz.Producer, error) {
	auth := scram.Auth{User: "app", Pass: os.Getenv("KAFKA_PASSWORD")}
	return franz.New(brokers, kgo.DialTLSConfig(config), kgo.SASL(auth.AsSha512Mechanism()))
}

// OAuth asks token for a new one with each connection.
func OAuth(brokers []string, config *tls.Config, token func(context.Context) (string, error)) (*franz.Producer, error) {
	auth := func(ctx context.Context) (oauth.Auth, error) {
		t, err := token(ctx)
		return oauth.Auth{Token: t}, err
	}
	return franz.New(brokers, kgo.DialTLSConfig(config), kgo.SASL(oauth.Oauth(auth)))
}

// MSK takes credentials from where AWS's SDK finds them, anew with each
// connection. The region follows from the brokers' names.
func MSK(ctx context.Context, brokers []string) (*franz.Producer, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	auth := func(ctx context.Context) (aws.Auth, error) {
		c, err := cfg.Credentials.Retrieve(ctx)
		return aws.Auth{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey, SessionToken: c.SessionToken}, err
	}
	return franz.New(brokers, kgo.DialTLSConfig(new(tls.Config)), kgo.SASL(aws.ManagedStreamingIAM(auth)))
}
