//go:build cgo

package confluent

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

const (
	// messageBytes is the client's own default for message.max.bytes, a little
	// less than what a topic takes (1,048,588).
	messageBytes = 1_000_000
	// messageSlack is added to the largest value for its key, its headers, and
	// the frame around a batch of one.
	messageSlack = 32 << 10
	// tunedLinger holds the first record of a call back until the others are
	// there: the syncer has collected before it calls.
	tunedLinger = 5 * time.Millisecond
	// maxLinger is the most that a user may set: Flush cannot end it.
	maxLinger = 100 * time.Millisecond
	// missingGrace is for how many milliseconds a topic may be missing before the
	// client refuses records for it at once. It is 33 minutes: the client allows
	// an hour, but computes with 32 bits (rdkafka_topic.c,
	// rd_kafka_topic_set_notexists), so that more than 35 minutes are none.
	missingGrace = 2_000_000
	// roomRecords and roomBytes are added to the limits: the client counts a
	// record until all of its batch have been read from the events.
	roomRecords = 1 << 17
	roomBytes   = 64 << 20
)

// aliases are the second names that librdkafka has for properties of producers
// (rdkafka_conf.c, _RK_C_ALIAS). All are brought to the one on the right, so
// that the user's value replaces ours: the client applies a map in no order.
var aliases = map[string]string{
	"metadata.broker.list":                              "bootstrap.servers",
	"max.in.flight.requests.per.connection":             "max.in.flight",
	"sasl.mechanisms":                                   "sasl.mechanism",
	"sasl.oauthbearer.client.credentials.client.id":     "sasl.oauthbearer.client.id",
	"sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
	"queue.buffering.max.ms":                            "linger.ms",
	"message.send.max.retries":                          "retries",
	"compression.codec":                                 "compression.type",
	"request.required.acks":                             "acks",
	"delivery.timeout.ms":                               "message.timeout.ms",
}

// settings are the user's properties, by the name that aliases lead to.
type settings map[string]setting

type setting struct {
	name  string // as the user wrote it
	value kafka.ConfigValue
	text  string // as the client reads it
}

// userSettings copies the config. It fails when values are of a type that the
// client does not take, or a property is there twice.
func userSettings(config *kafka.ConfigMap) (settings, error) {
	s := make(settings)
	if config == nil {
		return s, nil
	}
	var errs []error
	for _, name := range sortedNames(*config) {
		value := (*config)[name]
		text, err := valueText(name, value)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		own := name
		if alias := aliases[name]; alias != "" {
			own = alias
		}
		if other, ok := s[own]; ok {
			errs = append(errs, fmt.Errorf("%s and %s are two names for one property: leave one out", other.name, name))
			continue
		}
		s[own] = setting{name, value, text}
	}
	return s, joined(errs)
}

func sortedNames(config kafka.ConfigMap) []string {
	names := make([]string, 0, len(config))
	for name := range config {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// valueText returns the value as the client would write it (kafka/config.go,
// value2string).
func valueText(name string, value kafka.ConfigValue) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case time.Duration:
		return "", fmt.Errorf("%s is a time.Duration: the client wants a number, of milliseconds for a property that ends in .ms", name)
	case chan kafka.LogEvent:
		if name == "go.logs.channel" {
			return "", nil
		}
	case kafka.ConfigMap:
		if name == "default.topic.config" {
			return "", fmt.Errorf("%s: put the properties of topics directly into the config", name)
		}
	case fmt.Stringer:
		return v.String(), nil
	}
	return "", fmt.Errorf("%s is a %T: the client takes string, bool and int", name, value)
}

// number returns the property as a number, def if it is not set. Values that
// are no numbers are left to the client's own check.
func (s settings) number(name string, def float64) float64 {
	if n, err := strconv.ParseFloat(strings.TrimSpace(s[name].text), 64); err == nil {
		return n
	}
	return def
}

// flag returns the property as the client reads a bool, def if it is not set
// (rdkafka_conf.c, rd_kafka_anyconf_set_prop).
func (s settings) flag(name string, def bool) bool {
	switch strings.ToLower(s[name].text) {
	case "true", "t", "1":
		return true
	case "false", "f", "0":
		return false
	}
	return def
}

// secretNames are parts of the names of properties whose values are not shown.
var secretNames = []string{"password", "secret", ".pem", "passphrase", "jaas", "oauthbearer.config", "token"}

// redact removes secrets from a text of the client's. None is known to have one;
// this is for those that come.
func (s settings) redact(text string) string {
	for name, v := range s {
		for _, part := range secretNames {
			if v.text != "" && strings.Contains(name, part) && !strings.HasSuffix(name, ".url") {
				text = strings.ReplaceAll(text, v.text, "…")
			}
		}
	}
	return text
}

// configMap returns what a client is built from: our settings, then the user's.
func configMap(servers []string, user settings, limits zapkafka.Limits) kafka.ConfigMap {
	linger := min(tunedLinger, limits.DeliveryTimeout/4)
	// At least a millisecond, the client's unit.
	timeout := min(max(limits.DeliveryTimeout.Milliseconds(), 1), math.MaxInt32)
	conf := kafka.ConfigMap{
		"client.id":          "zapkafka",
		"acks":               "all",
		"enable.idempotence": true,
		"max.in.flight":      5, // more would reorder on retry
		"compression.type":   "lz4",
		"partitioner":        "murmur2_random", // the Java client's, for keys
		"linger.ms":          strconv.FormatFloat(linger.Seconds()*1000, 'f', 3, 64),

		// The deadline of records; the client retries until then.
		"message.timeout.ms": int(timeout),
		// How long a broker may be mute before its connection is given up.
		"socket.timeout.ms":                  5000,
		"request.timeout.ms":                 3000,
		"socket.connection.setup.timeout.ms": 5000,
		"api.version.request.timeout.ms":     3000,
		"reconnect.backoff.ms":               100,
		"reconnect.backoff.max.ms":           1000,
		// Until the deadline: the topic may be on its way. See watchTopics.
		"topic.metadata.propagation.max.ms": missingGrace,
		"allow.auto.create.topics":          false,

		"queue.buffering.max.messages": int(min(int64(limits.Records)+roomRecords, math.MaxInt32)),
		"queue.buffering.max.kbytes":   int(min((limits.Bytes+roomBytes)>>10, math.MaxInt32)),
		"message.max.bytes":            max(messageBytes, limits.RecordBytes+messageSlack),

		"enable.metrics.push": false, // nobody has asked a log sink for telemetry

		"go.logs.channel.enable":    true, // not to standard error
		"go.events.channel.size":    256,  // the default is a million slots
		"go.produce.channel.size":   0,    // not used
		"go.delivery.report.fields": "none",
	}
	for name, v := range user {
		conf[name] = v.value
	}
	conf["bootstrap.servers"] = strings.Join(servers, ",")
	return conf
}

// probe has the client check the config: it is built without a broker to dial,
// and freed.
func probe(conf kafka.ConfigMap, user settings) error {
	if err := checkFiles(user); err != nil {
		return err
	}
	trial := kafka.ConfigMap{}
	for name, value := range conf {
		trial[name] = value
	}
	delete(trial, "bootstrap.servers")
	delete(trial, "sasl.oauthbearer.method") // it would fetch a token
	delete(trial, "debug")
	trial["go.logs.channel.enable"] = true
	trial["go.logs.channel"] = make(chan kafka.LogEvent, 64)
	client, err := kafka.NewProducer(&trial)
	if err != nil {
		return fmt.Errorf("confluent: %s", user.redact(explained(strings.TrimSpace(err.Error()), user)))
	}
	client.Close()
	return nil
}

// joined makes one error of many, each on a line that says where it comes from.
func joined(errs []error) error {
	lines := make([]error, len(errs))
	for i, err := range errs {
		lines[i] = fmt.Errorf("confluent: %w", err)
	}
	return errors.Join(lines...)
}
