// Package ibmsarama is about sarama.
package ibmsarama

import (
	"context"
	"crypto/tls"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/aws/aws-msk-iam-sasl-signer-go/signer"
	"github.com/xdg-go/scram"

	"github.com/zapkafka/zapkafka/producer/ibmsarama"
)

// withTLS is what the others begin with.
func withTLS(tls *tls.Config) *sarama.Config {
	config := ibmsarama.NewConfig()
	config.Net.TLS.Enable = true
	config.Net.TLS.Config = tls
	return config
}

// TLS encrypts; with a certificate of its own in tls it is mutual.
func TLS(brokers []string, tls *tls.Config) (*ibmsarama.Producer, error) {
	return ibmsarama.New(brokers, withTLS(tls))
}

// Plain is user and password as they are: never without TLS.
func Plain(brokers []string, tls *tls.Config) (*ibmsarama.Producer, error) {
	config := withTLS(tls)
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypePlaintext
	config.Net.SASL.User = "app"
	config.Net.SASL.Password = os.Getenv("KAFKA_PASSWORD")
	return ibmsarama.New(brokers, config)
}

// Scram is user and password, which is proved and not sent.
func Scram(brokers []string, tls *tls.Config) (*ibmsarama.Producer, error) {
	config := withTLS(tls)
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA512
	config.Net.SASL.User = "app"
	config.Net.SASL.Password = os.Getenv("KAFKA_PASSWORD")
	config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return new(scramClient) }
	return ibmsarama.New(brokers, config)
}

// scramClient is a sarama.SCRAMClient.
type scramClient struct{ conversation *scram.ClientConversation }

func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := scram.SHA512.NewClient(user, password, authzID)
	if err == nil {
		c.conversation = client.NewConversation()
	}
	return err
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }

func (c *scramClient) Done() bool { return c.conversation.Done() }

// OAuth asks token with each connection. It should keep a token while that is
// good, and not take long: sarama waits for it.
func OAuth(brokers []string, tls *tls.Config, token func(context.Context) (string, error)) (*ibmsarama.Producer, error) {
	config := withTLS(tls)
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeOAuth
	config.Net.SASL.TokenProvider = bearer(token)
	return ibmsarama.New(brokers, config)
}

// bearer is a sarama.AccessTokenProvider.
type bearer func(context.Context) (string, error)

func (token bearer) Token() (*sarama.AccessToken, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	t, err := token(ctx)
	return &sarama.AccessToken{Token: t}, err
}

// MSK is OAuth with tokens of AWS's signer, which takes credentials from where
// the SDK finds them.
func MSK(brokers []string, region string) (*ibmsarama.Producer, error) {
	return OAuth(brokers, new(tls.Config), func(ctx context.Context) (string, error) {
		token, _, err := signer.GenerateAuthToken(ctx, region)
		return token, err
	})
}
