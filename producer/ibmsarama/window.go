package ibmsarama

import (
	"sync/atomic"

	"github.com/zapkafka/zapkafka"
)

const (
	windowBytes   = 4 << 20
	windowRecords = 16 << 10
)

// window bounds what is inside the client at any time: a quarter of the limits,
// and no more than the constants. The rest waits in the lanes, where a record
// costs little, can be reported at its deadline without cutting anything, and is
// not encoded and compressed before it can be sent.
type window struct {
	records, bytes atomic.Int64 // in use
	maxRecords     int64
	maxBytes       int64

	// waiting is how many lanes wait. They raise it before they look at what is
	// in use, and who gives back looks at it afterwards. A lane that got
	// something passes the signal on.
	waiting atomic.Int64
	room    chan struct{} // room for one
}

func newWindow(l zapkafka.Limits) *window {
	return &window{
		maxRecords: int64(min(max(l.Records/4, 1), windowRecords)),
		maxBytes:   min(max(l.Bytes/4, 1), windowBytes),
		room:       make(chan struct{}, 1),
	}
}

// take waits for room. There is some for any record when there is any: a large
// one may reach beyond the end. It returns false when one of the channels was
// closed first.
func (w *window) take(size int64, ending, expired, stopped <-chan struct{}) bool {
	if w.tryTake(size) {
		return true
	}
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	for !w.tryTake(size) {
		select {
		case <-w.room:
		case <-ending:
			return false
		case <-expired:
			signal(w.room) // it may have been meant for this one
			return false
		case <-stopped:
			return false
		}
	}
	signal(w.room)
	return true
}

// tryTake may let several lanes in at once where there is room for one.
func (w *window) tryTake(size int64) bool {
	if w.records.Load() >= w.maxRecords || w.bytes.Load() >= w.maxBytes {
		return false
	}
	w.records.Add(1)
	w.bytes.Add(size)
	return true
}

// give gives back what was taken.
func (w *window) give(size int64) {
	w.bytes.Add(-size)
	w.records.Add(-1)
	if w.waiting.Load() > 0 {
		signal(w.room)
	}
}
