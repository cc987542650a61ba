//go:build cgo

package conformance

import (
	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/confluent"
)

var _ = add(adaptor{
	name:        "confluent",
	newProducer: func(brokers []string) (zapkafka.Producer, error) { return confluent.New(brokers, nil) },
})

func add(a adaptor) bool {
	adaptors = append(adaptors, a)
	return true
}
