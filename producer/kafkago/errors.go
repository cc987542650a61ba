package kafkago

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/segmentio/kafka-go"

	"github.com/zapkafka/zapkafka"
)

var (
	errClosed     = fmt.Errorf("kafkago: the producer is closed: %w", net.ErrClosed)
	errNotStarted = errors.New("kafkago: Produce before Start")
	errTopicName  = fmt.Errorf("kafkago: the topic's name must be 1 to %d of the characters a-z A-Z 0-9 . _ -: %w: %w", maxTopicName, zapkafka.ErrRejected, kafka.InvalidTopic)
)

// verdict says what a failed call means for the records in it.
type verdict int

const (
	again    verdict = iota // it may go well later
	culprits                // Kafka refuses some of them for what they are
	rejected                // Kafka refuses all of them for what they are
	refused                 // Kafka refuses them, and will for a while
)

// judge sorts the client's errors. What is not an answer of Kafka's (no
// connection, no answer, no leader known) is tried again.
func judge(err error) verdict {
	var code kafka.Error
	if !errors.As(err, &code) {
		return again
	}
	switch code {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidTimestamp:
		return culprits
	case kafka.InvalidTopic:
		return rejected
	case kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.PolicyViolation, kafka.InvalidRequiredAcks,
		kafka.UnsupportedVersion, kafka.UnsupportedForMessageFormat, kafka.UnsupportedCompressionType:
		return refused
	}
	return again
}

// mayBeStored reports whether the broker has said that it stored a batch, and
// not more. Each retry is a duplicate then, so there should be few.
func mayBeStored(err error) bool {
	return errors.Is(err, kafka.RequestTimedOut) || errors.Is(err, kafka.NotEnoughReplicasAfterAppend)
}

// unanswered reports whether a call ended because it took too long. The client
// says so in two ways: the call's context, or the connection's deadline.
func unanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// outcome is what is reported for a record that failed with err.
func (v verdict) outcome(err error) error {
	switch {
	case errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge):
		return fmt.Errorf("kafkago: %w: %w", zapkafka.ErrTooLarge, err)
	case v == culprits || v == rejected:
		return fmt.Errorf("kafkago: %w: %w", zapkafka.ErrRejected, err)
	default:
		return fmt.Errorf("kafkago: %w", err)
	}
}
