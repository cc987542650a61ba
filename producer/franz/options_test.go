package franz

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/zapkafka/zapkafka"
)

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		brokers []string
		opts    []kgo.Opt
		want    string
	}{
		{"no brokers", nil, nil, "no brokers"},
		{"empty", []string{"a:9092", ""}, nil, "broker 2 is"},
		{"scheme", []string{"kafka://a:9092"}, nil, "without a scheme"},
		{"TLS scheme", []string{"SASL_SSL://a:9092"}, nil, "kgo.DialTLSConfig"},
		{"list", []string{"a:9092,b:9092"}, nil, "an element of its own"},
		{"white space", []string{" a:9092"}, nil, "white space"},
		{"path", []string{"a:9092/topic"}, nil, "nothing else"},
		{"credentials", []string{"user:secret@a:9092"}, nil, "kgo.SASL"},
		{"no host", []string{":9092"}, nil, "host is missing"},
		{"port", []string{"a:kafka"}, nil, "from 1 to 65535"},
		{"no port", []string{"a:"}, nil, "from 1 to 65535"},
		{"large port", []string{"a:65536"}, nil, "from 1 to 65535"},
		{"nil option", []string{"a"}, []kgo.Opt{nil}, "nil"},
		{"transactional", []string{"a"}, []kgo.Opt{kgo.TransactionalID("x")}, "kgo.TransactionalID"},
		{"acks", []string{"a"}, []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck())}, "kgo.DisableIdempotentWrite"},
		{"inflight", []string{"a"}, []kgo.Opt{kgo.MaxProduceRequestsInflightPerBroker(3)}, "kgo.DisableIdempotentWrite"},
		{"invalid", []string{"a"}, []kgo.Opt{kgo.ProducerLinger(time.Hour)}, "linger"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := New(test.brokers, test.opts...)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "franz: ") || p != nil {
				t.Fatalf("got %v, %v; want an error with %q", p, err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the credentials are in %q", err)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	for _, broker := range []string{"localhost", "localhost:9092", "10.0.0.1:1", "[::1]:9092", "::1", "[::1]", "kafka-0.kafka.svc.cluster.local:65535"} {
		if _, err := New([]string{broker}); err != nil {
			t.Errorf("%q: %v", broker, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for _, opt := range []struct {
		want string
		opts []kgo.Opt
	}{
		{"kgo.MaxBufferedRecords", []kgo.Opt{kgo.MaxBufferedRecords(999)}},
		{"kgo.MaxBufferedBytes", []kgo.Opt{kgo.MaxBufferedBytes(999_999)}},
		{"kgo.ProducerBatchMaxBytes", []kgo.Opt{kgo.ProducerBatchMaxBytes(10_000)}},
		{"kgo.NoAck", []kgo.Opt{kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()}},
		{"kgo.ManualFlushing", []kgo.Opt{kgo.ManualFlushing()}},
		{"kgo.TransactionalID", nil},
		{"kgo.RecordDeliveryTimeout", []kgo.Opt{kgo.RecordDeliveryTimeout(time.Minute)}},
		{"kgo.ProduceRequestTimeout", []kgo.Opt{kgo.ProduceRequestTimeout(7 * time.Second)}},
		{"kgo.RequestTimeoutOverhead", []kgo.Opt{kgo.RequestTimeoutOverhead(10 * time.Second)}},
		{"kgo.ProducerLinger", []kgo.Opt{kgo.ProducerLinger(time.Minute)}},
		{"kgo.RetryBackoffFn", []kgo.Opt{kgo.RetryBackoffFn(func(int) time.Duration { return 30 * time.Second })}},
		{"kgo.DefaultProduceTopicAlways", []kgo.Opt{kgo.DefaultProduceTopicAlways(), kgo.DefaultProduceTopic("x")}},
		{"kgo.SeedBrokers", []kgo.Opt{kgo.SeedBrokers("elsewhere")}},
		{"kgo.ConsumerGroup", []kgo.Opt{kgo.ConsumerGroup("x"), kgo.ConsumeTopics("x")}},
		{"kgo.ShareGroup", []kgo.Opt{kgo.ShareGroup("x"), kgo.ConsumeTopics("x")}},
		{"kgo.ConsumeTopics", []kgo.Opt{kgo.ConsumeTopics("x")}},
	} {
		if opt.opts == nil {
			continue // refused by New
		}
		t.Run(opt.want, func(t *testing.T) {
			p, err := New([]string{"127.0.0.1:1"}, opt.opts...)
			if err != nil {
				t.Fatal(err)
			}
			l := zapkafka.Limits{Records: 1000, Bytes: 1_000_000, RecordBytes: 10_000, DeliveryTimeout: time.Second}
			if _, err = p.Start(l, nil); err == nil || !strings.Contains(err.Error(), opt.want) {
				t.Errorf("got %v, want an error that names %s", err, opt.want)
			}
			// Nothing has been started: goleak looks for it at the end.
		})
	}
}

func TestStartRefusesLimits(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Start(zapkafka.Limits{Records: -1}, nil)
	for _, want := range []string{"Records is -1", "Bytes is 0", "RecordBytes is 0", "DeliveryTimeout is 0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := p.Start(limits(time.Second), nil); err != nil {
		t.Errorf("Start after limits were refused: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What the user sets, the client has, and what he does not set is ours.
func TestUserOptionsWin(t *testing.T) {
	l := zapkafka.Limits{Records: 1000, Bytes: 1_000_000, RecordBytes: 10_000, DeliveryTimeout: time.Second}
	logger := kgo.BasicLogger(nil, kgo.LogLevelNone, nil)
	p := start(t, []string{"127.0.0.1:1"}, l, nil,
		kgo.ClientID("mine"), kgo.ProducerBatchMaxBytes(5<<20), kgo.MaxBufferedRecords(1000), kgo.ProducerLinger(0),
		kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()), kgo.WithLogger(logger), kgo.UnknownTopicRetries(3))
	for option, want := range map[string]any{
		"ClientID": "mine", "ProducerBatchMaxBytes": int32(5 << 20), "MaxBufferedRecords": int64(1000), "ProducerLinger": time.Duration(0),
		"DisableIdempotentWrite": true, "RequiredAcks": kgo.LeaderAck(), "WithLogger": logger, "UnknownTopicRetries": int64(3),
		"ProduceRequestTimeout": produceTimeout, "RequestTimeoutOverhead": requestOverhead, "DialTimeout": 3 * time.Second,
	} {
		if got := p.client.OptValue(option); got != want {
			t.Errorf("kgo.%s is %v, want %v", option, got, want)
		}
	}
}

// The values that checkClient asks for are of the types it asks for.
func TestOptionTypes(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil)
	cl := p.client
	for name, ok := range map[string]bool{
		"SeedBrokers":               len(value[[]string](cl, kgo.SeedBrokers)) == 1,
		"MaxBufferedRecords":        value[int64](cl, kgo.MaxBufferedRecords) > 0,
		"ProducerBatchMaxBytes":     value[int32](cl, kgo.ProducerBatchMaxBytes) > 0,
		"ProduceRequestTimeout":     value[time.Duration](cl, kgo.ProduceRequestTimeout) > 0,
		"RequestTimeoutOverhead":    value[time.Duration](cl, kgo.RequestTimeoutOverhead) > 0,
		"MaxBufferedBytes":          typed[int64](cl, kgo.MaxBufferedBytes),
		"RecordDeliveryTimeout":     typed[time.Duration](cl, kgo.RecordDeliveryTimeout),
		"RequiredAcks":              value[kgo.Acks](cl, kgo.RequiredAcks) == kgo.AllISRAcks(),
		"ManualFlushing":            typed[bool](cl, kgo.ManualFlushing),
		"DefaultProduceTopicAlways": typed[bool](cl, kgo.DefaultProduceTopicAlways),
		"AllowAutoTopicCreation":    typed[bool](cl, kgo.AllowAutoTopicCreation),
		"DialTLSConfig":             typed[*tls.Config](cl, kgo.DialTLSConfig),
		"ConsumerGroup":             typed[string](cl, kgo.ConsumerGroup),
		"ShareGroup":                typed[string](cl, kgo.ShareGroup),
	} {
		if !ok {
			t.Errorf("kgo.%s has another type", name)
		}
	}
}

// A Producer that nobody made is refused and does not panic.
func TestZeroProducer(t *testing.T) {
	for _, p := range []*Producer{nil, {}} {
		if _, err := p.Start(limits(time.Second), nil); err == nil || !strings.Contains(err.Error(), "franz: this Producer was not made with New") {
			t.Errorf("Start: %v", err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestPrintingShowsNoSecrets(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil, kgo.SASL(plain.Auth{User: "app", Pass: "sesame"}.AsMechanism()))
	if s := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(s, "sesame") || !strings.Contains(s, "127.0.0.1:1") {
		t.Errorf("printed as %s", s)
	}
}

// Of several errors each line says where it comes from.
func TestLinesOfErrors(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, kgo.ManualFlushing(), kgo.DefaultProduceTopicAlways(), kgo.DefaultProduceTopic("x"))
	if err != nil {
		t.Fatal(err)
	}
	_, noLimits := p.Start(zapkafka.Limits{}, nil)
	_, noOptions := p.Start(limits(time.Second), nil)
	for _, err := range []error{noLimits, noOptions} {
		if err == nil || strings.Count(err.Error(), "\n") < 1 || strings.Count(err.Error(), "franz: ") != 1+strings.Count(err.Error(), "\n") {
			t.Errorf("got %v, want lines that begin with franz", err)
		}
	}
}

func typed[T any](cl *kgo.Client, opt any) bool {
	_, ok := cl.OptValue(opt).(T)
	return ok
}

func TestNewAndStartDoNotDial(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil,
		kgo.Dialer(func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled without a record")
			return nil, errors.New("no")
		}))
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBackoff(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: 100, 1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 1000: 1000} {
		want *= time.Millisecond
		if got := backoff(tries); got < want*8/10 || got > want*12/10 {
			t.Errorf("try %d: %v, want about %v", tries, got, want)
		}
	}
}
