package franz

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
)

// checkClient refuses settings with which the contract cannot be kept. All of
// them are named at once.
func checkClient(cl *kgo.Client, brokers []string, limits zapkafka.Limits) error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("franz: "+format, args...))
		}
	}
	if seeds := value[[]string](cl, kgo.SeedBrokers); !slices.Equal(seeds, brokers) {
		refuse(true, "kgo.SeedBrokers is %q: the brokers are the first argument of New", seeds)
	}
	records := value[int64](cl, kgo.MaxBufferedRecords)
	refuse(records < int64(limits.Records), "kgo.MaxBufferedRecords is %d, but %d records may be under way (Limits.Records): raise it or leave it out", records, limits.Records)
	bytes := value[int64](cl, kgo.MaxBufferedBytes)
	refuse(bytes > 0 && bytes < limits.Bytes, "kgo.MaxBufferedBytes is %d, but %d bytes may be under way (Limits.Bytes): raise it or leave it out", bytes, limits.Bytes)
	batch := int(value[int32](cl, kgo.ProducerBatchMaxBytes))
	refuse(batch < limits.RecordBytes+batchFrame, "kgo.ProducerBatchMaxBytes is %d, but a value may have %d bytes (Limits.RecordBytes), and a batch of one %d more: raise it or leave it out", batch, limits.RecordBytes, batchFrame)
	refuse(value[kgo.Acks](cl, kgo.RequiredAcks) == kgo.NoAck(), "kgo.RequiredAcks is kgo.NoAck(): entries would count as delivered that no broker has stored: leave it out, or use kgo.LeaderAck() together with kgo.DisableIdempotentWrite()")
	refuse(value[bool](cl, kgo.ManualFlushing), "kgo.ManualFlushing is set: nothing would be sent")
	refuse(cl.OptValues(kgo.TransactionalID)[1].(bool), "kgo.TransactionalID is set: a log entry is no part of a transaction")
	refuse(value[bool](cl, kgo.DefaultProduceTopicAlways), "kgo.DefaultProduceTopicAlways is set: each record has its own topic")
	delivery := value[time.Duration](cl, kgo.RecordDeliveryTimeout)
	refuse(delivery != 0, "kgo.RecordDeliveryTimeout is %v: it counts from an entry's time stamp, and the deadline is the syncer's (%v, Limits.DeliveryTimeout): leave it out", delivery, limits.DeliveryTimeout)
	request, overhead := value[time.Duration](cl, kgo.ProduceRequestTimeout), value[time.Duration](cl, kgo.RequestTimeoutOverhead)
	refuse(request+overhead > maxRequestTime, "kgo.ProduceRequestTimeout (%v) and kgo.RequestTimeoutOverhead (%v) together are more than %v: a record on a mute broker would be reported too late", request, overhead, maxRequestTime)
	if linger, most := value[time.Duration](cl, kgo.ProducerLinger), limits.DeliveryTimeout/4; linger > most {
		refuse(linger > tunedLinger, "kgo.ProducerLinger (%v) is more than a quarter of the delivery timeout (%v): the client looks at no deadline while it lingers", linger, limits.DeliveryTimeout)
	}
	if wait := value[func(int) time.Duration](cl, kgo.RetryBackoffFn); wait != nil {
		for tries := 1; tries <= 10; tries++ {
			if w := wait(tries); w > maxRequestTime {
				refuse(true, "kgo.RetryBackoffFn waits %v before retry %d, more than %v: records on brokers that are gone would be reported too late", w, tries, maxRequestTime)
				break
			}
		}
	}
	for _, consuming := range []struct {
		name string
		set  bool
	}{
		{"ConsumerGroup", value[string](cl, kgo.ConsumerGroup) != ""},
		{"ShareGroup", value[string](cl, kgo.ShareGroup) != ""},
		{"ConsumeTopics", len(cl.GetConsumeTopics()) > 0},
	} {
		refuse(consuming.set, "kgo.%s is set: this client only produces, and leaving a group can hold up Close", consuming.name)
	}
	return errors.Join(errs...)
}

// batchFrame is the most that a batch adds to the one value in it.
const batchFrame = 128

// value returns what the client's option is set to; the zero value if it is of
// another type, which TestOptionTypes excludes.
func value[T any](cl *kgo.Client, opt any) T {
	v, _ := cl.OptValue(opt).(T)
	return v
}

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+._-]*://`)

// checkBrokers refuses addresses that cannot be dialled.
func checkBrokers(brokers []string) error {
	if len(brokers) == 0 {
		return errors.New(`franz: no brokers: give at least one as "host:port"`)
	}
	var errs []error
	for i, b := range brokers {
		if what := brokerFault(b); what != "" {
			errs = append(errs, fmt.Errorf("franz: broker %d is %q: %s", i+1, withoutUser(b), what))
		}
	}
	return errors.Join(errs...)
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
		return want + " without a scheme (TLS is the option kgo.DialTLSConfig)"
	case strings.ContainsAny(b, " \t\r\n"):
		return "it holds white space, " + want
	case strings.ContainsAny(b, "/@?#"):
		return want + " and nothing else (credentials are the option kgo.SASL)"
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
