// Package confluent hands log entries to Kafka through confluent-kafka-go
// (github.com/confluentinc/confluent-kafka-go/v2/kafka), the Go face of the C
// library librdkafka. It is the adaptor for those who have that client, its
// settings and its habits in their company already; for all others package
// franz does the same without C.
//
//	producer, err := confluent.New([]string{"kafka-1:9092", "kafka-2:9092"}, nil)
//
// The result goes into zapkafka.NewKafkaSyncer, which starts and closes it.
// Kafka need not be up for any of this: the client connects when the first
// entry comes, and tries until there is someone to connect to.
//
// [RegisterSink] makes Kafka an output of a zap.Config, by a URL such as
// kafka://kafka-1:9092/app-logs?fallback=/var/lib/app/kafka-fallback.
//
// The package needs cgo and a C compiler, and says so by an undefined name when
// it is built without. The library itself comes with the client, compiled, for
// Linux (glibc and musl), macOS and Windows. How to link it statically, and how
// to build in a container, is in docs/confluent.md of the repository.
//
// # The client's settings
//
// All that can be said to the client is said with its own kafka.ConfigMap, in
// the names of librdkafka's CONFIGURATION.md: TLS is security.protocol=ssl and
// the properties ssl.*, a user and a password are security.protocol=sasl_ssl and
// the properties sasl.*. The examples show them. The properties of topics stand
// in the same map. The bundled library has no Kerberos.
//
// This package's own settings come first, so a property that the user gives
// wins. They are:
//
//   - Acknowledgement by all in-sync replicas, idempotent (acks=all,
//     enable.idempotence=true, max.in.flight=5). A cluster before Kafka 3.0 must
//     grant IDEMPOTENT_WRITE to the user, or be used with
//     enable.idempotence=false; retries can then store an entry twice.
//   - Compression with lz4.
//   - Entries without a key go to one partition for as long as
//     sticky.partitioning.linger.ms says, then to the next. Those with a key go
//     where the Java client would put them (partitioner=murmur2_random).
//   - A linger of 5 ms: the syncer has collected before.
//   - socket.timeout.ms=5000, request.timeout.ms=3000, five seconds to connect,
//     and new attempts after 0.1 to 1 s, so that a broker that is mute or gone is
//     left for another soon.
//   - No topics are created (allow.auto.create.topics=false).
//   - What the client logs goes to the error handler and not to standard error,
//     and no telemetry to the brokers (enable.metrics.push=false).
//   - From the limits of the syncer: message.timeout.ms, message.max.bytes,
//     queue.buffering.max.messages and queue.buffering.max.kbytes.
//
// # Refused settings
//
// New refuses what the client refuses, unknown names among it, and by name those
// settings with which a Producer could not keep its contract: acks=0, acks=1
// with idempotence, bootstrap.servers (they are a parameter),
// message.timeout.ms (the deadline is the syncer's), retries, transactional.id,
// delivery.report.only.error, enable.gapless.guarantee, queuing.strategy=lifo, a
// linger.ms of more than 100, go.delivery.reports=false, go.batch.producer=true,
// debug without a go.logs.channel to read from, and default.topic.config, which
// would come before all of this. Start refuses queue.buffering.max.messages,
// queue.buffering.max.kbytes and message.max.bytes when they are too small for
// the limits, and a linger.ms beyond the deadline.
//
// # Deadlines, and what fails together
//
// A record that cannot be delivered is retried until the delivery timeout of the
// syncer has passed since Produce, and reported as failed within two seconds
// after that: the client looks once a second. When a broker refuses a batch, for
// instance as too large for the topic, all records in it fail, as much as was
// collected for the partition in 5 ms. A record that was given up may have been
// stored nevertheless, if the broker froze after it had read it.
//
// A broker that is frozen does not hold up the others. But records without a key
// go on being led to its partitions, and wait there until these have another
// leader or their time is over: to the client a partition is available when it has
// a leader, be it connected or not (rdkafka_topic.c,
// rd_kafka_topic_partition_available).
//
// Lost acknowledgements alone store nothing twice. But when a record runs out of
// time whose fate is unknown, the client begins a new epoch and sends what it has
// behind it anew, and of those that had been stored brokers then have two.
//
// # After a fatal error
//
// The client knows errors after which it refuses everything for ever, such as
// an idempotent producer that its brokers do not let write. This package then
// reports what the client holds as failed, frees it, and builds another when the
// next record comes, at most every five seconds.
//
// # Topics
//
// A topic that does not exist is retried as well, for it may be on its way; the
// error handler is told within two seconds. After 33 minutes without it the
// client refuses records for it at once, until it is there. To have the client
// create topics, set allow.auto.create.topics=true and let the brokers have
// auto.create.topics.enable.
//
// # What the client cannot do
//
//   - It copies each value, key and header into memory of its own, which no Go
//     profile shows. The overhead that Start declares counts it.
//   - It allocates about six times for a record.
//   - It cannot end its lingering without waiting for acknowledgements, so Flush
//     does nothing; hence the bound of linger.ms.
//   - Calls into the C library may hang, which no context ends. They are made on
//     a goroutine of this package's: Produce and Close return in time all the
//     same, and one record is reported when its call returns.
//   - Its threads end up to half a second after a Close that had no time left,
//     and never if the library hangs. Close says so if ctx left the time to tell.
//   - OAUTHBEARER tokens it has to fetch by itself (sasl.oauthbearer.method=oidc).
package confluent
