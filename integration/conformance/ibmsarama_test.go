package conformance

import (
	"context"
	"sync"

	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
)

var _ = add(
	adaptor{
		name:           "ibmsarama",
		newProducer:    func(brokers []string) (zapkafka.Producer, error) { return ibmsarama.New(brokers, nil) },
		goroutinesLeft: 1, // the ticker of sarama's metrics, one for the process
	},
	adaptor{
		name:           "ibmsarama wrap",
		newProducer:    wrapped,
		goroutinesLeft: 1,
		unsupported:    map[string]string{},
	},
)

func add(more ...adaptor) bool {
	adaptors = append(adaptors, more...)
	return true
}

// ownedWrap closes the sarama producer after its Producer, as its owner.
type ownedWrap struct {
	*ibmsarama.Producer
	owned sarama.AsyncProducer
	once  sync.Once // a second AsyncClose of sarama's panics
}

func wrapped(brokers []string) (zapkafka.Producer, error) {
	c := ibmsarama.NewConfig()
	c.Producer.Retry.Max = 3
	owned, err := sarama.NewAsyncProducer(brokers, c)
	if err != nil {
		return nil, err
	}
	p, err := ibmsarama.Wrap(owned, c)
	return &ownedWrap{Producer: p, owned: owned}, err
}

func (w *ownedWrap) Close(ctx context.Context) error {
	err := w.Producer.Close(ctx)
	w.once.Do(w.owned.AsyncClose)
	return err
}
