package zapkafka

import (
	"fmt"
	"sync"

	"go.uber.org/zap/zapcore"
)

// NewCore returns a zapcore.Core that encodes entries with enc and gives them to
// syncer, together with what a zapcore.WriteSyncer is never told: when the entry
// was logged, which becomes the record's time stamp, and the key, the topic and
// the headers that its fields name (see [Key], [Topic] and [RecordHeader]). [New]
// makes one when its writer is a *KafkaSyncer.
//
// The core is safe for concurrent use. As with zap's own core its Write syncs
// after an entry above Error. A nil argument panics.
func NewCore(enc zapcore.Encoder, syncer *KafkaSyncer, level zapcore.LevelEnabler) zapcore.Core {
	switch {
	case isNil(enc):
		panic("zapkafka: NewCore: the encoder is nil: zapcore.NewJSONEncoder(zapkafka.NewEncoderConfig()) is the one that New uses")
	case syncer == nil:
		panic("zapkafka: NewCore: the syncer is nil: make one with NewKafkaSyncer")
	case isNil(level):
		panic("zapkafka: NewCore: the level is nil: use zapcore.InfoLevel, or a zap.AtomicLevel to change it later")
	}
	return &core{LevelEnabler: level, enc: enc, syncer: syncer}
}

// Key returns a field that gives the entry's record a key: records with the same
// key go to the same partition, and stay in order. It is for a logger whose core
// is [NewCore]; everywhere else it is as zap.Skip. The field adds nothing to the
// encoded entry. The last one counts, and one of the call more than one of With.
func Key(key string) zapcore.Field {
	return recordField(&fieldOfRecord{key: []byte(key)})
}

// Topic returns a field that sends the entry to another topic than its syncer's.
// It works as [Key] does. A name that Kafka does not allow is reported to
// Options.ErrorHandler, and the entry goes to the syncer's topic.
func Topic(topic string) zapcore.Field {
	return recordField(&fieldOfRecord{topic: topic, err: checkTopic(topic)})
}

// RecordHeader returns a field that gives the entry's record a header. It works
// as [Key] does, but all of them count, those of With first; Kafka allows a name
// more than once.
func RecordHeader(name, value string) zapcore.Field {
	return recordField(&fieldOfRecord{header: &Header{Key: name, Value: []byte(value)}})
}

// recordField wraps f in a field that encoders pass over (zapcore.SkipType).
func recordField(f *fieldOfRecord) zapcore.Field {
	return zapcore.Field{Type: zapcore.SkipType, Interface: f}
}

// fieldOfRecord is what a field says about the record: one of the three.
type fieldOfRecord struct {
	key    []byte // not nil: a key
	header *Header
	topic  string
	err    error // why the topic is none
}

// core is the way of an entry from zap into the queue.
type core struct {
	zapcore.LevelEnabler
	enc    zapcore.Encoder
	syncer *KafkaSyncer
	meta   meta // from the fields of With; the time is always zero
}

// Level is for zapcore.LevelOf.
func (c *core) Level() zapcore.Level { return zapcore.LevelOf(c.LevelEnabler) }

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	clone := &core{LevelEnabler: c.LevelEnabler, enc: c.enc.Clone(), syncer: c.syncer, meta: c.meta}
	// A logger may have several children: none appends to the parent's array.
	clone.meta.headers = clone.meta.headers[:len(c.meta.headers):len(c.meta.headers)]
	clone.read(&clone.meta, fields)
	for i := range fields {
		fields[i].AddTo(clone.enc)
	}
	return clone
}

func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	line, err := c.enc.EncodeEntry(e, fields)
	if err != nil {
		return err
	}
	m := metas.Get().(*meta)
	*m = c.meta
	m.headers = m.headers[:len(m.headers):len(m.headers)]
	m.time = e.Time
	c.read(m, fields)
	_, err = c.syncer.write(m, line.Bytes())
	*m = meta{}
	metas.Put(m)
	line.Free()
	if err != nil {
		return err
	}
	if e.Level > zapcore.ErrorLevel {
		// The process may be about to end. The error would hide the entry's own
		// outcome, which is nil; zap's core drops it, too.
		_ = c.syncer.Sync()
	}
	return nil
}

func (c *core) Sync() error { return c.syncer.Sync() }

// metas are reused, because the queue's waiters make every meta escape. When
// write returns nobody has the pointer any more.
var metas = sync.Pool{New: func() any { return new(meta) }}

// read adds to m what the fields say about the record.
func (c *core) read(m *meta, fields []zapcore.Field) {
	for i := range fields {
		if fields[i].Type != zapcore.SkipType {
			continue
		}
		f, ok := fields[i].Interface.(*fieldOfRecord)
		switch {
		case !ok:
		case f.err != nil:
			c.syncer.reporter.report("topic", fmt.Errorf("zapkafka: an entry stays in the syncer's topic: %w", f.err))
		case f.key != nil:
			m.key = f.key
		case f.header != nil:
			m.headers = append(m.headers, *f.header)
		default:
			m.topic = f.topic
		}
	}
}
