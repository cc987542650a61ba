//go:build cgo

package confluent

import (
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

// checkSettings refuses properties with which the contract cannot be kept, as
// far as that is known without limits. All of them are named at once.
func checkSettings(s settings) error {
	var errs []error
	refuse := func(name string, bad bool, format string, args ...any) {
		if set, ok := s[name]; ok && bad {
			errs = append(errs, fmt.Errorf(set.name+" "+format, args...))
		}
	}
	value := func(name string) string { return s[name].text }

	refuse("bootstrap.servers", true, "is set: the brokers are the first argument of New")
	refuse("message.timeout.ms", true, "is set: the deadline is the syncer's (Limits.DeliveryTimeout): leave it out")
	refuse("transactional.id", value("transactional.id") != "", "is set: a log entry is no part of a transaction")
	refuse("retries", s.number("retries", math.MaxInt32) < math.MaxInt32, "is %s: a record is retried until the syncer's deadline: leave it out", value("retries"))
	refuse("delivery.report.only.error", s.flag("delivery.report.only.error", false), "is true: every record has to be reported")
	refuse("enable.gapless.guarantee", s.flag("enable.gapless.guarantee", false), "is true: one record that fails would end the client")
	refuse("queuing.strategy", value("queuing.strategy") != "fifo", "is %q: records with the same key must keep their order, as with fifo", value("queuing.strategy"))
	refuse("linger.ms", s.number("linger.ms", 0) > float64(maxLinger.Milliseconds()), "is %s: at most %d, for Flush cannot end it (the syncer has collected before)", value("linger.ms"), maxLinger.Milliseconds())
	refuse("debug", value("debug") != "" && s["go.logs.channel"].value == nil, "is set, but its lines would go nowhere: give a go.logs.channel as well")

	acks := strings.ToLower(value("acks"))
	idempotent := s.flag("enable.idempotence", true)
	switch acks {
	case "all", "-1":
	case "1":
		refuse("acks", idempotent, "is 1: that needs enable.idempotence=false as well, and an entry can then be acknowledged and lost")
	default:
		refuse("acks", true, "is %q: without an acknowledgement nobody knows what is stored: leave it out, or set 1 together with enable.idempotence=false", value("acks"))
	}
	refuse("enable.idempotence", s["enable.idempotence"].value != nil && value("enable.idempotence") == "", "is empty: want true or false")

	// What only the Go part of the client knows; it panics with some of these.
	for name, want := range map[string]bool{"go.delivery.reports": true, "go.batch.producer": false} {
		refuse(name, s[name].value != want, "is %v: it must be %v (a bool), or be left out", s[name].value, want)
	}
	if _, ok := s["go.logs.channel.enable"]; ok {
		_, isBool := s["go.logs.channel.enable"].value.(bool)
		refuse("go.logs.channel.enable", !isBool, "is %v: want a bool", s["go.logs.channel.enable"].value)
	}
	if _, ok := s["go.logs.channel"]; ok {
		c, isChan := s["go.logs.channel"].value.(chan kafka.LogEvent)
		refuse("go.logs.channel", !isChan || c == nil, "is no channel: want a chan kafka.LogEvent that somebody reads from")
	}
	for _, name := range []string{"go.events.channel.size", "go.produce.channel.size"} {
		n, isInt := s[name].value.(int)
		refuse(name, !isInt || n < 0 || n > 1_000_000, "is %v: want an int from 0 to 1000000", s[name].value)
	}
	return joined(errs)
}

// checkAgainst refuses properties that contradict the limits.
func checkAgainst(s settings, limits zapkafka.Limits) error {
	var errs []error
	less := func(name string, least int64, format string, args ...any) {
		if n := s.number(name, math.MaxInt64); n < float64(least) {
			errs = append(errs, fmt.Errorf("%s is %s, but "+format+": raise it to %d or leave it out", append(append([]any{s[name].name, s[name].text}, args...), least)...))
		}
	}
	if s.number("queue.buffering.max.messages", 0) != 0 { // 0: no limit
		less("queue.buffering.max.messages", int64(limits.Records), "%d records may be under way (Limits.Records)", limits.Records)
	}
	less("queue.buffering.max.kbytes", (limits.Bytes+1023)>>10, "%d bytes may be under way (Limits.Bytes)", limits.Bytes)
	less("message.max.bytes", int64(limits.RecordBytes)+messageFrame, "a value may have %d bytes (Limits.RecordBytes), and its frame %d more", limits.RecordBytes, messageFrame)
	if n := s.number("linger.ms", 0); n > 0 && n >= float64(limits.DeliveryTimeout.Milliseconds()) {
		errs = append(errs, fmt.Errorf("%s is %s: it must be less than the delivery timeout (%v, Limits.DeliveryTimeout)", s["linger.ms"].name, s["linger.ms"].text, limits.DeliveryTimeout))
	}
	return joined(errs)
}

// messageFrame is the most that a batch adds to the one value in it.
const messageFrame = 512

// checkLimits refuses limits that no client can work with.
func checkLimits(l zapkafka.Limits) error {
	const maxBytes = 1_000_000_000 - messageSlack // the largest message.max.bytes
	var errs []error
	if l.Records <= 0 {
		errs = append(errs, fmt.Errorf("Limits.Records is %d, must be positive", l.Records))
	}
	if l.Bytes <= 0 {
		errs = append(errs, fmt.Errorf("Limits.Bytes is %d, must be positive", l.Bytes))
	}
	if l.RecordBytes <= 0 || l.RecordBytes > maxBytes {
		errs = append(errs, fmt.Errorf("Limits.RecordBytes is %d, must be from 1 to %d", l.RecordBytes, maxBytes))
	}
	if l.DeliveryTimeout <= 0 || l.DeliveryTimeout > maxDelivery {
		errs = append(errs, fmt.Errorf("Limits.DeliveryTimeout is %v, must be positive and at most %v", l.DeliveryTimeout, maxDelivery))
	}
	return joined(errs)
}

// maxDelivery is the largest message.timeout.ms, about 24 days.
const maxDelivery = math.MaxInt32 * time.Millisecond

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+._-]*://`)

// checkBrokers refuses addresses that cannot be dialled, and returns them with
// their ports.
func checkBrokers(brokers []string) ([]string, error) {
	if len(brokers) == 0 {
		return nil, errors.New(`confluent: no brokers: give at least one as "host:port"`)
	}
	var errs []error
	servers := make([]string, len(brokers))
	for i, b := range brokers {
		if what := brokerFault(b); what != "" {
			errs = append(errs, fmt.Errorf("broker %d is %q: %s", i+1, withoutUser(b), what))
			continue
		}
		host, port, hasPort := splitBroker(b)
		if !hasPort {
			port = "9092"
		}
		servers[i] = net.JoinHostPort(host, port)
	}
	return servers, joined(errs)
}

// withoutUser hides credentials that were put into an address by mistake.
func withoutUser(b string) string {
	if at := strings.LastIndex(b, "@"); at >= 0 {
		return "…" + b[at:]
	}
	return b
}

// brokerFault says what is wrong with an address and what would be right.
func brokerFault(b string) string {
	const want = `want "host:port"`
	switch {
	case b == "":
		return "it is empty, " + want
	case strings.Contains(b, ","):
		return "it holds a comma: give each broker as an element of its own"
	case scheme.MatchString(b):
		return want + " without a scheme (TLS is the property security.protocol)"
	case strings.ContainsAny(b, " \t\r\n"):
		return "it holds white space, " + want
	case strings.ContainsAny(b, "/@?#"):
		return want + " and nothing else (credentials are the properties sasl.username and sasl.password)"
	}
	host, port, hasPort := splitBroker(b)
	if host == "" {
		return "the host is missing, " + want
	}
	if n, err := strconv.Atoi(port); hasPort && (err != nil || n < 1 || n > 65535) {
		return "the port must be a number from 1 to 65535"
	}
	return ""
}

// splitBroker cuts the port off; IPv6 addresses have brackets if they have one.
func splitBroker(b string) (host, port string, hasPort bool) {
	if strings.Count(b, ":") > 1 && !strings.HasPrefix(b, "[") {
		return b, "", false
	}
	if end := strings.LastIndex(b, "]"); end >= 0 {
		rest := b[end+1:]
		port, hasPort = strings.CutPrefix(rest, ":")
		return strings.TrimPrefix(b[:end], "["), port, hasPort || rest != ""
	}
	return strings.Cut(b, ":")
}
