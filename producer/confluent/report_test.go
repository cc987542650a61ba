//go:build cgo

package confluent

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// What the handler hears of brokers that do not work: the cause, soon, and not
// again and again.
func TestReports(t *testing.T) {
	hangUp := func(net.Conn) {}
	mute := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for _, test := range []struct {
		name   string
		conn   func(net.Conn)
		broker string
		config kafka.ConfigMap
		want   string
	}{
		{"refused", nil, "127.0.0.1:1", nil, "Connection refused"},
		{"no such host", nil, "zapkafka.invalid:9092", nil, "Failed to resolve"},
		{"hangs up", hangUp, "", nil, "other credentials"},
		{"mute", mute, "", nil, "Timed out"},
		{"TLS to a mute broker", mute, "", kafka.ConfigMap{"security.protocol": "ssl"}, "SSL_HANDSHAKE"},
		{"password", hangUp, "", kafka.ConfigMap{"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "sesame"}, "other credentials"},
		{"token", mute, "", kafka.ConfigMap{"security.protocol": "sasl_plaintext", "sasl.mechanism": "OAUTHBEARER"}, "sasl.oauthbearer.method=oidc"},
		{"no property for producers", mute, "", kafka.ConfigMap{"group.id": "x"}, "group.id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.conn != nil {
				test.broker = listener(t, test.conn)
			}
			log := newErrorLog()
			p := start(t, []string{test.broker}, limits(7*time.Second), log, &test.config)
			rs, o := records(10, numbered)
			p.Produce(t.Context(), rs)
			begin := time.Now()
			_ = log.wait(t, test.want)
			if took := time.Since(begin); took > 9*time.Second {
				t.Errorf("the handler was told after %v", took)
			}
			o.wait(t, patience)
			errs := log.all()
			for _, err := range errs {
				if strings.Contains(err.Error(), "sesame") {
					t.Errorf("the secret is in %q", err)
				}
			}
			if len(errs) > 5 {
				t.Errorf("%d errors for one cause: %v", len(errs), errs)
			}
		})
	}
}

func TestComplaintsThatDifferInNumbers(t *testing.T) {
	log := newErrorLog()
	l := newReporter(log.handle, time.Second, nil)
	for i := range 20 {
		l.log(kafka.LogEvent{Level: 3, Tag: "FAIL", Message: fmt.Sprintf("[thrd:a:1/%d]: a:1/%d: Connect failed (after %dms in state UP)", i, i, i)})
		l.event(kafka.NewError(kafka.ErrTransport, fmt.Sprintf("a:1/%d: Connect failed (after %dms in state UP)", i, i), false))
		l.log(kafka.LogEvent{Level: 6, Tag: "INFO", Message: "nothing"})
	}
	l.event(kafka.NewError(kafka.ErrTransport, "b:1/bootstrap: Connect failed", false))
	if n := len(log.all()); n != 2 {
		t.Errorf("%d complaints, want one for each broker: %v", n, log.all())
	}
	l.stop()
	l.event(kafka.NewError(kafka.ErrTransport, "c:1/bootstrap: Connect failed", false))
	if n := len(log.all()); n != 2 {
		t.Error("a complaint after stop")
	}
}

func TestRedact(t *testing.T) {
	s, err := userSettings(&kafka.ConfigMap{"sasl.password": "sesame", "ssl.key.pem": "-----KEY", "client.id": "app", "sasl.oauthbearer.token.endpoint.url": "https://id"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.redact("app: sesame, -----KEY at https://id"), "app: …, … at https://id"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is no trouble, and what is trouble of another kind, is not dressed up.
func TestComplaintsAboutConnections(t *testing.T) {
	log := newErrorLog()
	l := newReporter(log.handle, time.Second, nil)
	l.event(kafka.NewError(kafka.ErrAllBrokersDown, "0/1 brokers are down", false))
	if errs := log.all(); len(errs) != 0 {
		t.Errorf("no broker is down, and reported was %v", errs)
	}
	l.event(kafka.NewError(kafka.ErrAllBrokersDown, "1/1 brokers are down", false))
	l.event(kafka.NewError(kafka.ErrTransport, "a:1/1: Disconnected (after 5926ms in state UP)", false))
	l.event(kafka.NewError(kafka.ErrTransport, "ssl://a:1/1: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener? (after 2ms in state SSL_HANDSHAKE)", false))
	errs := log.all()
	if len(errs) != 3 {
		t.Fatalf("reported %v", errs)
	}
	for _, err := range errs {
		if strings.Contains(err.Error(), "other credentials") {
			t.Errorf("asks for credentials: %v", err)
		}
	}
	l.event(kafka.NewError(kafka.ErrTransport, "a:1/1: Disconnected (after 2ms in state APIVERSION_QUERY)", false))
	if errs = log.all(); len(errs) != 4 || !strings.Contains(errs[3].Error(), "other credentials") {
		t.Errorf("reported %v", errs)
	}
}
