package fromkafkago

import (
	"errors"
	"log"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/kafkago"
)

// After makes the logger, and what ends it.
func After(brokers []string) (*zapkafka.Logger, func() error, error) {
	producer, err := kafkago.New(brokers, &kafkago.Config{
		RequiredAcks: kafka.RequireOne, // the default is all of them
		Compression:  kafka.Lz4,
	})
	if err != nil {
		return nil, nil, err
	}
	fallback, err := zapkafka.OpenFallback("/var/lib/app/kafka-fallback", nil)
	if err != nil {
		return nil, nil, err
	}
	syncer, err := zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, &zapkafka.Options{
		Linger:       10 * time.Millisecond,
		ErrorHandler: func(err error) { log.Print(err) }, // no line is lost by what is reported here, unless it says so
	})
	if err != nil {
		return nil, nil, errors.Join(err, fallback.Close())
	}
	end := func() error { return errors.Join(syncer.Close(), fallback.Close()) }
	return zapkafka.New(syncer, zap.InfoLevel), end, nil
}
