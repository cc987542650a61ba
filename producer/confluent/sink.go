//go:build cgo

package confluent

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

// RegisterSink makes zap open URLs of the scheme with this client, in the
// OutputPaths of a zap.Config for example:
//
//	sinks, err := confluent.RegisterSink("kafka", nil)
//	config.OutputPaths = []string{"stdout", "kafka://b1:9092,b2:9092/app-logs?fallback=/var/lib/app/kafka-fallback"}
//
// [zapkafka.RegisterSink] has all about it. The config is as for [New], for what a
// URL cannot say, and holds for all URLs of the scheme; nil is the defaults. A
// property that a URL sets by tls or sasl (security.protocol, ssl.ca.location,
// sasl.username and so on) may not be in it too. The error says what is wrong with
// the config, or why zap does not take the scheme.
func RegisterSink(scheme string, config *kafka.ConfigMap) (*zapkafka.Sinks, error) {
	if _, err := New([]string{"localhost"}, config); err != nil {
		return nil, err
	}
	return zapkafka.RegisterSink(scheme, SinkProducer(config), nil)
}

// SinkProducer returns what [zapkafka.RegisterSink] makes clients with, for those
// who give it options. The config is as for [RegisterSink]; it is copied when a
// URL is opened.
func SinkProducer(config *kafka.ConfigMap) func(zapkafka.SinkURL) (zapkafka.Producer, error) {
	return func(u zapkafka.SinkURL) (zapkafka.Producer, error) {
		all, err := sinkConfig(u, config)
		if err != nil {
			return nil, err
		}
		p, err := New(u.Brokers, all)
		if err != nil {
			return nil, err // and no Producer of a nil pointer
		}
		return p, nil
	}
}

// sinkConfig returns the user's properties and those that a URL says.
func sinkConfig(u zapkafka.SinkURL, config *kafka.ConfigMap) (*kafka.ConfigMap, error) {
	user, err := userSettings(config)
	if err != nil {
		return nil, err
	}
	all := kafka.ConfigMap{}
	for _, v := range user {
		all[v.name] = v.value
	}
	var errs []error
	ours := sinkProperties(u)
	for _, name := range sortedNames(ours) {
		if set, ok := user[name]; ok {
			errs = append(errs, fmt.Errorf("%s is in the config, and the URL's tls or sasl sets it too: leave one of the two out", set.name))
		}
		all[name] = ours[name]
	}
	return &all, joined(errs)
}

// sinkProperties says what a URL says in the names of the client.
func sinkProperties(u zapkafka.SinkURL) kafka.ConfigMap {
	conf := kafka.ConfigMap{}
	if u.TLS != nil {
		conf["security.protocol"] = "ssl"
		for name, file := range map[string]string{
			"ssl.ca.location": u.TLS.CAFile, "ssl.certificate.location": u.TLS.CertFile, "ssl.key.location": u.TLS.KeyFile,
		} {
			if file != "" {
				conf[name] = file
			}
		}
	}
	if s := u.SASL; s != nil {
		conf["security.protocol"] = "sasl_plaintext"
		if u.TLS != nil {
			conf["security.protocol"] = "sasl_ssl"
		}
		conf["sasl.mechanism"], conf["sasl.username"], conf["sasl.password"] = s.Mechanism, s.User, s.Password
	}
	return conf
}
