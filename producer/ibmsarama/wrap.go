package ibmsarama

import (
	"errors"

	"github.com/IBM/sarama"
)

// Wrap returns a Producer that hands records to a sarama producer which the
// caller has made, with the config that it was made with. It is for programs that
// build their producers in one place, for tracing libraries that wrap a producer,
// and for tests with sarama's package mocks. Otherwise prefer [New], which keeps
// more of the contract.
//
// From Start on the producer is the Producer's alone: both its channels are read,
// and messages that others send through it are swallowed when they come back. The
// caller stays its owner and closes it, best after the syncer was shut down, as
// with sarama.NewAsyncProducerFromClient and its client. If it is closed before,
// what it has not delivered, and all that comes after, is reported as failed. Do
// not close it while entries are being logged: whoever sends to it then, sarama
// itself can panic in a goroutine of its own, out of reach of everybody
// (v1.61.1, async_producer.go: dispatcher sends on a channel that shutdown
// closes). It panics as well when it is closed twice.
//
// Wrap refuses a config with Producer.Return.Successes or Return.Errors off,
// with RequiredAcks NoResponse, with Flush.Messages or Flush.Bytes and no
// Flush.Frequency, and with a Transaction.ID. It does not change the producer's
// settings and cannot see whether the config is really its own. This is what
// is not kept:
//
//   - The client's own retries (Producer.Retry) are all that there are. They end
//     before the deadline, so that entries go to the fallback in an outage that a
//     Producer of New would wait for; or long after it.
//   - Connections cannot be cut. With a broker that does not answer, records are
//     reported when the client's time-outs and retries are through, which can be
//     minutes after their deadline; until then their memory stays in use, and
//     Close returns with an error. The handler is told of it.
//   - If Producer.Return.Successes is not what config says, nothing is ever
//     acknowledged.
//   - sarama.NewAsyncProducer itself fails when no broker answers, unless
//     Metadata.Full is false.
func Wrap(producer sarama.AsyncProducer, config *sarama.Config) (*Producer, error) {
	var r refusals
	r.add(producer == nil, "the sarama producer is nil")
	if config == nil {
		r.add(true, "the config is nil: give the one that the producer was made with; with a nil config sarama does not return successes, so that every delivered entry would go to the fallback as well")
		return nil, r.err()
	}
	c := *config
	checkReports(&c, &r)
	if err := r.err(); err != nil {
		return nil, err
	}
	if producer.IsTransactional() {
		return nil, errors.New("ibmsarama: the sarama producer is transactional: a log entry is no part of a transaction")
	}
	p := newProducer(&c)
	p.wrapped = producer
	return p, nil
}
