//go:build cgo

package adaptors

import (
	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/confluent"
)

func init() {
	withCgo = append(withCgo, Adaptor{
		Name:       "confluent",
		New:        func(brokers []string) (zapkafka.Producer, error) { return confluent.New(brokers, nil) },
		Idempotent: true,
	})
}
