package ibmsarama

import (
	"time"

	"github.com/IBM/sarama"
)

const (
	// batchBytes is the size of a batch before compression: a little less than
	// what a topic takes by default (max.message.bytes, 1,048,588), because what
	// cannot be compressed grows.
	batchBytes = 1_000_000
	// tunedLinger is how long sarama collects for a request. The syncer has
	// collected before; this is for the entries of a call to come together.
	tunedLinger = 5 * time.Millisecond
	// flushBytes ends the linger.
	flushBytes = 256 << 10
)

// NewConfig returns the configuration that [New] uses when it is given none, for
// those who want to add something to it, such as TLS or a user and a password. It
// is sarama.NewConfig() with these settings:
//
//   - Producer.RequiredAcks: all in-sync replicas.
//   - Producer.Return.Successes and Return.Errors on: they are how a record's
//     outcome is learned.
//   - Producer.Retry.Max 0: retries are the adaptor's, above the client, until the
//     deadline of the syncer.
//   - Producer.Compression: snappy.
//   - Producer.Partitioner: [NewStickyPartitioner].
//   - Producer.MaxMessageBytes 1,000,000, which is the largest batch too.
//   - Producer.Flush: 5 ms or 256 KiB, whichever comes first.
//   - Producer.Timeout 3 s, and Net.DialTimeout 3 s, Net.ReadTimeout and
//     Net.WriteTimeout 5 s: how soon a frozen broker is noticed.
//   - Net.SASL.Version 1, which brokers have answered in words since Kafka 1.0:
//     with version 0 they hang up when a password is wrong.
//   - Metadata.Full off (the topics in use only), Metadata.Retry.Max 0 and
//     Metadata.Timeout 5 s (the adaptor asks again),
//     Metadata.AllowAutoTopicCreation off.
//   - Version: the protocol that Kafka 4 brokers speak as well as old ones.
//   - ApiVersionsRequest off: that version needs no asking, and while a frozen
//     broker is asked, for up to twice Net.ReadTimeout after each connection, the
//     whole client waits for the broker's lock (sarama/broker.go, Broker.Open).
//     Whoever sets a later Version without it has to know that all brokers speak
//     it.
//   - ClientID "zapkafka".
func NewConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = "zapkafka"
	c.Version = tunedVersion
	c.ApiVersionsRequest = false

	c.Net.DialTimeout = 3 * time.Second
	c.Net.ReadTimeout = 5 * time.Second
	c.Net.WriteTimeout = 5 * time.Second
	c.Net.SASL.Version = sarama.SASLHandshakeV1

	c.Metadata.Full = false
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.Retry.Max = 0
	c.Metadata.Timeout = 5 * time.Second // else every broker is tried before anything is said

	p := &c.Producer
	p.RequiredAcks = sarama.WaitForAll
	p.Return.Successes = true
	p.Return.Errors = true
	p.Retry.Max = 0
	p.Retry.Backoff = 0
	p.Timeout = 3 * time.Second
	p.Compression = sarama.CompressionSnappy
	p.Partitioner = NewStickyPartitioner
	p.MaxMessageBytes = batchBytes
	p.Flush.Frequency = tunedLinger
	p.Flush.Bytes = flushBytes
	return c
}

// forClient returns the configuration for one client: the user's, with a dialer
// whose connections can be cut, and without pauses between the client's retries,
// of which there are none. (With Retry.Max 0 sarama still pauses for
// Retry.Backoff, for each message that it fails because of a missing leader;
// sarama/async_producer.go, partitionProducer.updateLeaderIfBrokerProducerIsNil.)
func forClient(user *sarama.Config, bad *shunned) (*sarama.Config, *wire) {
	c := *user
	w := newWire(user)
	w.shunned = bad
	c.Net.Proxy.Enable = true
	c.Net.Proxy.Dialer = w
	c.Producer.Retry.Backoff = 0
	c.Producer.Retry.BackoffFunc = nil
	c.Producer.Partitioner = partitionerOf(user.Producer.Partitioner, bad)
	return &c, w
}
