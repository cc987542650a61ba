package rivals

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

var kafkaGo = []Rival{
	{
		Name: "kafkago-async", Kafka: true,
		Source: "kafka-go's README: a Writer with LeastBytes, and Async; RequiredAcks all in place of its default of none; Completion counts",
		Open: func(s Setup) (Sink, error) {
			return openKafkaGo(s, &kafka.Writer{Balancer: &kafka.LeastBytes{}, Async: true}, nil), nil
		},
	},
	{
		Name: "kafkago-sync", Kafka: true,
		Source: "the same without Async: a call waits for BatchTimeout (default 1 s) unless a batch of 100 fills up, and for the answer",
		Open: func(s Setup) (Sink, error) {
			return openKafkaGo(s, &kafka.Writer{Balancer: &kafka.LeastBytes{}}, nil), nil
		},
	},
	{
		Name: "kafkago-sync-1ms", Kafka: true,
		Source: "the same with a BatchTimeout of 1 ms",
		Open: func(s Setup) (Sink, error) {
			return openKafkaGo(s, &kafka.Writer{Balancer: &kafka.LeastBytes{}, BatchTimeout: time.Millisecond}, nil), nil
		},
	},
	{
		Name: "slog-kafka-way", Kafka: true,
		Source: "what samber/slog-kafka's handler does (v2, handler.go), under zap's encoder: key the time of the call, a context of 60 s, " +
			"a Writer as in its README: Async, Hash, 3 attempts",
		Open: func(s Setup) (Sink, error) {
			return openKafkaGo(s, &kafka.Writer{Balancer: &kafka.Hash{}, Async: true, MaxAttempts: 3}, timeKey), nil
		},
	},
}

// timeKey is a key as slog-kafka makes it.
func timeKey() []byte {
	key, err := time.Now().MarshalBinary()
	if err != nil { // of a time zone that is none
		return nil
	}
	return key
}

// kafkaWriter is kafka-go's Writer.
type kafkaWriter struct {
	writer                 *kafka.Writer
	key                    func() []byte
	given                  atomic.Uint64 // to the client, the refused included
	acked, failed, refused atomic.Uint64
}

// kafkaAsync is the one that holds nobody up, whose queue has no limit.
type kafkaAsync struct{ *kafkaWriter }

// Pending reads what has an outcome first: no entry has one before it is counted as
// given, so there is never less pending than none. Without waiting for the outcome an
// entry that the call refuses is not reported again.
func (k kafkaAsync) Pending() uint64 {
	settled := k.acked.Load() + k.failed.Load() + k.refused.Load()
	return k.given.Load() - settled
}

func openKafkaGo(s Setup, w *kafka.Writer, key func() []byte) Sink {
	k := &kafkaWriter{key: key, writer: w}
	w.Addr, w.Topic, w.RequiredAcks = kafka.TCP(s.Brokers...), s.Topic, kafka.RequireAll
	w.Transport = &kafka.Transport{}
	w.Completion = func(messages []kafka.Message, err error) {
		if err != nil {
			k.failed.Add(uint64(len(messages)))
			return
		}
		k.acked.Add(uint64(len(messages)))
	}
	if w.Async {
		return kafkaAsync{k}
	}
	return k
}

func (k *kafkaWriter) Write(p []byte) (int, error) {
	ctx, m := context.Background(), kafka.Message{Value: value(p)}
	if k.key != nil {
		m.Key = k.key()
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		_ = cancel // which slog-kafka does not call either: an asynchronous write goes on
	}
	k.given.Add(1)
	if err := k.writer.WriteMessages(ctx, m); err != nil {
		k.refused.Add(1)
		return 0, err
	}
	return len(p), nil
}

func (k *kafkaWriter) Sync() error { return nil }

// Drain is Close: a Writer cannot be flushed otherwise.
func (k *kafkaWriter) Drain(ctx context.Context) error { return await(ctx, k.writer.Close) }
func (k *kafkaWriter) Close(ctx context.Context) error { return closeWriter(ctx, k.writer) }

// closeWriter ends a writer with a transport of its own: by default all of a
// program share one, whose connections stay.
func closeWriter(ctx context.Context, w *kafka.Writer) error {
	err := await(ctx, w.Close)
	if t, ok := w.Transport.(*kafka.Transport); ok {
		t.CloseIdleConnections()
	}
	return err
}

func (k *kafkaWriter) Count() Count {
	return Count{Acked: k.acked.Load(), Failed: k.failed.Load(), Refused: k.refused.Load()}
}
