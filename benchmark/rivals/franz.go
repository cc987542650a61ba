package rivals

import (
	"context"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

var franzGo = []Rival{{
	Name: "franz-raw", Kafka: true,
	Source: "franz-go's README: Produce with a promise, defaults but for 200,000 records that may be buffered; a full client holds its caller up",
	Open:   openFranz,
}}

// franzRecords is how much franz-go may buffer; with its default of 50,000 a call
// waits sooner.
const franzRecords = 200_000

// franz is franz-go by itself.
type franz struct {
	client        *kgo.Client
	acked, failed atomic.Uint64
}

func openFranz(s Setup) (Sink, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.DefaultProduceTopic(s.Topic), kgo.MaxBufferedRecords(franzRecords))
	if err != nil {
		return nil, err
	}
	return &franz{client: client}, nil
}

func (f *franz) Write(p []byte) (int, error) {
	f.client.Produce(context.Background(), &kgo.Record{Value: value(p)}, f.promise)
	return len(p), nil
}

func (f *franz) promise(_ *kgo.Record, err error) {
	if err != nil {
		f.failed.Add(1)
		return
	}
	f.acked.Add(1)
}

func (f *franz) Sync() error                     { return nil }
func (f *franz) Drain(ctx context.Context) error { return f.client.Flush(ctx) }
func (f *franz) Count() Count                    { return Count{Acked: f.acked.Load(), Failed: f.failed.Load()} }

func (f *franz) Close(ctx context.Context) error {
	return await(ctx, func() error { f.client.Close(); return nil })
}
