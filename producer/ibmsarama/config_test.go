package ibmsarama

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/zapkafka/zapkafka"
)

func TestNewRefusesBrokers(t *testing.T) {
	for _, test := range []struct {
		name    string
		brokers []string
		want    string
	}{
		{"no brokers", nil, "no brokers"},
		{"empty", []string{"a:9092", ""}, "broker 2 is"},
		{"scheme", []string{"kafka://a:9092"}, "without a scheme"},
		{"TLS scheme", []string{"SASL_SSL://a:9092"}, "Net.TLS.Enable"},
		{"list", []string{"a:9092,b:9092"}, "an element of its own"},
		{"white space", []string{" a:9092"}, "white space"},
		{"path", []string{"a:9092/topic"}, "nothing else"},
		{"credentials", []string{"user:secret@a:9092"}, "Net.SASL"},
		{"no host", []string{":9092"}, "host is missing"},
		{"port", []string{"a:kafka"}, "from 1 to 65535"},
		{"no port", []string{"a:"}, "from 1 to 65535"},
		{"large port", []string{"a:65536"}, "from 1 to 65535"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := New(test.brokers, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "ibmsarama: ") || p != nil {
				t.Fatalf("got %v, %v; want an error with %q", p, err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the credentials are in %q", err)
			}
		})
	}
}

func TestNewAcceptsBrokers(t *testing.T) {
	for broker, want := range map[string]string{
		"localhost": "localhost:9092", "localhost:9092": "localhost:9092", "10.0.0.1:1": "10.0.0.1:1",
		"[::1]:9093": "[::1]:9093", "::1": "[::1]:9092", "[::1]": "[::1]:9092", "kafka-0.kafka.svc.cluster.local:65535": "kafka-0.kafka.svc.cluster.local:65535",
	} {
		p, err := New([]string{broker}, nil)
		if err != nil {
			t.Errorf("%q: %v", broker, err)
		} else if p.brokers[0] != want {
			t.Errorf("%q becomes %q, want %q", broker, p.brokers[0], want)
		}
	}
}

func TestNewRefusesSettings(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*sarama.Config)
		want   []string
	}{
		"no successes":   {func(c *sarama.Config) { c.Producer.Return.Successes = false }, []string{"Producer.Return.Successes", "true"}},
		"no errors":      {func(c *sarama.Config) { c.Producer.Return.Errors = false }, []string{"Producer.Return.Errors", "true"}},
		"no acks":        {func(c *sarama.Config) { c.Producer.RequiredAcks = sarama.NoResponse }, []string{"Producer.RequiredAcks", "WaitForAll"}},
		"own retries":    {func(c *sarama.Config) { c.Producer.Retry.Max = 3 }, []string{"Producer.Retry.Max is 3", "set it to 0"}},
		"old version":    {func(c *sarama.Config) { c.Version = sarama.V0_10_2_0 }, []string{"Version is 0.10.2.0", tunedVersion.String()}},
		"flush messages": {func(c *sarama.Config) { c.Producer.Flush.Frequency, c.Producer.Flush.Messages = 0, 10 }, []string{"Flush.Frequency"}},
		"transactional":  {func(c *sarama.Config) { c.Producer.Transaction.ID = "x" }, []string{"Producer.Transaction.ID"}},
		"idempotent": {func(c *sarama.Config) {
			c.Producer.Idempotent, c.Producer.Retry.Max, c.Net.MaxOpenRequests = true, 5, 1
		}, []string{"Producer.Idempotent"}},
		"metadata retries": {func(c *sarama.Config) { c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 10, time.Second }, []string{"Metadata.Retry", "Max 10"}},
		"metadata backoff": {func(c *sarama.Config) {
			c.Metadata.Retry.Max = 2
			c.Metadata.Retry.BackoffFunc = func(int, int) time.Duration { return time.Minute }
		}, []string{"Metadata.Retry"}},
		"proxy without dialer":    {func(c *sarama.Config) { c.Net.Proxy.Enable = true }, []string{"Net.Proxy.Dialer"}},
		"invalid":                 {func(c *sarama.Config) { c.Net.DialTimeout = 0 }, []string{"Net.DialTimeout must be > 0"}},
		"no partitioner":          {func(c *sarama.Config) { c.Producer.Partitioner = nil }, []string{"Producer.Partitioner"}},
		"password missing":        {func(c *sarama.Config) { c.Net.SASL.Enable, c.Net.SASL.User = true, "app" }, []string{"Net.SASL.Password"}},
		"TLS, switched off":       {func(c *sarama.Config) { c.Net.TLS.Config = new(tls.Config) }, []string{"Net.TLS.Config is set and Net.TLS.Enable is false"}},
		"user, switched off":      {func(c *sarama.Config) { c.Net.SASL.User = "app" }, []string{"Net.SASL.User is set and Net.SASL.Enable is false"}},
		"password, switched off":  {func(c *sarama.Config) { c.Net.SASL.Password = "sesame" }, []string{"Net.SASL.Password is set and Net.SASL.Enable is false"}},
		"mechanism, switched off": {func(c *sarama.Config) { c.Net.SASL.Mechanism = sarama.SASLTypePlaintext }, []string{"Net.SASL.Mechanism is set and Net.SASL.Enable is false"}},
		"SCRAM, switched off": {func(c *sarama.Config) {
			c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return nil }
		}, []string{"Net.SASL.SCRAMClientGeneratorFunc is set and Net.SASL.Enable is false"}},
		"token, switched off": {func(c *sarama.Config) { c.Net.SASL.TokenProvider = tokens{} }, []string{"Net.SASL.TokenProvider is set and Net.SASL.Enable is false"}},
		"defaults of sarama":  {func(c *sarama.Config) { *c = *sarama.NewConfig() }, []string{"Return.Successes is false", "or start from ibmsarama.NewConfig()"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New([]string{"a:9092"}, with(test.change))
			for _, want := range test.want {
				if p != nil || err == nil || !strings.HasPrefix(err.Error(), "ibmsarama: ") || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "sesame") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

type tokens struct{}

func (tokens) Token() (*sarama.AccessToken, error) { return &sarama.AccessToken{Token: "t"}, nil }

func TestNewTakesSecurity(t *testing.T) {
	for name, change := range map[string]func(*sarama.Config){
		"TLS":      func(c *sarama.Config) { c.Net.TLS.Enable, c.Net.TLS.Config = true, new(tls.Config) },
		"TLS only": func(c *sarama.Config) { c.Net.TLS.Enable = true },
		"PLAIN": func(c *sarama.Config) {
			c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, "app", "sesame"
		},
		"token": func(c *sarama.Config) {
			c.Net.SASL.Enable, c.Net.SASL.Mechanism, c.Net.SASL.TokenProvider = true, sarama.SASLTypeOAuth, tokens{}
		},
	} {
		if _, err := New([]string{"a:9092"}, with(change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A Producer that nobody made is refused and does not panic.
func TestZeroProducer(t *testing.T) {
	for _, p := range []*Producer{nil, {}} {
		if _, err := p.Start(limits(time.Second), nil); err == nil || !strings.Contains(err.Error(), "not made with New or Wrap") {
			t.Errorf("Start: %v", err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestPrintingShowsNoSecrets(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil, with(func(c *sarama.Config) {
		c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, "app", "sesame"
	}))
	if s := fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(s, "sesame") || !strings.Contains(s, "127.0.0.1:1") {
		t.Errorf("printed as %s", s)
	}
}

// A configuration that was made by hand hears of everything at once.
func TestNewNamesAllSettings(t *testing.T) {
	_, err := New(nil, sarama.NewConfig())
	if err == nil {
		t.Fatal("no error")
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "ibmsarama: ") {
			t.Errorf("this line does not say where it comes from: %s", line)
		}
	}
	for _, want := range []string{"no brokers", "Producer.Return.Successes", "Producer.Retry.Max is 3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	l := zapkafka.Limits{Records: 1000, Bytes: 1_000_000, RecordBytes: 10_000, DeliveryTimeout: time.Second}
	for want, change := range map[string]func(*sarama.Config){
		"Producer.MaxMessageBytes is 10000": func(c *sarama.Config) { c.Producer.MaxMessageBytes = 10_000 },
		"Producer.Flush.Frequency (1m0s)":   func(c *sarama.Config) { c.Producer.Flush.Frequency = time.Minute },
	} {
		p, err := New([]string{"127.0.0.1:1"}, with(change))
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
	if _, err := p.Start(limits(time.Second), nil); err != nil {
		t.Errorf("Start after limits were refused: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The user's configuration is neither changed nor looked at again.
func TestConfigIsCopied(t *testing.T) {
	c := newCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "app", "secret"))
	user := with(func(c *sarama.Config) {
		c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, "app", "secret"
	})
	before := *user
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, user)
	after := *user
	user.Net.SASL.Password = "something else"
	rs, o := records(10, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	// Functions are equal to nothing, by reflect's rules.
	before.Producer.Partitioner, after.Producer.Partitioner = nil, nil
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the user's configuration was changed: %+v, was %+v", after, before)
	}
}

// refusing is a user's dialer.
type refusing struct{ t *testing.T }

func (d refusing) Dial(string, string) (net.Conn, error) {
	d.t.Error("dialled without a record")
	return nil, errors.New("no")
}

func TestNewAndStartDoNotDial(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil, with(func(c *sarama.Config) {
		c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, refusing{t}
	}))
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Old protocols that are not refused do work.
func TestOldestVersion(t *testing.T) {
	c := newCluster(t)
	for _, v := range []sarama.KafkaVersion{oldestVersion, sarama.V1_0_0_0, sarama.V2_1_0_0, sarama.MaxVersion} {
		t.Run(v.String(), func(t *testing.T) {
			p := start(t, c.ListenAddrs(), limits(10*time.Second), nil, with(func(c *sarama.Config) { c.Version = v }))
			rs, o := records(10, numbered)
			rs[0].Headers = []zapkafka.Header{{Key: "a", Value: []byte("b")}}
			p.Produce(t.Context(), rs)
			o.wantAcked(t)
		})
	}
}

// With Metadata.Full the client is made by asking the brokers, which may be away.
func TestFullMetadata(t *testing.T) {
	log := newErrorLog()
	port := reserve(t)
	p := start(t, []string{fmt.Sprintf("127.0.0.1:%d", port)}, limits(30*time.Second), log, with(func(c *sarama.Config) { c.Metadata.Full = true }))
	rs, o := records(100, numbered)
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "a refused connection", func(err error) bool { return strings.Contains(err.Error(), "refused") })
	newCluster(t, kfake.Ports(port))
	o.wantAcked(t)
}

func TestBackoff(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: 100, 1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 1000: 1000} {
		want *= time.Millisecond
		if got := backoff(tries); got < want*8/10 || got > want*12/10 {
			t.Errorf("try %d: %v, want about %v", tries, got, want)
		}
	}
}
