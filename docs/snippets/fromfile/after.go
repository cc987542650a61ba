package fromfile

import (
	"errors"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// After makes the logger, and what ends it.
func After(brokers []string) (*zapkafka.Logger, func() error, error) {
	producer, err := franz.New(brokers)
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
	end := func() error { return errors.Join(syncer.Close(), fallback.Close()) }
	return zapkafka.New(syncer, zap.InfoLevel), end, nil
}

// BesideTheFile has the file written as well.
func BesideTheFile(syncer *zapkafka.KafkaSyncer) (*zapkafka.Logger, func(), error) {
	file, closeFile, err := zap.Open("/var/log/app/app.log")
	if err != nil {
		return nil, nil, err
	}
	return zapkafka.New(zapkafka.Tee(syncer, file), zap.InfoLevel), closeFile, nil
}

// ForAShipper leaves what is in the fallback to a shipper.
func ForAShipper(producer zapkafka.Producer, fallback *zapkafka.Fallback) (*zapkafka.KafkaSyncer, error) {
	return zapkafka.NewKafkaSyncer(producer, "app-logs", fallback, &zapkafka.Options{
		Replay: zapkafka.ReplayOptions{Rate: -1},
	})
}
