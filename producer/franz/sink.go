package franz

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/zapkafka/zapkafka"
)

// RegisterSink makes zap open URLs of the scheme with this client, in the
// OutputPaths of a zap.Config for example:
//
//	sinks, err := franz.RegisterSink("kafka")
//	config.OutputPaths = []string{"stdout", "kafka://b1:9092,b2:9092/app-logs?fallback=/var/lib/app/kafka-fallback"}
//
// [zapkafka.RegisterSink] has all about it. The opts are as for [New], for what a
// URL cannot say, and hold for all URLs of the scheme. TLS is said either by them
// or by a URL, not by both; a SASL mechanism of the URL is tried before theirs. The
// error says what is wrong with the opts, or why zap does not take the scheme.
func RegisterSink(scheme string, opts ...kgo.Opt) (*zapkafka.Sinks, error) {
	if err := checkOptions([]string{"localhost"}, opts); err != nil {
		return nil, err
	}
	return zapkafka.RegisterSink(scheme, SinkProducer(opts...), nil)
}

// SinkProducer returns what [zapkafka.RegisterSink] makes clients with, for those
// who give it options. The opts are as for [RegisterSink].
func SinkProducer(opts ...kgo.Opt) func(zapkafka.SinkURL) (zapkafka.Producer, error) {
	opts = append([]kgo.Opt(nil), opts...)
	return func(u zapkafka.SinkURL) (zapkafka.Producer, error) {
		all, err := sinkOptions(u, opts)
		if err != nil {
			return nil, err
		}
		return asProducer(New(u.Brokers, all...))
	}
}

// asProducer makes no Producer of a nil pointer.
func asProducer(p *Producer, err error) (zapkafka.Producer, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// sinkOptions returns what a URL says, and then the user's options.
func sinkOptions(u zapkafka.SinkURL, user []kgo.Opt) ([]kgo.Opt, error) {
	var ours []kgo.Opt
	if u.TLS != nil {
		if setsTLS(user) {
			return nil, errors.New("franz: TLS is in the URL and in the options given to RegisterSink: leave one of the two out")
		}
		config, err := u.TLS.Config()
		if err != nil {
			return nil, fmt.Errorf("franz: %w", err)
		}
		ours = append(ours, kgo.DialTLSConfig(config))
	}
	if s := u.SASL; s != nil {
		auth := scram.Auth{User: s.User, Pass: s.Password}
		switch s.Mechanism {
		case "PLAIN":
			ours = append(ours, kgo.SASL(plain.Auth{User: s.User, Pass: s.Password}.AsMechanism()))
		case "SCRAM-SHA-256":
			ours = append(ours, kgo.SASL(auth.AsSha256Mechanism()))
		case "SCRAM-SHA-512":
			ours = append(ours, kgo.SASL(auth.AsSha512Mechanism()))
		default:
			return nil, fmt.Errorf("franz: SASL mechanism %q is not known", s.Mechanism)
		}
	}
	return append(ours, user...), nil
}

// setsTLS reports whether TLS, or a dialer that may speak it, is among the
// options. What an option sets only a client tells, and to build one would call
// the user's hooks; but the client refuses TLS beside a dialer.
func setsTLS(user []kgo.Opt) bool {
	dialer := kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed })
	return kgo.ValidateOpts(append([]kgo.Opt{dialer}, user...)...) != nil ||
		kgo.ValidateOpts(append([]kgo.Opt{kgo.DialTLSConfig(new(tls.Config))}, user...)...) != nil
}
