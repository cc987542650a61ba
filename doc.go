// Package zapkafka sends the log of a program that uses go.uber.org/zap to
// Kafka. A log call never waits for Kafka; what Kafka does not take goes to a
// fallback on disk, and from there to Kafka when Kafka is back; every entry is
// accounted for.
//
//	producer, err := franz.New([]string{"localhost:9092"})
//	fallback, err := zapkafka.OpenFallback("kafka-fallback", nil)
//	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, nil)
//	logger := zapkafka.New(syncer, zap.InfoLevel)
//	defer logger.Sync()
//
// # In a program
//
// [New] makes a [Logger], which is a *zap.Logger whose level can be changed with
// SetLevel. Programs that have their zap set up put a core of [NewCore] beside
// theirs; [CoreOptions] say what key, topic and headers the records have. [Tee]
// writes to several at once.
//
// [KafkaSyncer.Sync] brings everything logged so far to Kafka or to disk, within
// a second; zap calls it for every entry above Error. [KafkaSyncer.Shutdown] ends
// the syncer with a deadline. A program that ends without either of them (an
// uncaught signal, os.Exit) loses what is in memory.
//
// [KafkaSyncer.Stats] is the balance sheet; [Options] has the knobs, all of which
// have defaults; errors on the way go to [Options.ErrorHandler].
// [KafkaSyncer.State] says how Kafka is doing. In an overload Debug is dropped first,
// then Info; the log itself says so afterwards.
//
// A [Fallback] is a directory of plain text files, one entry a line. A syncer
// that is given one sends what is in it to Kafka by itself; see [ReplayOptions].
// [Fallback.Stats] is its own balance sheet.
//
// # For a Kafka client of one's own
//
// [Producer] is what a client has to do, and its comment is the contract.
// [Record], [Header], [Limits], [Overhead] and [NewRecord] belong to it; programs
// that log need none of them. Adaptors are modules of their own, below
// producer/.
package zapkafka
