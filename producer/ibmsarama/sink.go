package ibmsarama

import (
	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
)

// RegisterSink makes zap open URLs of the scheme with this client, in the
// OutputPaths of a zap.Config for example:
//
//	sinks, err := ibmsarama.RegisterSink("kafka", nil)
//	config.OutputPaths = []string{"stdout", "kafka://b1:9092,b2:9092/app-logs?fallback=/var/lib/app/kafka-fallback"}
//
// [zapkafka.RegisterSink] has all about it. The config is as for [New], for what a
// URL cannot say, and holds for all URLs of the scheme; nil means [NewConfig]. TLS
// and SASL are each said either by it or by a URL, not by both. sarama has no SCRAM
// of its own: for sasl=scram-sha-256 or scram-sha-512 in a URL the config needs a
// Net.SASL.SCRAMClientGeneratorFunc for that mechanism, and no Net.SASL.Enable. The
// error says what is wrong with the config, or why zap does not take the scheme.
func RegisterSink(scheme string, config *sarama.Config) (*zapkafka.Sinks, error) {
	if _, err := sinkConfig(zapkafka.SinkURL{}, config); err != nil {
		return nil, err
	}
	return zapkafka.RegisterSink(scheme, SinkProducer(config), nil)
}

// SinkProducer returns what [zapkafka.RegisterSink] makes clients with, for those
// who give it options. The config is as for [RegisterSink]; it is copied when a
// URL is opened.
func SinkProducer(config *sarama.Config) func(zapkafka.SinkURL) (zapkafka.Producer, error) {
	return func(u zapkafka.SinkURL) (zapkafka.Producer, error) {
		c, err := sinkConfig(u, config)
		if err != nil {
			return nil, err
		}
		p, err := New(u.Brokers, c)
		if err != nil {
			return nil, err // and no Producer of a nil pointer
		}
		return p, nil
	}
}

// sinkConfig returns the user's configuration with what a URL says.
func sinkConfig(u zapkafka.SinkURL, user *sarama.Config) (*sarama.Config, error) {
	if user == nil {
		user = NewConfig()
	}
	c := *user
	var r refusals
	if u.TLS != nil {
		r.add(c.Net.TLS.Enable || c.Net.TLS.Config != nil, "TLS is in the URL and in the configuration (Net.TLS): leave one of the two out")
		config, err := u.TLS.Config()
		r.add(err != nil, "%w", err)
		c.Net.TLS.Enable, c.Net.TLS.Config = true, config
	}
	sasl := &c.Net.SASL
	switch s := u.SASL; {
	case s != nil:
		r.add(sasl.Enable, "SASL is in the URL and in the configuration (Net.SASL): leave one of the two out")
		scram := s.Mechanism == sarama.SASLTypeSCRAMSHA256 || s.Mechanism == sarama.SASLTypeSCRAMSHA512
		r.add(scram && sasl.SCRAMClientGeneratorFunc == nil, "%s is in the URL, but the client has no SCRAM of its own: give RegisterSink a configuration with a Net.SASL.SCRAMClientGeneratorFunc for it", s.Mechanism)
		r.add(!scram && s.Mechanism != sarama.SASLTypePlaintext, "SASL mechanism %q is not known", s.Mechanism)
		sasl.Enable, sasl.Mechanism, sasl.User, sasl.Password = true, sarama.SASLMechanism(s.Mechanism), s.User, s.Password
		if !scram {
			sasl.SCRAMClientGeneratorFunc = nil
		}
	case !sasl.Enable:
		sasl.SCRAMClientGeneratorFunc = nil // it is there for other URLs
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	if err := checkConfig(&c); err != nil {
		return nil, err
	}
	return &c, nil
}
