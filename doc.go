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
// The four are what there is. The producer is an adaptor of a Kafka client: a
// module of its own, of which producer/franz is the one to take when nothing speaks
// for another. The [Fallback] is a directory. The [KafkaSyncer] stands between: a
// queue in memory, and the decisions about what becomes of an entry. The [Logger]
// is zap's. Kafka may be down at any of these lines.
//
// What follows goes from the log call to the end of the program. Nearly everything
// that is named has an example that runs; [Options] has several.
//
// # Logging
//
// [New] makes a [Logger], which is a *zap.Logger and can be passed on as that
// (logger.Logger). It writes JSON with zap's production keys and the time as RFC
// 3339 under "logtime"; [NewWithCore] is for another encoder, or several
// destinations, and [Tee] for several writers behind one core. All options of zap
// can be given.
//
// A program that has its zap set up puts a core of [NewCore] beside the one that it
// has, with zap.WrapCore as an option of zap.Config.Build. Where the set-up is a file,
// a URL does: each adaptor's RegisterSink makes kafka:// an output of zap.Config; see
// [RegisterSink]. A KafkaSyncer is a
// zapcore.WriteSyncer too, for code that wants one; what it does not know then is
// whatever is not in the encoded line: the time of the call, and the fields of the
// next section.
//
// # Keys, topics, headers
//
// A record has the time of its log call. Fields give it more, one entry or, by With,
// all of a logger: [Key] keeps what belongs together in one partition and in order,
// [Topic] sends it to another topic than the syncer's, [RecordHeader] adds a header.
// They are not part of the encoded entry, and survive in the fallback. [CoreOptions]
// says once for all entries of a core what their keys, topics and headers are.
//
// # When Kafka is slow, or away
//
// Entries wait in memory, up to [Options.BufferBytes]; when that gets scarce the
// oldest go to the fallback. So does an entry that Kafka has not acknowledged within
// [Options.DeliveryTimeout], and, once nothing at all was acknowledged for
// [Options.OutageAfter], each new one at once. [KafkaSyncer.State] says so, and
// [Options.OnStateChange] is told.
//
// [OpenFallback] opens a directory of plain text files, one entry a line, for grep
// and shippers to read. [FallbackOptions] bound it (1 GiB by default), say which
// entries give way at the bound, and with FsyncAfter when what is written is to
// survive a crash of the machine. Any other zapcore.WriteSyncer serves as a fallback
// as well, but what it gets stays there.
//
// With a core the levels are known: [Options.FallbackLevel] keeps entries of low levels
// off a tight disk, and when even the disk does not keep up Debug is shed first, then
// Info, and Warn and above never before the rest. [Stats.Levels] counts them.
//
// What is in a Fallback goes to Kafka by itself when Kafka is back, and so does what
// earlier processes left there. Records that come late say so in their headers;
// [ReplayOptions] limit their rate, and choose their time stamp.
//
// Delivery is at least once. With [Options.IDHeader] each record has a header "id", by
// which a consumer removes doubles: its example has one.
//
// [Options] has all knobs, each with its default. What goes wrong on the way is told
// to [Options.ErrorHandler], and entries that neither Kafka nor the fallback could take
// are shown to [Options.LastResort]: both are standard error by default.
//
// # Levels
//
// [Logger.SetLevel] changes the level while the program runs. [Levels] has levels by
// the logger's name, for any *zap.Logger, and for a time; [Levels.SetFromEnv] reads
// them from the environment. The package levelhttp is their HTTP handler, the module
// levelfile follows a file.
//
// # The end
//
// [KafkaSyncer.Sync], and so logger.Sync, brings everything logged so far to Kafka or
// to disk, within a second; zap calls it for every entry above Error.
// [KafkaSyncer.Shutdown] ends the syncer with a deadline, and [KafkaSyncer.Close] is
// that with a default. A program that ends without any of them (an uncaught signal,
// os.Exit) loses what is in memory. After Shutdown close the Fallback; what is logged
// later still goes there, as long as it is open.
//
// # Watching it
//
// [KafkaSyncer.Stats] is the balance sheet: every entry that was accepted has one
// outcome. [Fallback.Stats] is that of the directory: what came, what was replayed,
// what is there. The packages expvar and healthhttp show both to what watches from
// outside, and so does the module prometheus.
//
// # In tests
//
// A Logger writes to anything, a bytes.Buffer for one. The package producertest has
// more: a logger whose entries can be looked at as the records that Kafka would have,
// and a Kafka that is down on request.
//
// # For a Kafka client of one's own
//
// [Producer] is what a client has to do, and its comment is the contract.
// [Partitioner], [Record], [Header], [Limits], [Overhead] and [NewRecord] belong to
// it; programs that log need none of them. The suite of producertest holds an adaptor
// to the contract.
package zapkafka
