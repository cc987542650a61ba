//go:build cgo

package conformance

import (
	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/confluent"
)

func init() {
	adaptors = append(adaptors, adaptor{
		name:        "confluent",
		newProducer: func(brokers []string) (zapkafka.Producer, error) { return confluent.New(brokers, nil) },
	})
}
