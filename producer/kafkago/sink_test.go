package kafkago

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

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
)

// schemes makes a scheme for each registration: zap keeps them for good.
var schemes atomic.Int64

// A zap.Config in JSON, with one line that names Kafka.
func TestSink(t *testing.T) {
	f := newFake(t, 2, 1)
	scheme := fmt.Sprintf("kafka-%d", schemes.Add(1))
	sinks, err := RegisterSink(scheme, &Config{Compression: NoCompression})
	if err != nil {
		t.Fatal(err)
	}
	output := scheme + "://" + strings.Join(f.addrs, ",") + "/" + logs + "?fallback=" + url.QueryEscape(filepath.Join(t.TempDir(), "fallback"))
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
	if got := f.stored(logs); len(got) != 1 || string(got[0].value) != `{"msg":"hello"}` {
		t.Errorf("Kafka has %v", got)
	}
}

func TestSinkConfig(t *testing.T) {
	u := zapkafka.SinkURL{Brokers: []string{"b:9092"}, TLS: &zapkafka.SinkTLS{}}
	for _, m := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		u.SASL = &zapkafka.SinkSASL{Mechanism: m, User: "app", Password: "right"}
		user := &kafka.Transport{ClientID: "mine"}
		p, err := SinkProducer(&Config{Transport: user})(u)
		if err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		c := p.(*Producer).config
		if c.Transport.TLS == nil || c.Transport.SASL == nil || c.Transport.SASL.Name() != m || c.Transport.ClientID != "mine" {
			t.Errorf("%s: the client has %+v", m, c.Transport)
		}
		if user.TLS != nil || user.SASL != nil {
			t.Errorf("%s: the user's Transport was changed", m)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*zapkafka.SinkURL)
		config *Config
		want   string
	}{
		{"mechanism", func(u *zapkafka.SinkURL) { u.SASL.Mechanism = "GSSAPI" }, nil, `mechanism "GSSAPI" is not known`},
		{"character", func(u *zapkafka.SinkURL) { u.SASL.Password = "wrong\x00" }, nil, "has a character that SCRAM-SHA-512 does not allow"},
		{"two TLS", func(*zapkafka.SinkURL) {}, &Config{Transport: &kafka.Transport{TLS: new(tls.Config)}}, "TLS is in the URL and in Config.Transport"},
		{"two SASL", func(*zapkafka.SinkURL) {}, &Config{Transport: &kafka.Transport{SASL: plain.Mechanism{}}}, "SASL is in the URL and in Config.Transport"},
		{"file", func(u *zapkafka.SinkURL) { u.TLS.CAFile = "/nowhere/ca.pem" }, nil, "kafkago: tls_ca: open /nowhere/ca.pem"},
		{"broker", func(u *zapkafka.SinkURL) { u.Brokers[0] = "b:x" }, nil, "the port must be a number"},
		{"config", func(*zapkafka.SinkURL) {}, &Config{Transport: &kafka.Transport{Context: context.Background()}}, "Config.Transport.Context is set"},
	} {
		u := zapkafka.SinkURL{Brokers: []string{"b:9092"}, TLS: &zapkafka.SinkTLS{}, SASL: &zapkafka.SinkSASL{Mechanism: "SCRAM-SHA-512", User: "app", Password: "right"}}
		c.change(&u)
		p, err := SinkProducer(c.config)(u)
		if p != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: %v, %v; want %s", c.name, p, err, c.want)
		}
	}
	if _, err := RegisterSink("unused", &Config{BatchBytes: -1}); err == nil || !strings.Contains(err.Error(), "Config.BatchBytes is -1") {
		t.Errorf("a bad config: %v", err)
	}
}
