package zapkafka

import (
	"errors"
	"io"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// fallbackFile is the fallback as the writer sees it: our directory, or any
// zapcore.WriteSyncer. Its methods may block for as long as the disk does.
type fallbackFile interface {
	// appendBatch writes lines and returns how many of them, from the first,
	// are on file.
	appendBatch(b spool.Batch) (entries int, err error)
	// rejectBatch is appendBatch for entries which Kafka must not get.
	rejectBatch(b spool.Batch) (entries int, err error)
	// Sync brings what was written to the disk.
	Sync() error
	// keepsMeta says that the file is read back by this package: entries that
	// are not one plain line then go into envelopes.
	keepsMeta() bool
	// ownTopic is the topic which envelopes must name because plain lines mean
	// another one; "" if plain lines mean the syncer's.
	ownTopic() string
}

// newFallbackFile takes a fallback as the user gave it.
func newFallbackFile(ws zapcore.WriteSyncer, topic string) fallbackFile {
	if f, ok := ws.(*Fallback); ok {
		if f.claimTopic(topic) {
			topic = ""
		}
		return directory{f, topic}
	}
	return newPlainFallback(ws)
}

// directory is our own fallback, as one of possibly several syncers uses it.
type directory struct {
	*Fallback
	topic string
}

func (d directory) keepsMeta() bool  { return true }
func (d directory) ownTopic() string { return d.topic }

// standsPlain reports whether an entry can be on file as it was encoded. value
// is without the final newline.
func standsPlain(f fallbackFile, m *meta, value []byte) bool {
	return !f.keepsMeta() || m.bare() && f.ownTopic() == "" && !spool.NeedsEnvelope(value)
}

// envelopeOf returns the envelope of an entry.
func envelopeOf(f fallbackFile, m *meta, value []byte) spool.Envelope {
	e := spool.Envelope{Value: value, Topic: m.topic, Key: m.key, Time: m.time}
	if e.Topic == "" {
		e.Topic = f.ownTopic()
	}
	for _, h := range m.headers {
		e.Headers = append(e.Headers, spool.Header(h))
	}
	return e
}

// plainFallback makes a fallbackFile of any zapcore.WriteSyncer. Entries are
// written as they were encoded; keys, headers and topics have no place there.
type plainFallback struct {
	ws   zapcore.WriteSyncer // behind zapcore.Lock
	torn bool                // its text ends in the middle of a line; guarded by the turn
}

func newPlainFallback(ws zapcore.WriteSyncer) *plainFallback {
	return &plainFallback{ws: zapcore.Lock(ws)}
}

func (f *plainFallback) keepsMeta() bool  { return false }
func (f *plainFallback) ownTopic() string { return "" }

func (f *plainFallback) appendBatch(b spool.Batch) (int, error) {
	if f.torn {
		// What a full disk left of a line must not become the beginning of the
		// next entry.
		if _, err := f.ws.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		f.torn = false
	}
	n, err := f.ws.Write(b.Text)
	if err == nil && n < len(b.Text) {
		err = io.ErrShortWrite // some writers break io.Writer's contract
	}
	entries, end := 0, 0
	for entries < len(b.Ends) && int(b.Ends[entries]) <= n {
		end = int(b.Ends[entries])
		entries++
	}
	f.torn = n > end
	return entries, err
}

func (f *plainFallback) rejectBatch(b spool.Batch) (int, error) { return f.appendBatch(b) }

// Sync brings the text to the disk if the writer stands for one.
func (f *plainFallback) Sync() error {
	return withoutHarmless(f.ws.Sync())
}

// withoutHarmless returns nil for errors of a Sync that mean nothing.
func withoutHarmless(err error) error {
	// fsync on a terminal, a pipe or a socket fails with one of these, by
	// system; nothing is wrong. (os.Stdout as a fallback is the usual case:
	// go.uber.org/zap issues 328, 880 and 991.)
	for _, harmless := range cannotSync {
		if errors.Is(err, harmless) {
			return nil
		}
	}
	return err
}
