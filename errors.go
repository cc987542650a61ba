package zapkafka

import "errors"

var (
	// ErrQueueFull is in the error of a Write for an entry that is lost: the
	// queue was full, and the fallback did not make room in time, or fails, or is
	// full itself (then ErrFallbackFull is in the error too).
	ErrQueueFull = errors.New("zapkafka: entry lost: the queue is full and the fallback does not keep up")

	// ErrClosed is part of the error of a Write after Shutdown for which the
	// fallback failed too. (If the fallback takes the entry there is no error.)
	ErrClosed = errors.New("zapkafka: the syncer is shut down")
)
