package fromsarama

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
)

// After makes the logger, and what ends it.
func After(brokers []string) (*zapkafka.Logger, func() error, error) {
	producer, err := ibmsarama.New(brokers, nil) // Kafka may be down
	if err != nil {
		return nil, nil, err
	}
	fallback, err := zapkafka.OpenFallback("/var/lib/app/kafka-fallback", nil)
	if err != nil {
		return nil, nil, err
	}
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, nil)
	if err != nil {
		return nil, nil, errors.Join(err, fallback.Close())
	}
	end := func() error { // what Sync did before, once, at the end of the program
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Join(syncer.Shutdown(ctx), fallback.Close())
	}
	return zapkafka.New(syncer, zap.InfoLevel), end, nil
}

// Wrapped keeps a producer that the program has made.
func Wrapped(producer sarama.AsyncProducer, config *sarama.Config) (*ibmsarama.Producer, error) {
	return ibmsarama.Wrap(producer, config) // made with Producer.Return.Successes = true
}
