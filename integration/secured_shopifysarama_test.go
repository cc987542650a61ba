package integration

import (
	"github.com/Shopify/sarama"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/shopifysarama"
)

func newSecuredShopifySarama(brokers []string, s security) (zapkafka.Producer, error) {
	config := shopifysarama.NewConfig()
	tls, err := s.tls()
	if err != nil {
		return nil, err
	}
	config.Net.TLS.Enable, config.Net.TLS.Config = tls != nil, tls
	if s.mechanism != "" {
		config.Net.SASL.Enable = true
		// The default of this old version, with which a broker hangs up on a wrong
		// password. With V1 it says why, but then the client does not wait for the
		// goroutine that reads before it connects again (v1.38.1, broker.go, Open):
		// a race.
		config.Net.SASL.Version = sarama.SASLHandshakeV0
		config.Net.SASL.Mechanism = sarama.SASLMechanism(s.mechanism)
		config.Net.SASL.User, config.Net.SASL.Password = s.user, s.password
		config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return new(scramClient) }
		config.Net.SASL.TokenProvider = shopifyToken(s.token)
	}
	return shopifysarama.New(brokers, config)
}

type shopifyToken string

// Token is asked for by each connection.
func (token shopifyToken) Token() (*sarama.AccessToken, error) {
	return &sarama.AccessToken{Token: string(token)}, nil
}
