//go:build cgo

package confluent

import (
	"os"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka/producer/confluent"
)

// TLS encrypts; with the last two properties it is mutual.
func TLS(brokers []string) (*confluent.Producer, error) {
	return confluent.New(brokers, &kafka.ConfigMap{
		"security.protocol":        "SSL",
		"ssl.ca.location":          "/etc/kafka/ca.pem",
		"ssl.certificate.location": "/etc/kafka/app.pem",
		"ssl.key.location":         "/etc/kafka/app.key",
	})
}

// Plain is user and password as they are: never with SASL_PLAINTEXT, which is
// without TLS.
func Plain(brokers []string) (*confluent.Producer, error) {
	return confluent.New(brokers, &kafka.ConfigMap{
		"security.protocol": "SASL_SSL",
		"ssl.ca.location":   "/etc/kafka/ca.pem",
		"sasl.mechanism":    "PLAIN",
		"sasl.username":     "app",
		"sasl.password":     os.Getenv("KAFKA_PASSWORD"),
	})
}

// Scram is user and password, which is proved and not sent.
func Scram(brokers []string) (*confluent.Producer, error) {
	return confluent.New(brokers, &kafka.ConfigMap{
		"security.protocol": "SASL_SSL",
		"ssl.ca.location":   "/etc/kafka/ca.pem",
		"sasl.mechanism":    "SCRAM-SHA-512",
		"sasl.username":     "app",
		"sasl.password":     os.Getenv("KAFKA_PASSWORD"),
	})
}

// OAuth has the client fetch tokens by itself.
func OAuth(brokers []string) (*confluent.Producer, error) {
	return confluent.New(brokers, &kafka.ConfigMap{
		"security.protocol":                   "SASL_SSL",
		"ssl.ca.location":                     "/etc/kafka/ca.pem",
		"sasl.mechanism":                      "OAUTHBEARER",
		"sasl.oauthbearer.method":             "oidc",
		"sasl.oauthbearer.token.endpoint.url": "https://login.example.com/oauth2/token",
		"sasl.oauthbearer.client.id":          "app",
		"sasl.oauthbearer.client.secret":      os.Getenv("KAFKA_CLIENT_SECRET"),
	})
}
