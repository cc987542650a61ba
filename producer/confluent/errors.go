//go:build cgo

package confluent

import (
	"errors"
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

var (
	errClosed     = errors.New("confluent: the producer is closed")
	errNotStarted = errors.New("confluent: Produce before Start")
)

// rejections are Kafka's answers with which a record comes to nothing however
// often it is sent, and what is reported for each. The client has its own check
// of sizes, which gives ErrMsgSizeTooLarge too.
var rejections = func() map[kafka.ErrorCode]error {
	m := make(map[kafka.ErrorCode]error)
	for _, code := range []kafka.ErrorCode{
		kafka.ErrInvalidRecord, kafka.ErrInvalidTimestamp, kafka.ErrTopicException,
	} {
		m[code] = fmt.Errorf("confluent: %w: %w", zapkafka.ErrRejected, kafka.NewError(code, "", false))
	}
	for _, code := range []kafka.ErrorCode{kafka.ErrMsgSizeTooLarge, kafka.ErrRecordListTooLarge} {
		m[code] = fmt.Errorf("confluent: %w: %w", zapkafka.ErrTooLarge, kafka.NewError(code, "", false))
	}
	return m
}()

// code returns the client's code for the error, ErrNoError if it has none.
func code(err error) kafka.ErrorCode {
	var answer kafka.Error
	if errors.As(err, &answer) {
		return answer.Code()
	}
	return kafka.ErrNoError
}

// fatal reports whether the client that gave the error will never work again.
func fatal(err error) bool {
	var answer kafka.Error
	return errors.As(err, &answer) && (answer.IsFatal() || answer.Code() == kafka.ErrFatal)
}

// failure turns the client's error for a record into the one that is reported.
// It is called once for each failed record, so it makes no new error for the
// causes that come by the thousand.
func (p *Producer) failure(c *client, topic string, err error) error {
	switch code := code(err); code {
	case kafka.ErrMsgTimedOut:
		return p.timedOut
	case kafka.ErrPurgeQueue, kafka.ErrPurgeInflight:
		if cause := c.failed(); cause != nil { // always: only retire purges
			return cause
		}
	case kafka.ErrUnknownTopic, kafka.ErrUnknownTopicOrPart:
		c.topics.miss(topic)
		p.reports.unknownTopic(topic, err)
	default:
		if rejected := rejections[code]; rejected != nil {
			return rejected
		}
	}
	return err
}

// checkTopic refuses names that Kafka has for no topic. It must come first: the
// client panics with a name that its C library refuses (kafka/handle.go,
// getRkt0), and cuts one off at a zero byte.
func checkTopic(name string) error {
	const maxName = 249 // Kafka's own limit
	valid := name != "" && name != "." && name != ".." && len(name) <= maxName
	for i := 0; valid && i < len(name); i++ {
		c := name[i]
		valid = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
	}
	if !valid {
		return fmt.Errorf("confluent: topic %.300q: want 1 to %d of the characters a-z A-Z 0-9 . _ -: %w", name, maxName, rejections[kafka.ErrTopicException])
	}
	return nil
}
