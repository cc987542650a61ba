package kafkago

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/zapkafka/zapkafka"
)

// checkBrokers refuses addresses that cannot be dialled.
func checkBrokers(brokers []string) error {
	if len(brokers) == 0 {
		return errors.New(`kafkago: no brokers: give at least one as "host:port"`)
	}
	var errs []error
	for i, b := range brokers {
		if what := brokerFault(b); what != "" {
			if at := strings.LastIndex(b, "@"); at >= 0 {
				b = "…" + b[at:] // credentials, put here by mistake
			}
			errs = append(errs, fmt.Errorf("kafkago: broker %d is %q: %s", i+1, b, what))
		}
	}
	return errors.Join(errs...)
}

// brokerFault says what is wrong with an address and what would be right.
func brokerFault(b string) string {
	const want = `want "host:port"`
	switch {
	case b == "":
		return "it is empty, " + want
	case strings.Contains(b, ","):
		return "it holds a comma: give each broker as an element of its own"
	case strings.Contains(b, "://"):
		return want + " without a scheme (TLS is Config.Transport.TLS)"
	case strings.ContainsAny(b, " \t\r\n"):
		return "it holds white space, " + want
	case strings.ContainsAny(b, "/@?#"):
		return want + " and nothing else (credentials are Config.Transport.SASL)"
	case !strings.Contains(b, ":") || net.ParseIP(b) != nil:
		return "" // the port is 9092
	case strings.HasPrefix(b, "[") && strings.HasSuffix(b, "]"):
		return "" // as well
	}
	host, port, err := net.SplitHostPort(b)
	if err != nil {
		return want + ", with an IPv6 address in brackets"
	}
	if host == "" {
		return "the host is missing, " + want
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "the port must be a number from 1 to 65535"
	}
	return ""
}

// maxTopicName is the length of the longest topic name, in bytes (Kafka's own
// limit).
const maxTopicName = 249

// isTopicName reports whether a topic can have the name. Others must not reach
// the client: it asks for all topics in one request, which a long name breaks
// for all of them (kafka-go v0.4.51, protocol/encode.go, encoder.writeString,
// cuts the length to 16 bits).
func isTopicName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > maxTopicName {
		return false
	}
	for _, c := range name {
		ok := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
		if !ok {
			return false
		}
	}
	return true
}

// checkLimits refuses limits that no client can work with.
func checkLimits(l zapkafka.Limits) error {
	const maxBytes = 1 << 30 // a request is below 2 GiB
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("kafkago: "+format, args...))
		}
	}
	refuse(l.Records <= 0, "Limits.Records is %d, must be positive", l.Records)
	refuse(l.Bytes <= 0, "Limits.Bytes is %d, must be positive", l.Bytes)
	refuse(l.RecordBytes <= 0 || l.RecordBytes > maxBytes, "Limits.RecordBytes is %d, must be from 1 to %d", l.RecordBytes, maxBytes)
	refuse(l.DeliveryTimeout <= 0, "Limits.DeliveryTimeout is %v, must be positive", l.DeliveryTimeout)
	return errors.Join(errs...)
}
