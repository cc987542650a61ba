package integration

import (
	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
)

func newSecuredIBMSarama(brokers []string, s security) (zapkafka.Producer, error) {
	config := ibmsarama.NewConfig()
	tls, err := s.tls()
	if err != nil {
		return nil, err
	}
	config.Net.TLS.Enable, config.Net.TLS.Config = tls != nil, tls
	if s.mechanism != "" {
		config.Net.SASL.Enable = true
		config.Net.SASL.Mechanism = sarama.SASLMechanism(s.mechanism)
		config.Net.SASL.User, config.Net.SASL.Password = s.user, s.password
		config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return new(scramClient) }
		config.Net.SASL.TokenProvider = saramaToken(s.token)
	}
	return ibmsarama.New(brokers, config)
}

type saramaToken string

// Token is asked for by each connection.
func (token saramaToken) Token() (*sarama.AccessToken, error) {
	return &sarama.AccessToken{Token: string(token)}, nil
}
