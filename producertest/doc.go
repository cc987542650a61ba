// Package producertest is for those who write a [zapkafka.Producer], and for
// those who test a program that logs through one.
//
// # A suite for adaptors
//
// [Run] holds an adaptor against the contract at [zapkafka.Producer]. There is a
// case for each of its sentences, and a case that fails quotes the sentence. The
// suite knows no Kafka client: a [Harness] gives it new producers, and a
// [Broker] that can be disturbed and read back.
//
//	func TestContract(t *testing.T) {
//		producertest.Run(t, producertest.Harness{
//			NewBroker:   func(t testing.TB) producertest.Broker { return newBroker(t) },
//			NewProducer: func(t testing.TB, b producertest.Broker) zapkafka.Producer { … },
//		})
//	}
//
// Run it with -race: that a client reads memory which is no longer its own is
// found for certain only by the race detector. One case alone is
// go test -race -run 'TestContract/^CloseWhenMute$'.
//
// A case takes up to 15 seconds with an adaptor that keeps the contract; most
// of them wait, and run side by side.
//
// # A sink for a program's own tests
//
// [NewLogger] returns a logger for the program under test, and beside it an
// [Observer], which shows what would be in Kafka, with topic, key, headers and
// time, and what in the fallback:
//
//	func TestOrderIsLogged(t *testing.T) {
//		logger, logs := producertest.NewLogger(t, zap.InfoLevel)
//		placeOrder(logger.Logger, 3)
//		e := logs.WaitFor(1)[0]
//		if e.Fields["msg"] != "order placed" || e.Fields["items"] != 3.0 {
//			t.Errorf("got %v", e)
//		}
//	}
//
// What the program does when Kafka fails is a call away: [Observer.KafkaDown],
// [Observer.KafkaMute], [Observer.KafkaRefuses] and [Observer.KafkaUp]. All behind
// them but the client is real: queue, outcomes, fallback and replay.
//
// A program that makes its syncer itself, from a producer that a test can choose,
// is given that of [NewProducer]. It can be told to fail, hold, delay or swallow
// what it gets, and shows what it has acknowledged.
package producertest
