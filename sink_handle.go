package zapkafka

import (
	"bytes"
	"regexp"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// sinkHandle is what zap has of a sink: one for each time that the URL was
// opened.
type sinkHandle struct {
	sinks *Sinks
	sink  *openSink

	close    sync.Once
	closeErr error // set in close

	// fed is set while the last line was one of zap about an entry that a sink
	// lost.
	fed atomic.Bool
}

var _ zap.Sink = (*sinkHandle)(nil)

// Write is KafkaSyncer.Write, except for what zap has to say of entries that are
// lost, when the sink is its error output too. Such a line would be lost in turn
// when the queue is full, and the Sync that zap has follow would take the time
// that the log call was promised not to wait.
func (h *sinkHandle) Write(p []byte) (int, error) {
	if isOwnError(p) {
		h.fed.Store(true)
		return len(p), nil
	}
	if h.fed.Load() {
		h.fed.Store(false)
	}
	return h.sink.syncer.Write(p)
}

// Sync is KafkaSyncer.Sync.
func (h *sinkHandle) Sync() error {
	if h.fed.Load() {
		return nil
	}
	return h.sink.syncer.Sync()
}

// Close gives the sink back. The last one who does closes it. Further calls
// return what the first did.
func (h *sinkHandle) Close() error {
	h.close.Do(func() { h.closeErr = h.sinks.release(h.sink) })
	return h.closeErr
}

// writeError is how zap begins a line about an entry that could not be written:
// with the entry's time, as a time.Time prints itself (zapcore/entry.go,
// CheckedEntry.Write). No encoder makes such a line.
var writeError = regexp.MustCompile(`^\d+-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+( m=\S+)? write error: `)

// isOwnError reports whether a line is zap's about an error of this package.
func isOwnError(p []byte) bool {
	if len(p) == 0 || p[0] < '0' || p[0] > '9' || !bytes.Contains(p, []byte("zapkafka: ")) {
		return false // all that JSON is asked
	}
	return writeError.Match(p)
}
