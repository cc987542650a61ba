// Package kafkago hands log entries to Kafka through the client kafka-go
// (github.com/segmentio/kafka-go). It is the adaptor for programs that use that
// client already; package franz is the one to choose when nothing speaks for
// another, because its client is idempotent.
//
//	producer, err := kafkago.New([]string{"kafka-1:9092", "kafka-2:9092"}, nil)
//
// The result goes into zapkafka.NewKafkaSyncer, which starts and closes it.
// Kafka need not be up for any of this: the client connects when the first
// entry comes, and tries until there is someone to connect to.
//
// [RegisterSink] makes Kafka an output of a zap.Config, by a URL such as
// kafka://kafka-1:9092/app-logs?fallback=/var/lib/app/kafka-fallback.
//
// # What of the client is used
//
// Connections, TLS, SASL and the protocol are kafka-go's, by kafka.Client.Produce
// and kafka.Transport; so are the types of the settings in [Config]. kafka.Writer
// is not used. Its queue has no bound, its Close takes no deadline, it waits for
// metadata in the caller, and it reads values after it has reported them. The
// queue of each partition, the batches and the retries are this package's.
//
// A Transport polls the metadata of every topic in the cluster about each three
// seconds, and learns of a new leader in no other way. The ones made here ask for
// the topics of the records alone, twice a minute, and about once a second while
// something fails.
//
// # Settings
//
// What [Config] leaves out is as follows:
//
//   - Acknowledgement by all in-sync replicas. None at all cannot be asked for:
//     then nothing could be called delivered.
//   - Compression with snappy. lz4 is as fast, but its writers hold 8 MiB each.
//   - Entries without a key go to one partition for 64 KiB, then to the next.
//     Partitions that have no leader, fail, or have not answered for a second get
//     none, and what waits for one that fails is led to others, as long as
//     there are such. Those with a key go where the Java client would put them.
//   - No linger: the syncer has collected before. A batch is what has come in
//     while the last one of its partition was under way.
//   - An attempt takes no longer than 6 s, or half the delivery timeout, of which
//     a broker has the half to answer. Retries come after 100 ms to 1 s.
//
// New and Start refuse by name what they cannot work with: no or wrong broker
// addresses, negative sizes, unknown codecs and levels of acknowledgement, and of
// a Transport MetadataTopics and Context.
//
// # Not idempotent
//
// kafka-go has no idempotent producer (v0.4.51, protocol/record_v2.go: the
// producer ID is always -1). When an acknowledgement is lost, or a broker says
// that it was late, the batch is sent again and can be stored twice, once for
// each attempt. One batch of a partition is under way at a time, so the order
// of a key holds across retries; a broker that stores a batch after it was given
// up on can still put an old copy behind newer records.
//
// # Deadlines, and what fails together
//
// A record that cannot be delivered is retried until the delivery timeout of
// the syncer has passed since Produce, and is reported up to 9 s after that,
// when the attempt under way has ended. It takes none with it. When a broker
// refuses a batch because of some records in it, too large or with a bad time
// stamp, it is sent in halves until these are alone, and they fail alone. A
// record that was given up may have been stored nevertheless, if the broker froze
// after it had read it.
//
// Records are copied when they are sent. kafka-go may go on reading what it was
// given after it has returned with an error (transport.go, async.await), so the
// copy is used again only if a broker has answered.
//
// # Topics
//
// A topic that does not exist is retried as well, for it may be on its way; the
// error handler is told at once. To have it created, set
// Config.AllowAutoTopicCreation and let the brokers have
// auto.create.topics.enable.
//
// # After Close
//
// Close cuts every connection, with which the client's goroutines end: none is
// left a moment later. Those of a Dial, Resolver or SASL mechanism that ignores
// its context last as long as it does.
package kafkago
