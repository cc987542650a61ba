package zapkafka

import "errors"

var (
	// ErrQueueFull is returned by Write for an entry that is lost: the queue was
	// full and the fallback did not keep up for MaxWait, or does not at all.
	ErrQueueFull = errors.New("zapkafka: queue full and fallback too slow: entry lost")

	// ErrClosed is part of the error of a Write after Shutdown for which the
	// fallback failed too. (If the fallback takes the entry there is no error.)
	ErrClosed = errors.New("zapkafka: the syncer is shut down")
)
