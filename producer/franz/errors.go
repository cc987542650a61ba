package franz

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
)

var (
	errClosed     = fmt.Errorf("franz: the producer is closed: %w", kgo.ErrClientClosed)
	errNotStarted = errors.New("franz: Produce before Start")
)

// rejections are Kafka's answers with which a record comes to nothing however
// often it is sent, and what is reported for each.
var rejections = func() map[*kerr.Error]error {
	m := make(map[*kerr.Error]error)
	for _, err := range []*kerr.Error{
		kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.InvalidTopicException,
	} {
		m[err] = fmt.Errorf("franz: %w: %w", zapkafka.ErrRejected, err)
	}
	for _, err := range []*kerr.Error{kerr.MessageTooLarge, kerr.RecordListTooLarge} {
		m[err] = fmt.Errorf("franz: %w: %w", zapkafka.ErrTooLarge, err)
	}
	return m
}()

// failure turns the client's error for a record into the one that is reported.
// It is called once for each failed record, so it makes no new error for the
// causes that come by the thousand.
func (p *Producer) failure(topic string, err error) error {
	switch {
	case errors.Is(err, kgo.ErrClientClosed):
		return errClosed
	case errors.Is(err, context.Canceled):
		// Only blocks and the user's own kgo.WithContext cancel.
		if p.life.Err() != nil {
			return errClosed
		}
		return p.timedOut
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		p.reports.unknownTopic(topic, err)
	case errors.Is(err, kerr.UnknownTopicID):
		p.recreated(topic)
	default:
		var answer *kerr.Error
		if errors.As(err, &answer) && rejections[answer] != nil {
			return rejections[answer]
		}
	}
	return err
}

// recreated makes the client forget a topic that was deleted and made anew. The
// client does not do so by itself: it fails every record for the topic until it
// is purged (kgo/metadata.go, mergeTopicPartitions). Records of the short while
// until then fail.
func (p *Producer) recreated(topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing || p.purging[topic] {
		return
	}
	p.purging[topic] = true
	// Not on this goroutine, which runs promises: purging waits for the
	// client's metadata loop, and what it fails is reported by promises. The
	// client's end ends the wait.
	p.helpers.Go(func() {
		p.client.PurgeTopicsFromProducing(topic)
		p.mu.Lock()
		delete(p.purging, topic)
		p.mu.Unlock()
	})
}
