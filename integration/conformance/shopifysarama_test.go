//go:build !race

package conformance

import (
	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/shopifysarama"
)

// Without -race: this client has data races of its own when it reconnects.
var _ = add(adaptor{
	name:           "shopifysarama",
	newProducer:    func(brokers []string) (zapkafka.Producer, error) { return shopifysarama.New(brokers, nil) },
	goroutinesLeft: 1, // the ticker of sarama's metrics, one for the process
})
