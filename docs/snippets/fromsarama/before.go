// Package fromsarama is about programs with a WriteSyncer of their own around a
// sarama producer.
package fromsarama

import (
	"io"
	"os"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logger is zap with a level that can be changed.
type Logger struct {
	*zap.Logger
	level zap.AtomicLevel
}

// New returns a Logger; level is one of zap's, -1 for Debug to 5 for Fatal.
func New(writer io.Writer, level int8) *Logger {
	atomic := zap.NewAtomicLevelAt(zapcore.Level(level))
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return &Logger{zap.New(zapcore.NewCore(encoder, zapcore.AddSync(writer), atomic)), atomic}
}

// SetLevel changes the level.
func (l *Logger) SetLevel(level int8) { l.level.SetLevel(zapcore.Level(level)) }

type kafkaSyncer struct {
	producer sarama.AsyncProducer
	topic    string
	fallback zapcore.WriteSyncer
}

// NewKafkaSyncer writes to Kafka, and what Kafka does not take to fallback.
func NewKafkaSyncer(producer sarama.AsyncProducer, topic string, fallback zapcore.WriteSyncer) zapcore.WriteSyncer {
	s := &kafkaSyncer{producer, topic, zapcore.Lock(fallback)}
	go func() {
		for failed := range producer.Errors() {
			if value, err := failed.Msg.Value.Encode(); err == nil {
				_, _ = s.fallback.Write(value)
			}
		}
	}()
	return s
}

func (s *kafkaSyncer) Write(p []byte) (int, error) {
	value := append([]byte(nil), p...) // zap uses p again
	select {
	case s.producer.Input() <- &sarama.ProducerMessage{Topic: s.topic, Value: sarama.ByteEncoder(value)}:
		return len(p), nil
	default:
		return s.fallback.Write(value)
	}
}

func (s *kafkaSyncer) Sync() error {
	s.producer.AsyncClose()
	return s.fallback.Sync()
}

// Before makes the logger of the common sample.
func Before(brokers []string) (*Logger, error) {
	config := sarama.NewConfig()
	producer, err := sarama.NewAsyncProducer(brokers, config)
	if err != nil {
		return nil, err // Kafka is down: the program does not start
	}
	file, err := os.OpenFile("/var/log/app/fallback.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return New(NewKafkaSyncer(producer, "app-logs", file), 0), nil
}
