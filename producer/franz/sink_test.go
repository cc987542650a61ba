package franz

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
)

// schemes makes a scheme for each registration: zap keeps them for good.
var schemes atomic.Int64

// A zap.Config in JSON, with one line that names Kafka.
func TestSink(t *testing.T) {
	c := newCluster(t)
	scheme := fmt.Sprintf("kafka-%d", schemes.Add(1))
	sinks, err := RegisterSink(scheme, kgo.ClientID("sink"))
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

func TestSinkOptions(t *testing.T) {
	u := zapkafka.SinkURL{Brokers: []string{"b:9092"}, TLS: &zapkafka.SinkTLS{}}
	for _, m := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		u.SASL = &zapkafka.SinkSASL{Mechanism: m, User: "app", Password: "right"}
		if _, err := SinkProducer(kgo.ClientID("x"))(u); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	u.SASL.Mechanism = "GSSAPI"
	if _, err := SinkProducer()(u); err == nil || !strings.Contains(err.Error(), `mechanism "GSSAPI" is not known`) {
		t.Errorf("got %v", err)
	}
	u.SASL = nil
	for name, opt := range map[string]kgo.Opt{
		"TLS":      kgo.DialTLSConfig(new(tls.Config)),
		"a dialer": kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrClosed }),
	} {
		if p, err := SinkProducer(opt)(u); p != nil || err == nil || !strings.Contains(err.Error(), "TLS is in the URL and in the options") {
			t.Errorf("%s in both: %v, %v", name, p, err)
		}
	}
	u.TLS.CAFile = "/nowhere/ca.pem"
	if _, err := SinkProducer()(u); err == nil || !strings.Contains(err.Error(), "franz: tls_ca: open /nowhere/ca.pem") {
		t.Errorf("got %v", err)
	}
	if p, err := SinkProducer()(zapkafka.SinkURL{Brokers: []string{"b:x"}}); p != nil || err == nil {
		t.Errorf("a bad broker: %v, %v", p, err)
	}
	if _, err := RegisterSink("unused", kgo.RequiredAcks(kgo.LeaderAck())); err == nil || !strings.Contains(err.Error(), "franz: the kgo options do not fit together") {
		t.Errorf("bad options: %v", err)
	}
}
