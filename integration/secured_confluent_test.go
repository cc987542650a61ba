//go:build cgo

package integration

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/confluent"
)

func init() {
	securedClients = append(securedClients, secured{name: "confluent", new: newSecuredConfluent})
}

func newSecuredConfluent(brokers []string, s security) (zapkafka.Producer, error) {
	config := kafka.ConfigMap{}
	if s.ca != "" {
		config["security.protocol"] = "SSL"
		config["ssl.ca.location"] = s.ca
	}
	if s.cert != "" {
		config["ssl.certificate.location"], config["ssl.key.location"] = s.cert, s.key
	}
	if s.mechanism != "" {
		config["security.protocol"] = "SASL_SSL"
		config["sasl.mechanism"] = s.mechanism
	}
	if s.tokenURL != "" {
		config["sasl.oauthbearer.method"] = "oidc"
		config["sasl.oauthbearer.token.endpoint.url"] = s.tokenURL
		config["sasl.oauthbearer.client.id"] = s.user
		config["sasl.oauthbearer.client.secret"] = s.password
	} else if s.mechanism != "" {
		config["sasl.username"], config["sasl.password"] = s.user, s.password
	}
	return confluent.New(brokers, &config)
}
