package zapkafka

import (
	"errors"
	"fmt"
)

var (
	// ErrQueueFull is in the error of a Write for an entry that is lost: the
	// queue was full, and the fallback did not make room in time, or fails, or is
	// full itself (then ErrFallbackFull is in the error too). An entry that is shed
	// for its level (see Stats.Shed) has no error.
	ErrQueueFull = errors.New("zapkafka: entry lost: the queue is full and the fallback does not keep up")

	// ErrClosed is part of the error of a Write after Shutdown for which the
	// fallback failed too. (If the fallback takes the entry there is no error.)
	ErrClosed = errors.New("zapkafka: the syncer is shut down")

	// ErrRejected is in the error with which a [Producer] reports a record that
	// Kafka refused for what it is: larger than the topic takes, or with a topic
	// name, a time stamp or a content that the broker accepts from nobody. To
	// send it again as it is, by itself, would end in the same way. A client that
	// fails several records for the one at fault reports all of them so.
	ErrRejected = errors.New("rejected by Kafka for good")

	// ErrTooLarge wraps ErrRejected. It is in the error with which a [Producer]
	// reports a record that is larger than its topic or the client takes, or that
	// was in a batch which is (MESSAGE_TOO_LARGE and RECORD_LIST_TOO_LARGE).
	ErrTooLarge = fmt.Errorf("%w: too large", ErrRejected)
)
