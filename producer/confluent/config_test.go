//go:build cgo

package confluent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		brokers []string
		config  kafka.ConfigMap
		want    string
	}{
		{"no brokers", nil, nil, "no brokers"},
		{"empty", []string{"a:9092", ""}, nil, "broker 2 is"},
		{"scheme", []string{"kafka://a:9092"}, nil, "without a scheme"},
		{"TLS scheme", []string{"SASL_SSL://a:9092"}, nil, "security.protocol"},
		{"list", []string{"a:9092,b:9092"}, nil, "an element of its own"},
		{"white space", []string{" a:9092"}, nil, "white space"},
		{"path", []string{"a:9092/topic"}, nil, "nothing else"},
		{"credentials", []string{"user:sesame@a:9092"}, nil, "sasl.password"},
		{"no host", []string{":9092"}, nil, "host is missing"},
		{"port", []string{"a:kafka"}, nil, "from 1 to 65535"},
		{"no port", []string{"a:"}, nil, "from 1 to 65535"},
		{"large port", []string{"a:65536"}, nil, "from 1 to 65535"},

		{"typing error", nil, kafka.ConfigMap{"sasl.pasword": "sesame"}, `"sasl.pasword"`},
		{"value", nil, kafka.ConfigMap{"linger.ms": "five"}, `property "linger.ms"`},
		{"value by its other name", nil, kafka.ConfigMap{"queue.buffering.max.ms": "five"}, `property "queue.buffering.max.ms"`},
		{"value of an enumeration", nil, kafka.ConfigMap{"compression.type": "foo"}, `property "compression.type"`},
		{"near a name", nil, kafka.ConfigMap{"securty.protocol": "ssl"}, `did you mean "security.protocol"?`},
		{"near no name", nil, kafka.ConfigMap{"colour": "blue"}, "CONFIGURATION.md"},
		{"missing CA", nil, kafka.ConfigMap{"security.protocol": "SSL", "ssl.ca.location": "/nonexistent/ca.pem"}, `ssl.ca.location is "/nonexistent/ca.pem", which cannot be read: no such file`},
		{"missing key", nil, kafka.ConfigMap{"security.protocol": "sasl_ssl", "ssl.key.location": "/nonexistent/key"}, `ssl.key.location is "/nonexistent/key"`},
		{"directory", nil, kafka.ConfigMap{"security.protocol": "ssl", "ssl.certificate.location": "/"}, "directory"},
		{"not PEM", nil, kafka.ConfigMap{"security.protocol": "ssl", "ssl.certificate.location": "config_test.go"}, `"config_test.go": want a file in PEM`},
		{"range", nil, kafka.ConfigMap{"batch.size": 0}, "batch.size"},
		{"type", nil, kafka.ConfigMap{"batch.size": 1.5}, "batch.size is a float64"},
		{"type of a secret", nil, kafka.ConfigMap{"sasl.password": []byte("sesame")}, "sasl.password is a []uint8"},
		{"duration", nil, kafka.ConfigMap{"socket.timeout.ms": time.Second}, "milliseconds"},
		{"nil", nil, kafka.ConfigMap{"client.id": nil}, "client.id is a <nil>"},
		{"two names", nil, kafka.ConfigMap{"linger.ms": 1, "queue.buffering.max.ms": 2}, "two names"},
		{"file", nil, kafka.ConfigMap{"security.protocol": "ssl", "ssl.ca.location": "/nonexistent"}, "ssl.ca.location"},
		{"key", nil, kafka.ConfigMap{"security.protocol": "ssl", "ssl.key.pem": "sesame"}, "ssl.key.pem"},
		{"no user", nil, kafka.ConfigMap{"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.password": "sesame"}, "sasl.username"},
		{"Kerberos", nil, kafka.ConfigMap{"security.protocol": "sasl_plaintext", "sasl.mechanism": "GSSAPI"}, "GSSAPI"},
		{"in flight", nil, kafka.ConfigMap{"max.in.flight.requests.per.connection": 10}, "max.in.flight"},

		{"brokers", nil, kafka.ConfigMap{"bootstrap.servers": "b:9092"}, "first argument"},
		{"brokers by their other name", nil, kafka.ConfigMap{"metadata.broker.list": "b:9092"}, "metadata.broker.list"},
		{"deadline", nil, kafka.ConfigMap{"message.timeout.ms": 1000}, "message.timeout.ms"},
		{"deadline by its other name", nil, kafka.ConfigMap{"delivery.timeout.ms": 1000}, "delivery.timeout.ms"},
		{"transactional", nil, kafka.ConfigMap{"transactional.id": "x"}, "transactional.id"},
		{"retries", nil, kafka.ConfigMap{"retries": 5}, "retries"},
		{"no reports", nil, kafka.ConfigMap{"go.delivery.reports": false}, "go.delivery.reports"},
		{"reports, not a bool", nil, kafka.ConfigMap{"go.delivery.reports": "true"}, "go.delivery.reports"},
		{"batch producer", nil, kafka.ConfigMap{"go.batch.producer": true}, "go.batch.producer"},
		{"only errors", nil, kafka.ConfigMap{"delivery.report.only.error": "true"}, "delivery.report.only.error"},
		{"gapless", nil, kafka.ConfigMap{"enable.gapless.guarantee": true}, "enable.gapless.guarantee"},
		{"lifo", nil, kafka.ConfigMap{"queuing.strategy": "lifo"}, "queuing.strategy"},
		{"linger", nil, kafka.ConfigMap{"linger.ms": 5000}, "linger.ms"},
		{"debug", nil, kafka.ConfigMap{"debug": "all"}, "go.logs.channel"},
		{"acks 0", nil, kafka.ConfigMap{"acks": 0}, "acks"},
		{"acks 0, without idempotence", nil, kafka.ConfigMap{"acks": "0", "enable.idempotence": false}, "acks"},
		{"acks 1", nil, kafka.ConfigMap{"request.required.acks": 1}, "enable.idempotence=false"},
		{"topic config", nil, kafka.ConfigMap{"default.topic.config": kafka.ConfigMap{"acks": 0}}, "default.topic.config"},
		{"negative channel", nil, kafka.ConfigMap{"go.events.channel.size": -1}, "go.events.channel.size"},
		{"channel's type", nil, kafka.ConfigMap{"go.produce.channel.size": "5"}, "go.produce.channel.size"},
		{"log channel", nil, kafka.ConfigMap{"go.logs.channel": make(chan string)}, "go.logs.channel"},
		{"nil log channel", nil, kafka.ConfigMap{"go.logs.channel": (chan kafka.LogEvent)(nil)}, "go.logs.channel"},
		{"log switch", nil, kafka.ConfigMap{"go.logs.channel.enable": 1}, "go.logs.channel.enable"},
		{"report fields", nil, kafka.ConfigMap{"go.delivery.report.fields": "nonsense"}, "nonsense"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.config != nil {
				test.brokers = []string{"a:9092"}
			}
			p, err := New(test.brokers, &test.config)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "confluent: ") || p != nil {
				t.Fatalf("got %v, %v; want an error with %q", p, err, test.want)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("the secret is in %q", err)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	for _, broker := range []string{"localhost", "localhost:9092", "10.0.0.1:1", "[::1]:9092", "::1", "[::1]", "kafka-0.kafka.svc.cluster.local:65535"} {
		if _, err := New([]string{broker}, nil); err != nil {
			t.Errorf("%q: %v", broker, err)
		}
	}
	for name, config := range map[string]kafka.ConfigMap{
		"empty":            {},
		"acks=all":         {"acks": "all"},
		"less":             {"acks": 1, "enable.idempotence": "false"},
		"other names":      {"queue.buffering.max.ms": "0.5", "compression.codec": "zstd", "sasl.mechanisms": "PLAIN"},
		"explicit":         {"go.delivery.reports": true, "go.batch.producer": false, "enable.idempotence": true},
		"own log":          {"go.logs.channel": make(chan kafka.LogEvent, 10), "debug": "broker"},
		"standard error":   {"go.logs.channel.enable": false},
		"token by itself":  {"security.protocol": "sasl_ssl", "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "a", "sasl.oauthbearer.client.secret": "b", "sasl.oauthbearer.token.endpoint.url": "https://localhost:1/"},
		"secrets, in part": {"security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "u", "sasl.password": "p"},
		"CA of the system": {"security.protocol": "ssl", "ssl.ca.location": "probe"},
		"CAs in a folder":  {"security.protocol": "ssl", "ssl.ca.location": "."},
		"file, not used":   {"ssl.ca.location": "/nonexistent"},
	} {
		if _, err := New([]string{"localhost"}, &config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	l := zapkafka.Limits{Records: 1000, Bytes: 1_000_000, RecordBytes: 10_000, DeliveryTimeout: 50 * time.Millisecond}
	for want, config := range map[string]kafka.ConfigMap{
		"queue.buffering.max.messages is 999": {"queue.buffering.max.messages": 999},
		"queue.buffering.max.kbytes is 100":   {"queue.buffering.max.kbytes": "100"},
		"message.max.bytes is 10000":          {"message.max.bytes": 10_000},
		"queue.buffering.max.ms is 80":        {"queue.buffering.max.ms": 80},
	} {
		p, err := New([]string{"127.0.0.1:1"}, &config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = p.Start(l, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		// Nothing has been started: goleak looks for it at the end.
	}
}

func TestStartRefusesLimits(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Start(zapkafka.Limits{Records: -1}, nil)
	for _, want := range []string{"Records is -1", "Bytes is 0", "RecordBytes is 0", "DeliveryTimeout is 0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	huge := zapkafka.Limits{Records: 1, Bytes: 1, RecordBytes: 1_000_000_000, DeliveryTimeout: 1000 * time.Hour}
	_, err = p.Start(huge, nil)
	for _, want := range []string{"RecordBytes is 1000000000", "DeliveryTimeout is 1000h"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := p.Start(limits(time.Millisecond), nil); err != nil {
		t.Errorf("Start after limits were refused: %v", err)
	}
	if _, err := p.Start(limits(time.Second), nil); err == nil {
		t.Error("the second Start returned no error")
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The largest limits that Start takes can be started with.
func TestStartWithLargestLimits(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := zapkafka.Limits{Records: 1 << 40, Bytes: 1 << 60, RecordBytes: 1_000_000_000 - messageSlack, DeliveryTimeout: maxDelivery}
	if _, err := p.Start(l, nil); err != nil {
		t.Error(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What the user sets comes in the place of ours, also by another name, and the
// map stays his.
func TestUserSettingsWin(t *testing.T) {
	config := kafka.ConfigMap{"queue.buffering.max.ms": 1, "compression.codec": "zstd", "max.in.flight.requests.per.connection": 1, "go.events.channel.size": 7}
	p, err := New([]string{"b", "c:1"}, &config)
	if err != nil {
		t.Fatal(err)
	}
	if len(config) != 4 {
		t.Errorf("the user's map is now %v", config)
	}
	config["compression.codec"] = "nonsense" // too late
	conf := configMap(p.brokers, *p.user, limits(time.Second))
	for name, want := range map[string]kafka.ConfigValue{
		"linger.ms": 1, "compression.type": "zstd", "max.in.flight": 1, "go.events.channel.size": 7,
		"message.timeout.ms": 1000, "bootstrap.servers": "b:9092,c:1", "enable.idempotence": true,
	} {
		if conf[name] != want {
			t.Errorf("%s is %v, want %v", name, conf[name], want)
		}
	}
	for _, name := range []string{"queue.buffering.max.ms", "compression.codec", "max.in.flight.requests.per.connection"} {
		if _, ok := conf[name]; ok {
			t.Errorf("%s is there beside its other name: which one counts is left to chance", name)
		}
	}
}

func TestPrintingShowsNoSecrets(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil, &kafka.ConfigMap{"sasl.password": "sesame"})
	if s := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(s, "sesame") || !strings.Contains(s, "127.0.0.1:1") {
		t.Errorf("printed as %s", s)
	}
}

// A Producer that nobody made is refused and does not panic.
func TestZeroProducer(t *testing.T) {
	for _, p := range []*Producer{nil, {}} {
		if _, err := p.Start(limits(time.Second), nil); err == nil || !strings.Contains(err.Error(), "confluent: this Producer was not made with New") {
			t.Errorf("Start: %v", err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// Of several errors each line says where it comes from.
func TestLinesOfErrors(t *testing.T) {
	_, err := New([]string{"a"}, &kafka.ConfigMap{"retries": 1, "linger.ms": 500})
	if err == nil || strings.Count(err.Error(), "confluent: ") != 2 || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want two lines that begin with confluent", err)
	}
}

// Nothing is suggested that the client refuses as unknown.
func TestKnownNames(t *testing.T) {
	for _, name := range knownNames() {
		if strings.HasPrefix(name, "go.") {
			continue
		}
		if _, err := kafka.NewProducer(&kafka.ConfigMap{name: "\x00nonsense", "log_level": "nonsense"}); err == nil || strings.Contains(err.Error(), `property: "`+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"sasl.pasword": "sasl.password", "Security.Protocol": "security.protocol", "ssl.ca.locaton": "ssl.ca.location",
		"compression.codecs": "compression.codec", "acsk": "", "": "", "something.else": "",
	} {
		if got := nearest(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// All aliases are names of the client's, and of one property.
func TestAliases(t *testing.T) {
	for alias, name := range aliases {
		for _, n := range []string{alias, name} {
			if _, err := kafka.NewProducer(&kafka.ConfigMap{n: "\x00nonsense", "log_level": "nonsense"}); err == nil || strings.Contains(err.Error(), `property: "`+n) {
				t.Errorf("%s: %v", n, err)
			}
		}
	}
}
