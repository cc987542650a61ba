package zapkafka

import (
	"fmt"
	"sync"

	"go.uber.org/zap/zapcore"
)

// NewCore returns a zapcore.Core that encodes entries with enc and gives them to
// syncer, together with what a zapcore.WriteSyncer is never told: when the entry
// was logged, which becomes the record's time stamp, and the key, the topic and
// the headers that its fields name (see [Key], [Topic] and [RecordHeader]) or that
// options say. [New] makes one, without options, when its writer is a *KafkaSyncer,
// or a [Tee] with one in it.
//
// The core is safe for concurrent use, and so are those that With makes of it. As
// with zap's own core its Write syncs after an entry above Error.
//
// options may be nil; they are copied. A nil argument panics, and so do options
// that can be seen to be wrong: NewCore is mostly called from within a
// zap.WrapCore, which has no way for an error, and what is wrong then is wrong in
// the program.
func NewCore(enc zapcore.Encoder, syncer *KafkaSyncer, level zapcore.LevelEnabler, options *CoreOptions) zapcore.Core {
	switch {
	case isNil(enc):
		panic("zapkafka: NewCore: the encoder is nil: zapcore.NewJSONEncoder(zapkafka.NewEncoderConfig()) is the one that New uses")
	case syncer == nil:
		panic("zapkafka: NewCore: the syncer is nil: make one with NewKafkaSyncer")
	case isNil(level):
		panic("zapkafka: NewCore: the level is nil: use zapcore.InfoLevel, or a zap.AtomicLevel to change it later")
	}
	rules, err := newRecordRules(options)
	if err != nil {
		panic(fmt.Sprintf("zapkafka: NewCore: %v", err))
	}
	if rules != nil && rules.hostErr != nil {
		syncer.tell("host", rules.hostErr)
	}
	return newCore(enc, syncer, level, rules, options == nil || !options.NoShedEntry)
}

func newCore(enc zapcore.Encoder, out entryWriter, level zapcore.LevelEnabler, rules *recordRules, notices bool) *core {
	c := &core{LevelEnabler: level, enc: enc, out: out, rules: rules}
	if notices {
		out.writeNotices(c)
	}
	return c
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
// Options.ErrorHandler, and the entry goes where it would go without the field.
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

// entryWriter is what a core writes to: a KafkaSyncer, or a Tee, which passes the
// meta on to those in it.
type entryWriter interface {
	zapcore.WriteSyncer
	write(m *meta, line []byte) (int, error)
	tell(kind string, err error) // gives err to the ErrorHandler
	writeNotices(c *core)        // makes c the one that writes what a syncer has to say in the log
}

// core is the way of an entry from zap into the queue.
type core struct {
	zapcore.LevelEnabler
	enc   zapcore.Encoder
	out   entryWriter
	meta  meta         // from the fields of With; the time is always zero
	rules *recordRules // nil: there are no options
	with  withFields   // what the rules want of the fields of With
}

// Level is for zapcore.LevelOf.
func (c *core) Level() zapcore.Level { return zapcore.LevelOf(c.LevelEnabler) }

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	clone := *c
	clone.enc = c.enc.Clone()
	// A logger may have several children: none appends to the parent's array.
	clone.meta.headers = clone.meta.headers[:len(c.meta.headers):len(c.meta.headers)]
	clone.read(&clone.meta, fields)
	if c.rules != nil {
		clone.with = c.rules.with(c.with, fields)
	}
	for i := range fields {
		fields[i].AddTo(clone.enc)
	}
	return &clone
}

func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if err := c.write(e, fields, rankOf(e.Level)); err != nil {
		return err
	}
	if e.Level > zapcore.ErrorLevel {
		// The process may be about to end. The error would hide the entry's own
		// outcome, which is nil; zap's core drops it, too.
		_ = c.out.Sync()
	}
	return nil
}

func (c *core) write(e zapcore.Entry, fields []zapcore.Field, rank levelRank) error {
	line, err := c.enc.EncodeEntry(e, fields)
	if err != nil {
		return err
	}
	s := scratches.Get().(*scratch)
	m := &s.meta
	*m = c.meta
	m.time, m.level = e.Time, rank
	if c.rules == nil {
		m.headers = m.headers[:len(m.headers):len(m.headers)]
		c.read(m, fields)
	} else {
		m.headers = append(s.headers[:0], m.headers...)
		c.read(m, fields)
		c.rules.apply(c, s, &e, fields)
	}
	_, err = c.out.write(m, line.Bytes())
	s.reuse()
	line.Free()
	return err
}

func (c *core) Sync() error { return c.out.Sync() }

// scratch is what a Write needs beside zap's buffer. It is reused, because the
// queue's waiters make every meta escape. When write returns nobody has a
// pointer into it any more: what is kept of an entry was copied.
type scratch struct {
	meta    meta
	headers []Header
	text    []byte          // of keys and header values that are made for this entry
	fields  []zapcore.Field // of With and of the call, for functions
	found   []string        // texts of fields
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxScratchText bounds the text that waits for the next entry.
const maxScratchText = 4 << 10

// reuse lets go of what belongs to the entry, and gives s to the next one.
func (s *scratch) reuse() {
	s.meta = meta{}
	for i := range s.headers {
		s.headers[i] = Header{}
	}
	for i := range s.fields {
		s.fields[i] = zapcore.Field{}
	}
	for i := range s.found {
		s.found[i] = ""
	}
	if cap(s.text) > maxScratchText {
		s.text = nil
	}
	scratches.Put(s)
}

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
			c.out.tell("topic", fmt.Errorf("zapkafka: a field Topic of an entry has no effect: %w", f.err))
		case f.key != nil:
			m.key = f.key
		case f.header != nil:
			m.headers = append(m.headers, *f.header)
		default:
			m.topic = f.topic
		}
	}
}
