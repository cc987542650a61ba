// Package fromlogback is about programs that come from Java.
package fromlogback

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// After makes the logger, and what ends it.
func After() (*zapkafka.Logger, func() error, error) {
	producer, err := franz.New(
		[]string{"kafka-1:9092", "kafka-2:9092"},           // bootstrap.servers
		kgo.ClientID("orders"),                             // client.id
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), // compression.type
	)
	if err != nil {
		return nil, nil, err
	}
	fallback, err := zapkafka.OpenFallback("/var/lib/orders/kafka-fallback", nil) // <appender-ref>
	if err != nil {
		return nil, nil, err
	}
	syncer, err := zapkafka.NewKafkaSyncer(producer, "logs", fallback, &zapkafka.Options{ // <topic>
		BufferBytes:     32 << 20,         // buffer.memory, queueSize
		DeliveryTimeout: 30 * time.Second, // delivery.timeout.ms
	})
	if err != nil {
		return nil, nil, errors.Join(err, fallback.Close())
	}
	end := func() error { return errors.Join(syncer.Close(), fallback.Close()) } // stop() of the context

	core := zapkafka.NewCore(zapcore.NewJSONEncoder(zapkafka.NewLogstashEncoderConfig()), syncer, zap.DebugLevel,
		&zapkafka.CoreOptions{Key: zapkafka.ByHost()}) // HostNameKeyingStrategy
	logger := zapkafka.NewWithCore(core, zap.InfoLevel)
	return logger, end, nil
}
