package ibmsarama

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
)

// schemes makes a scheme for each registration: zap keeps them for good.
var schemes atomic.Int64

// A zap.Config in JSON, with one line that names Kafka.
func TestSink(t *testing.T) {
	c := newCluster(t)
	scheme := fmt.Sprintf("kafka-%d", schemes.Add(1))
	sinks, err := RegisterSink(scheme, nil)
	if err != nil {
		t.Fatal(err)
	}
	output := scheme + "://" + strings.Join(c.ListenAddrs(), ",") + "/" + topic + "?fallback=" + url.QueryEscape(filepath.Join(t.TempDir(), "fallback"))
	var config zap.Config
	if err := json.Unmarshal(fmt.Appendf(nil, `{"level": "info", "encoding": "json", "encoderConfig": {"messageKey": "msg"}, "outputPaths": [%q]}`, output), &config); err != nil {
		t.Fatal(err)
	}
	logger, err := config.Build()
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("hello")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := sinks.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if got := string(stored(t, c, 1)[0].Value); got != `{"msg":"hello"}` {
		t.Errorf("Kafka has %s", got)
	}
}

func TestSinkConfig(t *testing.T) {
	own := with(func(c *sarama.Config) {
		c.ClientID = "mine"
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return nil }
	})
	u := zapkafka.SinkURL{Brokers: []string{"b:9092"}, TLS: &zapkafka.SinkTLS{}}
	for _, m := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		u.SASL = &zapkafka.SinkSASL{Mechanism: m, User: "app", Password: "right"}
		p, err := SinkProducer(own)(u)
		if err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		n := p.(*Producer).config.Net
		if !n.TLS.Enable || n.TLS.Config == nil || !n.SASL.Enable || string(n.SASL.Mechanism) != m || n.SASL.User != "app" || n.SASL.Password != "right" {
			t.Errorf("%s: the client has %+v %+v", m, n.TLS, n.SASL)
		}
	}
	if own.Net.TLS.Enable || own.Net.SASL.Enable || own.Net.SASL.User != "" {
		t.Error("the user's configuration was changed")
	}
	if _, err := sinkConfig(zapkafka.SinkURL{}, own); err != nil {
		t.Errorf("a URL without SASL, and a generator for others: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(*zapkafka.SinkURL)
		config func(*sarama.Config)
		want   string
	}{
		{"mechanism", func(u *zapkafka.SinkURL) { u.SASL.Mechanism = "GSSAPI" }, nil, `mechanism "GSSAPI" is not known`},
		{"generator", func(u *zapkafka.SinkURL) { u.SASL.Mechanism = "SCRAM-SHA-256" }, nil, "ibmsarama: SCRAM-SHA-256 is in the URL, but the client has no SCRAM of its own"},
		{"two TLS", nil, func(c *sarama.Config) { c.Net.TLS.Enable, c.Net.TLS.Config = true, new(tls.Config) }, "ibmsarama: TLS is in the URL and in the configuration"},
		{"two SASL", nil, func(c *sarama.Config) { c.Net.SASL.Enable, c.Net.SASL.User = true, "app" }, "ibmsarama: SASL is in the URL and in the configuration"},
		{"file", func(u *zapkafka.SinkURL) { u.TLS.CAFile = "/nowhere/ca.pem" }, nil, "ibmsarama: tls_ca: open /nowhere/ca.pem"},
		{"broker", func(u *zapkafka.SinkURL) { u.Brokers[0] = "b:x" }, nil, "the port must be a number"},
		{"config", nil, func(c *sarama.Config) { c.Producer.Return.Successes = false }, "Producer.Return.Successes is false"},
	} {
		u := zapkafka.SinkURL{Brokers: []string{"b:9092"}, TLS: &zapkafka.SinkTLS{}, SASL: &zapkafka.SinkSASL{Mechanism: "PLAIN", User: "app", Password: "right"}}
		if c.change != nil {
			c.change(&u)
		}
		var config *sarama.Config
		if c.config != nil {
			config = with(c.config)
		}
		if p, err := SinkProducer(config)(u); p != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %s", c.name, p, err, c.want)
		}
	}
	if _, err := RegisterSink("unused", sarama.NewConfig()); err == nil || !strings.Contains(err.Error(), "ibmsarama.NewConfig()") {
		t.Errorf("a bad config: %v", err)
	}
}
