// Package franz hands log entries to Kafka through the client franz-go
// (github.com/twmb/franz-go/pkg/kgo). It is the adaptor to choose when nothing
// speaks for another: the client is idempotent, reads values where they lie, and
// allocates next to nothing for a record.
//
//	producer, err := franz.New([]string{"kafka-1:9092", "kafka-2:9092"})
//
// The result goes into zapkafka.NewKafkaSyncer, which starts and closes it.
// Kafka need not be up for any of this: the client connects when the first
// entry comes, and tries until there is someone to connect to.
//
// [RegisterSink] makes Kafka an output of a zap.Config, by a URL such as
// kafka://kafka-1:9092/app-logs?fallback=/var/lib/app/kafka-fallback.
//
// # The client's options
//
// All that can be said to the client is said with its own options, in its own
// documentation. TLS is kgo.DialTLSConfig; a user and a password are kgo.SASL
// with a mechanism of one of the packages below kgo's neighbour sasl (plain,
// scram, oauth, aws); tracing and metrics are kgo.WithHooks. The examples show
// them.
//
// This package's own settings come first, so an option that the user gives
// wins. They are:
//
//   - Acknowledgement by all in-sync replicas, idempotent: the client's
//     defaults. A cluster before Kafka 3.0 must grant IDEMPOTENT_WRITE to the
//     user, or be used with kgo.DisableIdempotentWrite; retries can then store
//     an entry twice.
//   - Compression with snappy. lz4 is as fast, but its writers hold 8 MiB each.
//   - Entries without a key go to one partition for 64 KiB, then to the next,
//     less to partitions that lag. Those with a key go where the Java client
//     would put them.
//   - A linger of 5 ms: the syncer has collected before.
//   - Produce requests that take no longer than 5 s (3 s for the broker and 2 s
//     for the way), retries after 100 ms to 1 s, at most twice a second a
//     question for new leaders.
//   - No telemetry to the brokers (KIP-714). This is the one setting for which
//     the client has no option that would undo it.
//
// # Refused options
//
// With some options a Producer could not keep its contract. New and Start
// refuse them by name: RequiredAcks of NoAck, TransactionalID, ManualFlushing,
// DefaultProduceTopicAlways, RecordDeliveryTimeout (the deadline is the
// syncer's), SeedBrokers (they are a parameter), everything that consumes; and,
// when too small for the limits of the syncer, MaxBufferedRecords,
// MaxBufferedBytes and ProducerBatchMaxBytes, or too long for a record to be
// reported in time, ProduceRequestTimeout with RequestTimeoutOverhead,
// ProducerLinger and RetryBackoffFn.
//
// # Deadlines, and what fails together
//
// A record that cannot be delivered is retried until the delivery timeout of
// the syncer has passed since Produce, and then reported as failed. With that
// record fail those that wait behind it for the same partition, younger ones
// too: the client never sends a later record of a partition after it gave up an
// earlier one. It is the same when a broker refuses a batch, for instance as too
// large for the topic. A record that was given up may have been stored
// nevertheless, if the broker froze after it had read it.
//
// # Topics
//
// A topic that does not exist is retried as well, for it may be on its way; the
// error handler is told at once. To have the client create topics, give
// kgo.AllowAutoTopicCreation() and let the brokers have
// auto.create.topics.enable. A topic that was deleted and made anew is found
// again; records of the moment in between fail.
package franz
