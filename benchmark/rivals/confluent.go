//go:build cgo

package rivals

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

var confluent = []Rival{
	{
		Name: "published-confluent", Kafka: true,
		Source: "the settings of the field's best-known comparison: acks=all, an empty key, Produce behind a mutex, errors unread",
		Open: func(s Setup) (Sink, error) {
			sink, err := openConfluent(s, true, false)
			if err != nil {
				return nil, err
			}
			return publishedConfluent{sink}, nil
		},
	},
	{
		Name: "confluent", Kafka: true,
		Source: "confluent-kafka-go's README: Produce, delivery reports read on a goroutine; when its queue is full, again after 1 ms (its example waits a second)",
		Open:   func(s Setup) (Sink, error) { return opened(openConfluent(s, false, true)) },
	},
	{
		Name: "confluent-mutex", Kafka: true,
		Source: "the same with Produce behind a mutex, which its documentation says is not needed",
		Open:   func(s Setup) (Sink, error) { return opened(openConfluent(s, true, true)) },
	},
	{
		Name: "confluent-error", Kafka: true,
		Source: "the same without the mutex, giving an entry up when the queue is full",
		Open:   func(s Setup) (Sink, error) { return opened(openConfluent(s, false, false)) },
	},
}

// librdkafka is confluent-kafka-go.
type librdkafka struct {
	producer *kafka.Producer
	topic    string
	mu       *sync.Mutex // nil: none
	again    bool        // when the queue is full

	acked, failed, refused atomic.Uint64
	ended                  chan struct{} // closed with the events
}

func openConfluent(s Setup, mutex, again bool) (*librdkafka, error) {
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": strings.Join(s.Brokers, ","), "acks": "all", "log_level": 0})
	if err != nil {
		return nil, err
	}
	l := &librdkafka{producer: producer, topic: s.Topic, again: again, ended: make(chan struct{})}
	if mutex {
		l.mu = new(sync.Mutex)
	}
	go l.events()
	return l, nil
}

// opened makes nil of what was not opened.
func opened(l *librdkafka, err error) (Sink, error) {
	if err != nil {
		return nil, err
	}
	return l, nil
}

// publishedConfluent sends the same bytes again and again. In that comparison the
// mutex is in the parallel form only; alone it costs some nanoseconds.
type publishedConfluent struct{ *librdkafka }

func (p publishedConfluent) Write(b []byte) (int, error) {
	m := kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &p.topic, Partition: kafka.PartitionAny}, Key: []byte{}, Value: publishedPayload}
	if err := p.produce(&m); err != nil {
		p.refused.Add(1)
		return 0, err
	}
	return len(b), nil
}

func (l *librdkafka) events() {
	defer close(l.ended)
	for e := range l.producer.Events() {
		m, ok := e.(*kafka.Message)
		switch {
		case !ok: // a remark of the client's
		case m.TopicPartition.Error != nil:
			l.failed.Add(1)
		default:
			l.acked.Add(1)
		}
	}
}

// full is how long a call waits for room in the queue before it looks again.
const full = time.Millisecond

func (l *librdkafka) Write(p []byte) (int, error) {
	// Produce copies the value: no copy of ours.
	n := len(p)
	if n > 0 && p[n-1] == '\n' {
		p = p[:n-1]
	}
	for {
		err := l.produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &l.topic, Partition: kafka.PartitionAny}, Value: p})
		var kerr kafka.Error
		switch {
		case err == nil:
			return n, nil
		case l.again && errors.As(err, &kerr) && kerr.Code() == kafka.ErrQueueFull:
			<-time.After(full)
		default:
			l.refused.Add(1)
			return 0, err
		}
	}
}

func (l *librdkafka) produce(m *kafka.Message) error {
	if l.mu != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	return l.producer.Produce(m, nil)
}

func (l *librdkafka) Sync() error { return nil }

// flushFor is the time-out of a Flush, in milliseconds. It may take all of it when
// there is nothing left: a longer one would be in the time to the last
// acknowledgement.
const flushFor = 2

// Drain is Flush, again and again: it takes a time-out, not a context.
func (l *librdkafka) Drain(ctx context.Context) error {
	for l.producer.Flush(flushFor) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (l *librdkafka) Close(ctx context.Context) error {
	return await(ctx, func() error {
		l.producer.Close()
		<-l.ended
		return nil
	})
}

func (l *librdkafka) Count() Count {
	return Count{Acked: l.acked.Load(), Failed: l.failed.Load(), Refused: l.refused.Load()}
}
