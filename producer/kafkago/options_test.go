package kafkago

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"

	"github.com/zapkafka/zapkafka"
)

func TestRefusedBrokers(t *testing.T) {
	for _, c := range []struct {
		brokers []string
		want    string
	}{
		{nil, "no brokers"},
		{[]string{"a:9092", ""}, "broker 2 is \"\": it is empty"},
		{[]string{"a:9092,b:9092"}, "comma"},
		{[]string{"kafka://a:9092"}, "without a scheme"},
		{[]string{"a :9092"}, "white space"},
		{[]string{"user:secret@a:9092"}, `"…@a:9092"`},
		{[]string{"a:port"}, "a number from 1 to 65535"},
		{[]string{"a:0"}, "a number from 1 to 65535"},
		{[]string{":9092"}, "the host is missing"},
		{[]string{"::1:x:9092"}, "brackets"},
	} {
		_, err := New(c.brokers, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.brokers, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error holds the password: %v", c.brokers, err)
		}
	}
	for b, dialled := range map[string]string{
		"a": "a:9092", "a:1": "a:1", "10.0.0.1": "10.0.0.1:9092",
		"[::1]:9093": "[::1]:9093", "[::1]": "[::1]:9092", "::1": "[::1]:9092",
	} {
		p, err := New([]string{b}, nil)
		if err != nil {
			t.Errorf("%q: %v", b, err)
			continue
		}
		if got := kafka.TCP(p.brokers...).String(); got != dialled {
			t.Errorf("%q: %q is dialled, want %q", b, got, dialled)
		}
	}
}

func TestRefusedConfig(t *testing.T) {
	for want, c := range map[string]*Config{
		"Config.BatchBytes is -1":                   {BatchBytes: -1},
		"Config.BatchBytes is 1073741824":           {BatchBytes: 1 << 30},
		"Config.RequiredAcks is 2":                  {RequiredAcks: 2},
		"Config.Compression is 77":                  {Compression: 77},
		"Config.Compression is -5":                  {Compression: -5},
		"Config.Transport.MetadataTopics is set":    {Transport: &kafka.Transport{MetadataTopics: []string{"x"}}},
		"Config.Transport.Context is set":           {Transport: &kafka.Transport{Context: context.Background()}},
		"Config.Transport.DialTimeout is -1s":       {Transport: &kafka.Transport{DialTimeout: -time.Second}},
		"Config.Transport.IdleTimeout is -1s":       {Transport: &kafka.Transport{IdleTimeout: -time.Second}},
		"Config.Transport.MetadataTTL is -1s":       {Transport: &kafka.Transport{MetadataTTL: -time.Second}},
		"Config.RequiredAcks is 3, must be kafka.R": {BatchBytes: -1, RequiredAcks: 3}, // both are named
	} {
		if _, err := New([]string{"a"}, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestRefusedLimits(t *testing.T) {
	for _, want := range []string{"Limits.Records", "Limits.Bytes", "Limits.RecordBytes", "Limits.DeliveryTimeout"} {
		for _, value := range []int64{0, -1, 1 << 40} {
			l := limits(time.Second)
			field := reflect.ValueOf(&l).Elem().FieldByName(strings.TrimPrefix(want, "Limits."))
			if value > 0 && want != "Limits.RecordBytes" {
				continue
			}
			field.SetInt(value)
			p, err := New([]string{"a"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Start(l, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s is %d: got %v", want, value, err)
			}
			if _, err := p.Start(limits(time.Second), nil); err != nil {
				t.Errorf("Start after a refused one: %v", err)
			}
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
	var _ zapkafka.Limits
}

// Every field of a Transport is taken over, or refused: a new one in a later
// kafka-go shows here.
func TestTransportFields(t *testing.T) {
	full := &kafka.Transport{
		Dial:        func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed },
		DialTimeout: 1, IdleTimeout: 2, MetadataTTL: 3, ClientID: "4",
		TLS: new(tls.Config), SASL: plain.Mechanism{Username: "5"}, Resolver: resolver{},
	}
	got, want := reflect.ValueOf(settings(full)).Elem(), reflect.ValueOf(full).Elem()
	for i := range want.NumField() {
		f := want.Type().Field(i)
		switch {
		case !f.IsExported():
		case f.Name == "MetadataTopics" || f.Name == "Context":
		case want.Field(i).IsZero():
			t.Errorf("field %s is not in this test", f.Name)
		case got.Field(i).IsZero():
			t.Errorf("field %s is not taken over", f.Name)
		}
	}
}

// A Producer that nobody made is refused and does not panic.
func TestZeroProducer(t *testing.T) {
	for _, p := range []*Producer{nil, {}} {
		if _, err := p.Start(limits(time.Second), nil); err == nil || !strings.Contains(err.Error(), "kafkago: this Producer was not made with New") {
			t.Errorf("Start: %v", err)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestPrintingShowsNoSecrets(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil, &Config{Transport: &kafka.Transport{SASL: plain.Mechanism{Username: "app", Password: "sesame"}}})
	if s := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(s, "sesame") || !strings.Contains(s, "127.0.0.1:1") {
		t.Errorf("printed as %s", s)
	}
}

type resolver struct{}

func (resolver) LookupBrokerIPAddr(context.Context, kafka.Broker) ([]net.IPAddr, error) {
	return []net.IPAddr{{IP: net.IPv4(127, 0, 0, 1)}}, nil
}

// Dial, Resolver and ClientID are used.
func TestTransportIsUsed(t *testing.T) {
	f := newFake(t, 1, 1)
	dialled := make(chan string, 100)
	p := start(t, f.addrs, limits(patience), nil, &Config{Transport: &kafka.Transport{
		Resolver: resolver{},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled <- address
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}})
	rs, o := records(10, numbered)
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	if a := <-dialled; a != f.addrs[0] {
		t.Errorf("dialled %q", a)
	}
}
