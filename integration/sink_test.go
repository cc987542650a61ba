package integration

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	ibm "github.com/IBM/sarama"
	shopify "github.com/Shopify/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/certs"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/producer/franz"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
	"github.com/zapkafka/zapkafka/producer/kafkago"
	"github.com/zapkafka/zapkafka/producer/shopifysarama"
)

// registered is a client that URLs of a scheme are opened with.
type registered struct {
	scheme string
	sinks  *zapkafka.Sinks
	err    error
}

// A scheme can be registered once in a process, so all tests share these; files
// with build tags add theirs. They are registered by the first test that asks.
var registrations = []func() registered{
	func() registered {
		sinks, err := franz.RegisterSink("kafka-franz")
		return registered{"kafka-franz", sinks, err}
	},
	func() registered {
		sinks, err := kafkago.RegisterSink("kafka-go", nil)
		return registered{"kafka-go", sinks, err}
	},
	func() registered {
		config := ibmsarama.NewConfig()
		config.Net.SASL.SCRAMClientGeneratorFunc = func() ibm.SCRAMClient { return new(scramClient) }
		sinks, err := ibmsarama.RegisterSink("kafka-ibm", config)
		return registered{"kafka-ibm", sinks, err}
	},
	func() registered {
		config := shopifysarama.NewConfig()
		config.Net.SASL.SCRAMClientGeneratorFunc = func() shopify.SCRAMClient { return new(scramClient) }
		sinks, err := shopifysarama.RegisterSink("kafka-shopify", config)
		return registered{"kafka-shopify", sinks, err}
	},
}

var registeredOnce []registered

func registeredSinks(t *testing.T) []registered {
	t.Helper()
	if registeredOnce == nil {
		for _, register := range registrations {
			registeredOnce = append(registeredOnce, register())
		}
	}
	for _, r := range registeredOnce {
		if r.err != nil {
			t.Fatalf("%s: %v", r.scheme, r.err)
		}
	}
	return registeredOnce
}

const configYAML = `
level: info
encoding: json
encoderConfig: {messageKey: msg, levelKey: level, levelEncoder: lowercase}
outputPaths: [%q]
errorOutputPaths: [stderr]
`

const configJSON = `{"level": "info", "encoding": "json",
"encoderConfig": {"messageKey": "msg", "levelKey": "level", "levelEncoder": "lowercase"},
"outputPaths": [%q], "errorOutputPaths": ["stderr"]}`

// A stock zap.Config from a file gets through TLS and SCRAM by one more output.
func TestSinkURL(t *testing.T) {
	files := t.TempDir()
	if err := certs.Write(files); err != nil {
		t.Fatal(err)
	}
	ca, server := filepath.Join(files, certs.CA), filepath.Join(files, certs.Server)
	own, err := tls.LoadX509KeyPair(server, server)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}}),
		kfake.EnableSASL(), kfake.Superuser(mechanismScram, harness.User, harness.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	opts, err := franzSecurity(security{ca: ca, mechanism: mechanismScram, user: harness.User, password: harness.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SINK_TEST_USER", harness.User)
	t.Setenv("SINK_TEST_PASSWORD", harness.Password)
	logByURL(t, harness.With(c.ListenAddrs(), opts...), c.ListenAddrs()[0], "&tls=true&sasl=scram-sha-512&sasl_env=SINK_TEST&tls_ca="+ca)
}

// The same, without a password, on a real Kafka.
func TestSinkURLOnKafka(t *testing.T) {
	k := harness.Need(t)
	logByURL(t, k, k.Brokers[0], "")
}

// logByURL logs with each client, one entry for each form of the configuration.
func logByURL(t *testing.T, k *harness.Kafka, broker, more string) {
	for _, r := range registeredSinks(t) {
		t.Run(r.scheme, func(t *testing.T) {
			topic := k.Topic(t)
			output := fmt.Sprintf("%s://%s/%s?fallback=%s%s", r.scheme, broker, topic, filepath.Join(t.TempDir(), "fallback"), more)
			var fromYAML, fromJSON zap.Config
			if err := yaml.Unmarshal(fmt.Appendf(nil, configYAML, output), &fromYAML); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(fmt.Appendf(nil, configJSON, output), &fromJSON); err != nil {
				t.Fatal(err)
			}
			fromGo := zap.NewProductionConfig()
			fromGo.OutputPaths = []string{output}
			fromGo.EncoderConfig.TimeKey, fromGo.DisableCaller = "", true
			for name, config := range map[string]zap.Config{"yaml": fromYAML, "json": fromJSON, "go": fromGo} {
				logger, err := config.Build()
				if err != nil {
					t.Fatal(err)
				}
				logger.Info(name)
			}
			if n := len(r.sinks.All()); n != 1 {
				t.Errorf("%d sinks are open, want 1 for three times the same URL", n)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			if err := r.sinks.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			got := map[string]int{}
			k.ReadRecords(t, topic, func(r *kgo.Record) { got[string(r.Value)]++ })
			for _, name := range []string{"yaml", "json", "go"} {
				if want := fmt.Sprintf(`{"level":"info","msg":%q}`, name); got[want] != 1 || len(got) != 3 {
					t.Errorf("%s: the topic has %v, want %s once and two others", name, got, want)
				}
			}
		})
	}
}
