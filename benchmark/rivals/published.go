package rivals

import (
	"context"

	"github.com/IBM/sarama"
	shopify "github.com/Shopify/sarama"
	"github.com/segmentio/kafka-go"
)

// published are the clients with the settings of the field's best-known comparison
// (Tony Bai, "Go社区主流Kafka客户端简要对比", 2022; its code is
// github.com/bigwhite/experiments, kafka-clients/benchmark): no acknowledgement for
// kafka-go, the leader's for sarama, all for confluent, errors unread. It times the
// calls alone: what becomes of the entries is not in its figures.
//
// In one thing they differ from it. There one ProducerMessage serves all calls of
// sarama's, which saves an allocation a call. sarama v1.61.1 clears a message when
// it is done with it, and that program crashes (a nil pointer in
// produceSet.wouldOverflow) as soon as two calls have the message under way. Here
// each call has its own.
var published = []Rival{
	{
		Name: "published-sarama", Kafka: true, Source: "that comparison: IBM/sarama, defaults (the leader acknowledges), a message for each call, which there is one for all",
		Open: openPublishedIBM,
	},
	{
		Name: "published-shopify", Kafka: true, Source: "that comparison: Shopify/sarama, as it was then",
		Open: openPublishedShopify,
	},
	{
		Name: "published-kafkago", Kafka: true, Source: "that comparison: a Writer with LeastBytes and Async, which acknowledges nothing",
		Open: func(s Setup) (Sink, error) {
			w := &kafka.Writer{Addr: kafka.TCP(s.Brokers...), Topic: s.Topic, Balancer: &kafka.LeastBytes{}, Async: true, Transport: &kafka.Transport{}}
			return &publishedKafkaGo{writer: w}, nil
		},
	},
}

// unread is what all of them have in common.
type unread struct{}

func (unread) Sync() error  { return nil }
func (unread) Count() Count { return Count{} }

type publishedIBM struct {
	unread
	producer sarama.AsyncProducer
	topic    string
}

func openPublishedIBM(s Setup) (Sink, error) {
	p, err := sarama.NewAsyncProducer(s.Brokers, sarama.NewConfig())
	if err != nil {
		return nil, err
	}
	return &publishedIBM{producer: p, topic: s.Topic}, nil
}

// publishedPayload has as many bytes as that of the comparison.
var publishedPayload = []byte("fifty-one bytes of a message that is always the sam")

func (p *publishedIBM) Write(b []byte) (int, error) {
	p.producer.Input() <- &sarama.ProducerMessage{Topic: p.topic, Value: sarama.ByteEncoder(publishedPayload)}
	return len(b), nil
}

func (p *publishedIBM) Drain(ctx context.Context) error { return await(ctx, p.producer.Close) }
func (p *publishedIBM) Close(context.Context) error     { return nil }

type publishedShopify struct {
	unread
	producer shopify.AsyncProducer
	topic    string
}

func openPublishedShopify(s Setup) (Sink, error) {
	p, err := shopify.NewAsyncProducer(s.Brokers, shopify.NewConfig())
	if err != nil {
		return nil, err
	}
	return &publishedShopify{producer: p, topic: s.Topic}, nil
}

func (p *publishedShopify) Write(b []byte) (int, error) {
	p.producer.Input() <- &shopify.ProducerMessage{Topic: p.topic, Value: shopify.ByteEncoder(publishedPayload)}
	return len(b), nil
}

func (p *publishedShopify) Drain(ctx context.Context) error { return await(ctx, p.producer.Close) }
func (p *publishedShopify) Close(context.Context) error     { return nil }

type publishedKafkaGo struct {
	unread
	writer *kafka.Writer
}

func (p *publishedKafkaGo) Write(b []byte) (int, error) {
	return len(b), p.writer.WriteMessages(context.Background(), kafka.Message{Value: publishedPayload})
}

func (p *publishedKafkaGo) Drain(ctx context.Context) error { return await(ctx, p.writer.Close) }
func (p *publishedKafkaGo) Close(ctx context.Context) error { return closeWriter(ctx, p.writer) }
