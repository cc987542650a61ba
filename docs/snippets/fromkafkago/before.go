// Package fromkafkago is about programs with a WriteSyncer of their own around a
// kafka.Writer.
package fromkafkago

import (
	"context"
	"log"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

type kafkaWriter struct{ *kafka.Writer }

func (w kafkaWriter) Write(p []byte) (int, error) {
	value := append([]byte(nil), p...)
	if err := w.WriteMessages(context.Background(), kafka.Message{Value: value}); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w kafkaWriter) Sync() error { return nil }

// Before makes the logger, and what ends it.
func Before(brokers []string) (*zap.Logger, func() error) {
	w := kafkaWriter{&kafka.Writer{
		Addr:         kafka.TCP(brokers...),
		Topic:        "app-logs",
		Async:        true,
		BatchTimeout: 10 * time.Millisecond,
		RequiredAcks: kafka.RequireOne,
		Compression:  kafka.Lz4,
		Completion: func(messages []kafka.Message, err error) {
			if err != nil {
				log.Printf("%d lines lost: %v", len(messages), err)
			}
		},
	}}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, w, zap.InfoLevel)), w.Close
}
