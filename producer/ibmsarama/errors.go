package ibmsarama

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/zapkafka/zapkafka"
)

var (
	errClosed       = fmt.Errorf("ibmsarama: the producer is closed: %w", sarama.ErrClosedClient)
	errNotStarted   = errors.New("ibmsarama: Produce before Start")
	errClientClosed = fmt.Errorf("ibmsarama: the sarama producer was closed by somebody else, before the syncer was shut down: %w", sarama.ErrClosedClient)
)

// rejections are Kafka's answers with which a record comes to nothing however
// often it is sent.
var rejections = map[sarama.KError]error{
	sarama.ErrMessageSizeTooLarge:    zapkafka.ErrTooLarge,
	sarama.ErrMessageSetSizeTooLarge: zapkafka.ErrTooLarge,
	sarama.ErrInvalidRecord:          zapkafka.ErrRejected,
	sarama.ErrInvalidTimestamp:       zapkafka.ErrRejected,
	sarama.ErrInvalidTopic:           zapkafka.ErrRejected,
}

// retriable are Kafka's answers that may be another the next time; those that
// Kafka itself calls retriable and can give to a producer, and a refused
// password, which somebody may be changing.
var retriable = []sarama.KError{
	sarama.ErrInvalidMessage, // CORRUPT_MESSAGE: broken on the way
	sarama.ErrUnknownTopicOrPartition,
	sarama.ErrLeaderNotAvailable,
	sarama.ErrNotLeaderForPartition,
	sarama.ErrRequestTimedOut,
	sarama.ErrBrokerNotAvailable,
	sarama.ErrReplicaNotAvailable,
	sarama.ErrNetworkException,
	sarama.ErrNotEnoughReplicas,
	sarama.ErrNotEnoughReplicasAfterAppend,
	sarama.ErrNotController,
	sarama.ErrKafkaStorageError,
	sarama.ErrSASLAuthenticationFailed,
	sarama.ErrFencedLeaderEpoch,
	sarama.ErrUnknownLeaderEpoch,
	sarama.ErrThrottlingQuotaExceeded,
	unknownTopicID,
	inconsistentTopicID,
}

// Answers that sarama has no names for.
const (
	unknownTopicID      sarama.KError = 100
	inconsistentTopicID sarama.KError = 103
)

// verdicts are what is reported for each answer that is no reason to try again;
// retried answers have nil.
var verdicts = func() map[sarama.KError]error {
	m := make(map[sarama.KError]error)
	for k, reason := range rejections {
		m[k] = fmt.Errorf("ibmsarama: %w: %w", reason, k)
	}
	for _, k := range retriable {
		m[k] = nil
	}
	return m
}()

// judge returns whether a record that failed with the error should be tried again,
// and what it is reported with if not. It is called for each failed record, so
// it makes no new error for those that come by the thousand.
func (p *Producer) judge(topic string, err error) (again bool, outcome error) {
	var answer sarama.KError
	var encoding sarama.PacketEncodingError
	var config sarama.ConfigurationError
	switch {
	case errors.As(err, &answer):
		verdict, known := verdicts[answer]
		if verdict != nil {
			return false, verdict
		}
		again, outcome = known, p.clean(err)
	case errors.As(err, &encoding):
		// The request cannot be written: a name or a record beyond what the
		// protocol can express.
		return false, fmt.Errorf("ibmsarama: %w: %w", zapkafka.ErrRejected, trimmed{p.clean(err)})
	case errors.As(err, &config):
		if strings.Contains(string(config), "larger than configured") {
			return false, fmt.Errorf("ibmsarama: %w: %w: %w", zapkafka.ErrTooLarge, sarama.ErrMessageSizeTooLarge, err)
		}
		return false, p.clean(err)
	case errors.Is(err, errClientClosed):
		return false, errClientClosed
	default:
		again, outcome = true, p.clean(err)
	}
	if again && (p.wrapped == nil || answer == sarama.ErrUnknownTopicOrPartition) {
		// Otherwise the syncer says why records have failed.
		p.reports.trouble(topic, outcome)
	}
	return again, outcome
}

// clean returns the error in our words, on one line and without secrets. sarama
// fails the records of a batch with one and the same error, and so does this.
func (p *Producer) clean(err error) error {
	f := p.lastFailure.Load()
	if f != nil && reflect.ValueOf(err).Comparable() && reflect.ValueOf(f.of).Comparable() && f.of == err { //nolint:errorlint // the very same
		return f
	}
	text, hidden := p.reports.scrub("ibmsarama: " + err.Error())
	f = &failure{text: text, of: err, wraps: err}
	if hidden {
		f.wraps = nil
		var answer sarama.KError
		if errors.As(err, &answer) {
			f.wraps = answer
		}
	}
	p.lastFailure.Store(f)
	return f
}

// failure is an error of the client in our words.
type failure struct {
	text  string
	of    error // to be compared only
	wraps error // nil if its text holds a secret
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.wraps }

// timeoutError is the error of a record that was tried until its deadline.
type timeoutError struct {
	after time.Duration
	last  error
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("%s; the last trouble was: %s", timeoutText(e.after), strings.TrimPrefix(e.last.Error(), "ibmsarama: "))
}

func (e *timeoutError) Unwrap() []error { return []error{context.DeadlineExceeded, e.last} }

func timeoutText(after time.Duration) string {
	return fmt.Sprintf("ibmsarama: not acknowledged by Kafka within %v", after)
}

// isBreaker reports whether the client has refused the record without trying
// anything, because it failed three times before.
func isBreaker(err error) bool { return errors.Is(err, breaker.ErrBreakerOpen) }
