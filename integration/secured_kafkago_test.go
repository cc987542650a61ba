package integration

import (
	"context"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
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
	case mechanismToken:
		transport.SASL = bearer(s.token)
	}
	if err != nil {
		return nil, err
	}
	return kafkago.New(brokers, &kafkago.Config{Transport: transport})
}

// bearer is the OAUTHBEARER that kafka-go does not have.
type bearer string

// Name is what brokers call it.
func (bearer) Name() string { return mechanismToken }

// Start begins for one connection.
func (token bearer) Start(context.Context) (sasl.StateMachine, []byte, error) {
	return token, []byte("n,,\x01auth=Bearer " + string(token) + "\x01\x01"), nil
}

// Next answers the broker, which says something only to refuse.
func (bearer) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	if len(challenge) == 0 {
		return true, nil, nil
	}
	return false, []byte{1}, nil
}
