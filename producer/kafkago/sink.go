package kafkago

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/zapkafka/zapkafka"
)

// RegisterSink makes zap open URLs of the scheme with this client, in the
// OutputPaths of a zap.Config for example:
//
//	sinks, err := kafkago.RegisterSink("kafka", nil)
//	config.OutputPaths = []string{"stdout", "kafka://b1:9092,b2:9092/app-logs?fallback=/var/lib/app/kafka-fallback"}
//
// [zapkafka.RegisterSink] has all about it. The config is as for [New], for what a
// URL cannot say, and holds for all URLs of the scheme; nil is the defaults. TLS
// and SASL are each said either by it or by a URL, not by both. The error says
// what is wrong with the config, or why zap does not take the scheme.
func RegisterSink(scheme string, config *Config) (*zapkafka.Sinks, error) {
	if _, err := config.withDefaults(); err != nil {
		return nil, err
	}
	return zapkafka.RegisterSink(scheme, SinkProducer(config), nil)
}

// SinkProducer returns what [zapkafka.RegisterSink] makes clients with, for those
// who give it options. The config is as for [RegisterSink], and copied.
func SinkProducer(config *Config) func(zapkafka.SinkURL) (zapkafka.Producer, error) {
	var own Config
	if config != nil {
		own = *config
	}
	return func(u zapkafka.SinkURL) (zapkafka.Producer, error) {
		if _, err := own.withDefaults(); err != nil {
			return nil, err
		}
		c := own
		transport, err := sinkTransport(u, own.Transport)
		if err != nil {
			return nil, err
		}
		c.Transport = transport
		p, err := New(u.Brokers, &c)
		if err != nil {
			return nil, err // and no Producer of a nil pointer
		}
		return p, nil
	}
}

// sinkTransport returns the user's settings of the connections with what a URL
// says beside them.
func sinkTransport(u zapkafka.SinkURL, user *kafka.Transport) (*kafka.Transport, error) {
	if u.TLS == nil && u.SASL == nil {
		return user, nil
	}
	t := new(kafka.Transport)
	if user != nil {
		t = withFields(user)
	}
	var err error
	if u.TLS != nil {
		if t.TLS != nil {
			return nil, errors.New("kafkago: TLS is in the URL and in Config.Transport: leave one of the two out")
		}
		if t.TLS, err = u.TLS.Config(); err != nil {
			return nil, fmt.Errorf("kafkago: %w", err)
		}
	}
	if s := u.SASL; s != nil {
		if t.SASL != nil {
			return nil, errors.New("kafkago: SASL is in the URL and in Config.Transport: leave one of the two out")
		}
		switch s.Mechanism {
		case "PLAIN":
			t.SASL = plain.Mechanism{Username: s.User, Password: s.Password}
		case "SCRAM-SHA-256":
			t.SASL, err = scram.Mechanism(scram.SHA256, s.User, s.Password)
		case "SCRAM-SHA-512":
			t.SASL, err = scram.Mechanism(scram.SHA512, s.User, s.Password)
		default:
			return nil, fmt.Errorf("kafkago: SASL mechanism %q is not known", s.Mechanism)
		}
		if err != nil {
			// The client's error shows the character.
			return nil, fmt.Errorf("kafkago: user or password has a character that %s does not allow", s.Mechanism)
		}
	}
	return t, nil
}
