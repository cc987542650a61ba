// Package ibmsarama hands log entries to Kafka through sarama
// (github.com/IBM/sarama). It is for programs that use sarama already: the
// package franz, next to it, costs less, and stores nothing twice when
// acknowledgements are lost.
//
//	producer, err := ibmsarama.New([]string{"kafka-1:9092", "kafka-2:9092"}, nil)
//
// The result goes into zapkafka.NewKafkaSyncer, which starts and closes it.
// Kafka need not be up for any of this: the client is made in the background when
// the first entry comes, and asks for its topic until somebody answers.
//
// [RegisterSink] makes Kafka an output of a zap.Config, by a URL such as
// kafka://kafka-1:9092/app-logs?fallback=/var/lib/app/kafka-fallback.
//
// # The configuration
//
// All that can be said to the client is said in its own [sarama.Config], with its
// own documentation: TLS in Net.TLS, a user and a password in Net.SASL, a proxy in
// Net.Proxy, tracing in Producer.Interceptors, metrics in MetricRegistry. Start
// from [NewConfig], whose documentation lists this package's settings, and add to
// it; the examples show how. A configuration that begins with sarama.NewConfig()
// is refused in several points, each of which the error names.
//
// Two settings are not the user's: Producer.Retry.Backoff and
// Producer.Retry.BackoffFunc are switched off in the client's copy, since there
// are no retries of its own to pause between.
//
// For SCRAM sarama wants a client to be brought along. With
// github.com/xdg-go/scram it is
//
//	type scramClient struct{ *scram.ClientConversation }
//
//	func (c *scramClient) Begin(user, password, authzID string) error {
//		client, err := scram.SHA512.NewClient(user, password, authzID)
//		if err == nil {
//			c.ClientConversation = client.NewConversation()
//		}
//		return err
//	}
//
//	config.Net.SASL.Enable = true
//	config.Net.SASL.User = "app"
//	config.Net.SASL.Password = os.Getenv("KAFKA_PASSWORD")
//	config.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA512
//	config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return new(scramClient) }
//
// # Refused settings
//
// With some settings a Producer could not keep its contract. New refuses by name:
//
//   - Producer.Return.Successes or Return.Errors off, and RequiredAcks NoResponse:
//     the outcome of entries would not be known.
//   - Producer.Retry.Max above 0: see below.
//   - Producer.Idempotent: sarama's idempotence needs its own retries
//     (sarama/config.go, Config.Validate).
//   - Producer.Transaction.ID.
//   - Producer.Flush.Messages or Flush.Bytes without Flush.Frequency: the last
//     entries would never be sent.
//   - A Version before that which Kafka 4 brokers speak.
//   - Metadata.Retry with pauses of more than a second together.
//   - Net.TLS.Config without Net.TLS.Enable, and a user, password, mechanism or
//     token in Net.SASL without Net.SASL.Enable: the client would connect without.
//   - Net.Proxy.Enable without a Dialer, and what Config.Validate refuses.
//
// Start refuses a Producer.MaxMessageBytes below the largest entry, and a
// Producer.Flush.Frequency beyond a quarter of the delivery timeout.
//
// # Deadlines and retries
//
// Retries are this package's, above the client: what sarama reports as failed is
// sent again after 100 ms to 1 s, with the topic's leaders looked up anew, until
// the delivery timeout of the syncer has passed since Produce. sarama's own
// retries know no deadline; with a mute broker they take minutes.
//
// A record that waits here is reported at its deadline. One that the client still
// has a second later is fetched back: all connections of the client are closed,
// which makes it report whatever it holds, and a new client takes its place. For
// this the client dials through this package; a dialer of the user's in
// Net.Proxy.Dialer is used for the connections themselves.
//
// # Stored twice, and out of order
//
// Delivery is at least once. When an answer is lost, be it that a connection
// broke or that a broker stored a batch and said REQUEST_TIMED_OUT, the batch is
// sent again under no number that would tell it from a new one.
//
// The order of a key is kept while nothing fails. A batch that failed is sent
// again behind those of its partition that went through meanwhile.
//
// # What fails together
//
// A broker refuses a batch as a whole, so that one record which is too large for
// its topic takes those in its batch with it (same partition, up to
// Producer.MaxMessageBytes). Later batches are not touched.
//
// A broker that does not answer holds up the others: the client has one input for
// all of them, which is full when the records for that broker are
// (sarama/async_producer.go, dispatcher). This ends with Net.ReadTimeout, or twice
// that when the client then asks the same broker for the topic's leaders. After
// that entries without a key keep away from all partitions of this broker for 15
// s, and for up to a minute when it goes on to be silent. No connection to it is
// made for 5 s, or a quarter of the delivery timeout if that is less, while
// another broker is known: entries with a key for its partitions are tried again
// after that.
//
// # Topics
//
// A topic that does not exist is asked for until the deadline, for it may be on
// its way; the error handler is told at once. To have the client create topics,
// set Metadata.AllowAutoTopicCreation and let the brokers have
// auto.create.topics.enable. (sarama's own default is to create them.)
//
// # What it leaves running
//
// Close waits for every goroutine of this package. sarama leaves some: one of its
// metrics (github.com/rcrowley/go-metrics) for the whole process, and for ten
// seconds one for each circuit breaker that has opened, of which there is one a
// topic and one a partition.
//
// # sarama's logger
//
// sarama.Logger and sarama.DebugLogger are global to the package; nothing here
// sets them. Do not point them at a logger whose entries go to Kafka through this
// package: sarama writes some lines for every failure, and each would be an entry
// that fails.
package ibmsarama
