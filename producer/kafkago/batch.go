package kafkago

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/zapkafka/zapkafka"
)

// item is a record in our hands.
type item struct {
	record *zapkafka.Record
	expiry time.Duration // its deadline, on the Producer's clock
}

// size is what a record counts in limits and batches.
func size(r *zapkafka.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// batch is what is sent to a partition at a time: the records, and a copy of
// their bytes. The client reads the copy alone. It must not read the records'
// own memory, because it may go on after a call has returned: a call that times
// out leaves the connection's goroutine encoding (kafka-go v0.4.51, transport.go,
// async.await).
type batch struct {
	items   []item
	entries []entry // entries[i] is the copy of items[i]
	bytes   []byte  // what the entries point into
	headers []kafka.Header

	// unanswered is true once a call has ended without an answer of the broker.
	// Somebody may be reading the copy then, so it is never written again.
	unanswered bool
}

// entry is the copy of a record.
type entry struct {
	key, value []byte
	headers    []kafka.Header
	time       time.Time
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// copyItems fills an empty batch. The records' memory may be used again when the
// batch is under way, once their Done is called.
func (b *batch) copyItems() {
	bytes, headers := 0, 0
	for i := range b.items {
		bytes += size(b.items[i].record)
		headers += len(b.items[i].record.Headers)
	}
	// Of the right size from the start: what has been pointed to must not move.
	if cap(b.bytes) < bytes {
		b.bytes = make([]byte, 0, bytes)
	}
	if cap(b.headers) < headers {
		b.headers = make([]kafka.Header, 0, headers)
	}
	if cap(b.entries) < len(b.items) {
		b.entries = make([]entry, 0, len(b.items))
	}
	for i := range b.items {
		r := b.items[i].record
		from := len(b.headers)
		for _, h := range r.Headers {
			b.headers = append(b.headers, kafka.Header{Key: h.Key, Value: b.copyOf(h.Value)})
		}
		b.entries = append(b.entries, entry{
			key:     b.copyOf(r.Key),
			value:   b.copyOf(r.Value),
			headers: b.headers[from:len(b.headers):len(b.headers)],
			time:    r.Time,
		})
	}
}

// copyOf keeps nil, which is not the same as empty in Kafka.
func (b *batch) copyOf(p []byte) []byte {
	if len(p) == 0 {
		return p[:0:0]
	}
	from := len(b.bytes)
	b.bytes = append(b.bytes, p...)
	return b.bytes[from:len(b.bytes):len(b.bytes)]
}

// recycle gives the batch back, if nobody can be reading it.
func (b *batch) recycle(usual int) {
	clear(b.items)
	if b.unanswered || cap(b.bytes) > 2*usual {
		return
	}
	clear(b.entries)
	clear(b.headers)
	b.items, b.entries, b.headers, b.bytes = b.items[:0], b.entries[:0], b.headers[:0], b.bytes[:0]
	batches.Put(b)
}

// reader gives entries to the client, one after the other. Each call of the
// client has its own: an earlier one may still be read.
type reader struct {
	entries    []entry
	record     kafka.Record
	key, value content
}

// ReadRecord implements kafka.RecordReader.
func (r *reader) ReadRecord() (*kafka.Record, error) {
	if len(r.entries) == 0 {
		return nil, io.EOF
	}
	e := &r.entries[0]
	r.entries = r.entries[1:]
	r.record = kafka.Record{Time: e.time, Headers: e.headers}
	if e.key != nil {
		r.key.Reset(e.key)
		r.record.Key = &r.key
	}
	if e.value != nil {
		r.value.Reset(e.value)
		r.record.Value = &r.value
	}
	return &r.record, nil
}

// content is a kafka.Bytes that needs no allocation.
type content struct{ bytes.Reader }

func (*content) Close() error { return nil }
