package producertest

import (
	"errors"
	"fmt"

	"github.com/zapkafka/zapkafka"
)

var (
	errKafkaDown    = errors.New("producertest: Kafka is down")
	errKafkaRefuses = fmt.Errorf("producertest: Kafka refuses the record: %w", zapkafka.ErrRejected)
)

// KafkaDown makes each entry that is logged fail at once, until KafkaUp, so that it
// is in the fallback within some milliseconds. (A real client tries until
// DeliveryTimeout. [Observer.KafkaMute] is how to have a test wait for that.) The
// state is FallbackOnly when it has been so for OutageAfter, and Degraded until
// then.
func (o *Observer) KafkaDown() {
	o.Producer.goDown(errKafkaDown)
}

// KafkaMute makes Kafka take records and say nothing, until KafkaUp, as brokers do
// that hang. The entries go to the fallback at their DeliveryTimeout; at a Sync,
// after three quarters of SyncTimeout; or at once, when the state has become
// FallbackOnly after OutageAfter. Those that Kafka had been given then are in both
// when KafkaUp has it acknowledge them.
func (o *Observer) KafkaMute() {
	o.Producer.Hold()
}

// KafkaRefuses makes Kafka refuse each record for what it is, until KafkaUp, as if
// it were too large for its topic. Entries go to the fallback, are tried once more
// from there, and end among the rejected ones: [Observer.WaitForRejected].
func (o *Observer) KafkaRefuses() {
	o.Producer.Fail(errKafkaRefuses)
	o.Producer.answerAll()
}

// KafkaUp ends whatever the other methods, or Fail, Hold, Delay and Drop of the
// Producer, have begun. What is in the fallback goes to Kafka by itself, at once as
// a rule. (After Fail, and KafkaRefuses, the replay may be in a pause; after a fault
// that lasted for many seconds that may be one of as many.)
func (o *Observer) KafkaUp() {
	o.Producer.Fail(nil)
	o.Producer.answerAll()
}
