package integration

import (
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/kafkago"
)

func newSecuredKafkago(brokers []string, s security) (zapkafka.Producer, error) {
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	transport := &kafka.Transport{TLS: config}
	switch s.mechanism {
	case mechanismPlain:
		transport.SASL = plain.Mechanism{Username: s.user, Password: s.password}
	case mechanismScram:
		transport.SASL, err = scram.Mechanism(scram.SHA512, s.user, s.password)
	}
	if err != nil {
		return nil, err
	}
	return kafkago.New(brokers, &kafkago.Config{Transport: transport})
}
