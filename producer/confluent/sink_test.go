//go:build cgo

package confluent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
)

// schemes makes a scheme for each registration: zap keeps them for good.
var schemes atomic.Int64

// A zap.Config in JSON, with one line that names Kafka.
func TestSink(t *testing.T) {
	c := mockCluster(t, 1)
	scheme := fmt.Sprintf("kafka-%d", schemes.Add(1))
	sinks, err := RegisterSink(scheme, &kafka.ConfigMap{"client.id": "sink"})
	if err != nil {
		t.Fatal(err)
	}
	output := scheme + "://" + c.BootstrapServers() + "/" + topic + "?sync_timeout=20s&fallback=" + url.QueryEscape(filepath.Join(t.TempDir(), "fallback"))
	var config zap.Config
	if err := json.Unmarshal(fmt.Appendf(nil, `{"level": "info", "encoding": "json", "encoderConfig": {"messageKey": "msg"}, "outputPaths": [%q]}`, output), &config); err != nil {
		t.Fatal(err)
	}
	logger, err := config.Build()
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("hello")
	if err := logger.Sync(); err != nil {
		t.Error(err)
	}
	if st := sinks.All()[0].Stats(); st.Acked != 1 {
		t.Errorf("%+v", st)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := sinks.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func TestSinkConfig(t *testing.T) {
	sasl := &zapkafka.SinkSASL{Mechanism: "SCRAM-SHA-512", User: "app", Password: "right"}
	files := &zapkafka.SinkTLS{CAFile: "/ca.pem", CertFile: "/app.pem", KeyFile: "/app.key"}
	for _, c := range []struct {
		u    zapkafka.SinkURL
		want string
	}{
		{zapkafka.SinkURL{}, "map[client.id:mine]"},
		{zapkafka.SinkURL{TLS: &zapkafka.SinkTLS{}}, "map[client.id:mine security.protocol:ssl]"},
		{zapkafka.SinkURL{TLS: files}, "map[client.id:mine security.protocol:ssl ssl.ca.location:/ca.pem ssl.certificate.location:/app.pem ssl.key.location:/app.key]"},
		{zapkafka.SinkURL{SASL: sasl}, "map[client.id:mine sasl.mechanism:SCRAM-SHA-512 sasl.password:right sasl.username:app security.protocol:sasl_plaintext]"},
		{zapkafka.SinkURL{TLS: &zapkafka.SinkTLS{}, SASL: sasl}, "map[client.id:mine sasl.mechanism:SCRAM-SHA-512 sasl.password:right sasl.username:app security.protocol:sasl_ssl]"},
	} {
		got, err := sinkConfig(c.u, &kafka.ConfigMap{"client.id": "mine"})
		if err != nil || fmt.Sprint(map[string]kafka.ConfigValue(*got)) != c.want {
			t.Errorf("%v, %v; want %s", got, err, c.want)
		}
	}
	u := zapkafka.SinkURL{Brokers: []string{"b:9092"}, TLS: &zapkafka.SinkTLS{}, SASL: sasl}
	for _, m := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		u.SASL.Mechanism = m
		if _, err := SinkProducer(nil)(u); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	for _, c := range []struct {
		config kafka.ConfigMap
		want   string
	}{
		{kafka.ConfigMap{"security.protocol": "ssl"}, "confluent: security.protocol is in the config, and the URL's tls or sasl sets it too"},
		{kafka.ConfigMap{"sasl.mechanisms": "PLAIN"}, "confluent: sasl.mechanisms is in the config, and the URL's"},
		{kafka.ConfigMap{"acks": "0"}, "acks is"},
	} {
		if p, err := SinkProducer(&c.config)(u); p != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, %v; want %s", c.config, p, err, c.want)
		}
	}
	u.TLS = &zapkafka.SinkTLS{CAFile: "/nowhere/ca.pem"}
	if p, err := SinkProducer(nil)(u); p != nil || err == nil || !strings.Contains(err.Error(), "ssl.ca.location") || strings.Contains(err.Error(), "right") {
		t.Errorf("no file: %v, %v", p, err)
	}
	if _, err := RegisterSink("unused", &kafka.ConfigMap{"acks": "0"}); err == nil || !strings.Contains(err.Error(), "acks is") {
		t.Errorf("a bad config: %v", err)
	}
}
