package ibmsarama

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
)

// recordSlack is added to the largest value for its key, its headers and what
// sarama counts for a record (sarama/async_producer.go, ProducerMessage.ByteSize).
const recordSlack = 4 << 10

// maxMetadataPause is the most that the client may pause between its questions
// for metadata: for as long it does not notice that it was cut off.
const maxMetadataPause = time.Second

// refusals collects what is wrong, so that all of it is named at once, each on a
// line that says where it comes from.
type refusals []error

func (r *refusals) add(bad bool, format string, args ...any) {
	if bad {
		*r = append(*r, fmt.Errorf("ibmsarama: "+format, args...))
	}
}

func (r *refusals) err() error {
	return errors.Join(*r...)
}

// checkReports refuses the settings with which no outcome would come back.
func checkReports(c *sarama.Config, r *refusals) {
	p := &c.Producer
	r.add(!p.Return.Successes, "Producer.Return.Successes is false: without acknowledgements every delivered entry would count as failed and go to the fallback as well: set it to true, or start from ibmsarama.NewConfig()")
	r.add(!p.Return.Errors, "Producer.Return.Errors is false: a failed entry would not be noticed: set it to true")
	r.add(p.RequiredAcks == sarama.NoResponse, "Producer.RequiredAcks is NoResponse: the brokers would acknowledge nothing, and lost entries would count as delivered: set it to WaitForAll")
	r.add(p.Flush.Frequency == 0 && (p.Flush.Messages > 0 || p.Flush.Bytes > 0), "Producer.Flush.Messages or Flush.Bytes is set without Flush.Frequency: the last entries would never be sent, and closing would hang: set Flush.Frequency to some milliseconds")
	r.add(p.Transaction.ID != "", "Producer.Transaction.ID is set: a log entry is no part of a transaction: leave it empty")
}

// checkConfig refuses settings with which the contract cannot be kept, as far as
// that can be seen without limits.
func checkConfig(c *sarama.Config) error {
	var r refusals
	checkReports(c, &r)
	p := &c.Producer
	r.add(p.Idempotent, "Producer.Idempotent is true: sarama's idempotence needs its own retries, with which records are reported minutes after their deadline: set it to false, and let consumers expect an entry twice")
	r.add(p.Retry.Max > 0 && !p.Idempotent, "Producer.Retry.Max is %d: retries are the adaptor's, above the client, until the deadline of the syncer: set it to 0, or start from ibmsarama.NewConfig()", p.Retry.Max)
	r.add(!c.Version.IsAtLeast(oldestVersion), "Version is %v: brokers of Kafka 4 do not speak a protocol that old: set it to %v or later, or start from ibmsarama.NewConfig()", c.Version, tunedVersion)
	checkSecurity(c, &r)
	r.add(c.Net.Proxy.Enable && c.Net.Proxy.Dialer == nil, "Net.Proxy.Enable is true and Net.Proxy.Dialer is nil: set both or none")
	if pause := metadataPause(c); pause > maxMetadataPause {
		r.add(true, "Metadata.Retry: the client would pause for %v (Max %d), more than %v: with a broker that is gone, records would be reported too late: set Max to 0, the adaptor asks again", pause, c.Metadata.Retry.Max, maxMetadataPause)
	}
	valid := *c // Validate fills in defaults
	if p.Idempotent {
		valid.Producer.Idempotent = false // refused above, in better words
	}
	if err := valid.Validate(); err != nil {
		r.add(true, "%w", err)
	}
	return r.err()
}

// checkSecurity refuses what looks like TLS or a user and is switched off: the
// client would connect without. Net.SASL.Version and Handshake do not count,
// sarama.NewConfig() sets them.
func checkSecurity(c *sarama.Config, r *refusals) {
	r.add(c.Net.TLS.Config != nil && !c.Net.TLS.Enable, "Net.TLS.Config is set and Net.TLS.Enable is false: entries would be sent without TLS: set both or none")
	sasl := &c.Net.SASL
	if sasl.Enable {
		return
	}
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"User", sasl.User != ""},
		{"Password", sasl.Password != ""},
		{"Mechanism", sasl.Mechanism != ""},
		{"SCRAMClientGeneratorFunc", sasl.SCRAMClientGeneratorFunc != nil},
		{"TokenProvider", sasl.TokenProvider != nil},
	} {
		r.add(field.set, "Net.SASL.%s is set and Net.SASL.Enable is false: the client would not log in: set both or none", field.name)
	}
}

// metadataPause sums up the pauses of one question for metadata.
func metadataPause(c *sarama.Config) time.Duration {
	m := &c.Metadata.Retry
	var sum time.Duration
	for tries := 1; tries <= m.Max && sum <= maxMetadataPause; tries++ {
		if m.BackoffFunc != nil {
			sum += m.BackoffFunc(tries, m.Max)
		} else {
			sum += m.Backoff
		}
	}
	return sum
}

// checkSizes refuses settings that contradict the limits.
func checkSizes(c *sarama.Config, l zapkafka.Limits) error {
	var r refusals
	need := l.RecordBytes + recordSlack
	r.add(c.Producer.MaxMessageBytes < need, "Producer.MaxMessageBytes is %d, but a value may have %d bytes (Limits.RecordBytes), and %d more are kept for its key and headers: raise it, and max.message.bytes of the topic with it",
		c.Producer.MaxMessageBytes, l.RecordBytes, recordSlack)
	if linger, most := c.Producer.Flush.Frequency, l.DeliveryTimeout/4; linger > most {
		r.add(linger > tunedLinger, "Producer.Flush.Frequency (%v) is more than a quarter of the delivery timeout (%v): entries would be given up while the client still collects", linger, l.DeliveryTimeout)
	}
	return r.err()
}

// checkLimits refuses limits that no client can work with.
func checkLimits(l zapkafka.Limits) error {
	var r refusals
	r.add(l.Records <= 0, "Limits.Records is %d, must be positive", l.Records)
	r.add(l.Bytes <= 0, "Limits.Bytes is %d, must be positive", l.Bytes)
	most := int(sarama.MaxRequestSize) - 2*recordSlack - 10<<10
	r.add(l.RecordBytes <= 0 || l.RecordBytes > most, "Limits.RecordBytes is %d, must be from 1 to %d (sarama.MaxRequestSize)", l.RecordBytes, most)
	r.add(l.DeliveryTimeout <= 0, "Limits.DeliveryTimeout is %v, must be positive", l.DeliveryTimeout)
	return r.err()
}
