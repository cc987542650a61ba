package zapkafka

import (
	"errors"
	"io"
	"sync"

	"go.uber.org/zap/zapcore"
)

// Tee returns a WriteSyncer that writes each entry to all of the given writers,
// in their order, and is safe for concurrent use: two topics, or Kafka and the
// console. Unlike zapcore.NewMultiWriteSyncer behind zapcore.Lock it puts no
// common lock around them, so that a [KafkaSyncer] which waits in Sync holds up
// no Write, and its Sync reaches all of them at once, so that their time limits
// do not add up. Each writer that is none of this package's gets a lock of its
// own, as with zapcore.Lock. [New] tells a KafkaSyncer in it what it would tell one
// alone: level and time of the entries, and their keys, topics and headers.
//
// Write and Sync return the errors of all writers, joined; that a console or a
// pipe cannot be synced is none. A nil writer panics.
func Tee(writers ...io.Writer) zapcore.WriteSyncer {
	t := &teeSyncer{}
	for _, w := range writers {
		if isNil(w) {
			panic("zapkafka: Tee: a writer is nil")
		}
		t.all = append(t.all, writeSyncer(w))
	}
	return t
}

type teeSyncer struct{ all []zapcore.WriteSyncer }

var _ entryWriter = (*teeSyncer)(nil)

func (t *teeSyncer) Write(p []byte) (int, error) { return t.write(&noMeta, p) }

// write implements entryWriter: those that want the meta get it.
func (t *teeSyncer) write(m *meta, line []byte) (int, error) {
	var errs []error
	for _, ws := range t.all {
		var err error
		if w, ok := ws.(entryWriter); ok {
			_, err = w.write(m, line)
		} else {
			_, err = ws.Write(line)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if errs != nil {
		return 0, errors.Join(errs...)
	}
	return len(line), nil
}

// writeNotices implements entryWriter.
func (t *teeSyncer) writeNotices(c *core) {
	for _, ws := range t.all {
		if w, ok := ws.(entryWriter); ok {
			w.writeNotices(c)
		}
	}
}

// tell implements entryWriter.
func (t *teeSyncer) tell(kind string, err error) {
	for _, ws := range t.all {
		if w, ok := ws.(entryWriter); ok {
			w.tell(kind, err)
		}
	}
}

func (t *teeSyncer) Sync() error {
	errs := make([]error, len(t.all))
	var wg sync.WaitGroup
	for i, ws := range t.all {
		wg.Add(1)
		go func(i int, ws zapcore.WriteSyncer) {
			defer wg.Done()
			errs[i] = withoutHarmless(ws.Sync())
		}(i, ws)
	}
	wg.Wait()
	return errors.Join(errs...)
}
