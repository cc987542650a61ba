// Code generated from sarama_ibm.go by go generate; DO NOT EDIT.

package rivals

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/Shopify/sarama"
	"go.uber.org/zap/zapcore"
)

// shopifySarama is sarama's AsyncProducer in the way of the common samples: a message
// for each entry into Input, errors read on a goroutine.
type shopifySarama struct {
	producer sarama.AsyncProducer
	topic    string
	fallback zapcore.WriteSyncer // nil: Write waits for Input
	file     *os.File

	filed, failed atomic.Uint64
	closing       sync.Once
	ended         chan struct{} // closed when no more errors come: all outcomes are there
}

func openShopify(s Setup, fallback bool) (Sink, error) {
	config := sarama.NewConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	producer, err := sarama.NewAsyncProducer(s.Brokers, config)
	if err != nil {
		return nil, err
	}
	i := &shopifySarama{producer: producer, topic: s.Topic, ended: make(chan struct{})}
	if fallback {
		if i.file, err = os.Create(filepath.Join(s.Dir, fallbackFile)); err != nil {
			return nil, errors.Join(err, producer.Close())
		}
		i.fallback = zapcore.Lock(s.disk(i.file))
	}
	go i.errors()
	return i, nil
}

func (i *shopifySarama) errors() {
	defer close(i.ended)
	for e := range i.producer.Errors() {
		i.failed.Add(1)
		if i.fallback == nil {
			continue
		}
		if text, err := e.Msg.Value.Encode(); err == nil {
			i.keep(text)
		}
	}
}

func (i *shopifySarama) keep(p []byte) {
	if _, err := i.fallback.Write(p); err == nil {
		i.filed.Add(1)
	}
}

func (i *shopifySarama) Write(p []byte) (int, error) {
	m := &sarama.ProducerMessage{Topic: i.topic, Value: sarama.ByteEncoder(value(p))}
	if i.fallback == nil {
		i.producer.Input() <- m
		return len(p), nil
	}
	select {
	case i.producer.Input() <- m:
	default:
		i.keep(p)
	}
	return len(p), nil
}

func (i *shopifySarama) Sync() error { return nil }

// Drain is AsyncClose: sarama cannot be flushed otherwise.
func (i *shopifySarama) Drain(ctx context.Context) error {
	i.closing.Do(i.producer.AsyncClose)
	select {
	case <-i.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (i *shopifySarama) Close(ctx context.Context) error {
	err := i.Drain(ctx)
	if i.file != nil {
		err = errors.Join(err, i.file.Close())
	}
	return err
}

func (i *shopifySarama) Count() Count { return Count{Filed: i.filed.Load(), Failed: i.failed.Load()} }
