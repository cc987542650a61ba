package producertest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka"
)

// batch is a number of records that are handed over in one call, and what
// becomes of them.
type batch struct {
	c       *check
	records []*tracked
	done    chan struct{} // closed when every record is reported

	mu   sync.Mutex // guards the below and the outcomes in records
	left int
	keep bool // the memory is not scribbled on
}

// tracked is a record and its outcome.
type tracked struct {
	batch  *batch
	record *zapkafka.Record
	want   Message // what it was made from, in memory of its own
	topic  string

	handed   time.Time // when Produce was called; zero: never
	deadline time.Time
	reported time.Time // zero: not yet
	err      error
	again    bool   // Done was called again
	written  string // how the record was changed before Done
}

// spec is what a case wants of a record; the zero value is a short record
// without a key for the broker's topic.
type spec struct {
	topic   string
	key     string
	size    int // of the value, at least
	headers []zapkafka.Header
	time    time.Time
}

// batch makes n records; of says how the i-th has to be, nil: all the same.
func (c *check) batch(n int, of func(i int) spec) *batch {
	b := &batch{c: c, done: make(chan struct{}), left: n}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; i < n; i++ {
		var s spec
		if of != nil {
			s = of(i)
		}
		if s.topic == "" {
			s.topic = c.b.Topic()
		}
		c.seq++
		b.records = append(b.records, newTracked(b, s, c.seq))
	}
	c.batches = append(c.batches, b)
	return b
}

func newTracked(b *batch, s spec, seq int) *tracked {
	value := []byte(fmt.Sprintf("record %08d.", seq))
	value = append(value, filler(seq, s.size-len(value))...)
	t := &tracked{batch: b, topic: s.topic}
	t.want = Message{Value: append([]byte(nil), value...), Time: s.time}
	t.record = zapkafka.NewRecord(s.topic, value, func(err error) { t.report(err) })
	if s.time.IsZero() {
		t.want.Time = t.record.Time
	} else {
		t.record.Time = s.time
	}
	if s.key != "" {
		t.want.Key, t.record.Key = []byte(s.key), []byte(s.key)
	}
	if len(s.headers) > 0 {
		t.want.Headers, t.record.Headers = copyHeaders(s.headers), copyHeaders(s.headers)
	}
	return t
}

var noise struct {
	once  sync.Once
	bytes []byte
}

// filler returns n bytes, or none if n is negative, which no compression makes
// small, not even together with those of the records around.
func filler(seq, n int) []byte {
	if n <= 0 {
		return nil
	}
	noise.once.Do(func() {
		noise.bytes = make([]byte, 8<<20)
		if _, err := rand.Read(noise.bytes); err != nil {
			panic(err) // no system that Go runs on is without randomness
		}
	})
	from := seq * n % (len(noise.bytes) - n)
	return noise.bytes[from : from+n]
}

func copyHeaders(hs []zapkafka.Header) []zapkafka.Header {
	c := make([]zapkafka.Header, len(hs))
	for i, h := range hs {
		c[i] = zapkafka.Header{Key: h.Key}
		if h.Value != nil {
			c[i].Value = append([]byte{}, h.Value...)
		}
	}
	return c
}

// report is the record's first Done.
func (t *tracked) report(err error) {
	b := t.batch
	b.mu.Lock()
	defer b.mu.Unlock()
	t.reported, t.err = time.Now(), err
	t.written = t.changes()
	if b.keep {
		t.replace(t.record.Key, t.record.Value, t.record.Headers)
	} else {
		t.scribble()
	}
	if b.left--; b.left == 0 {
		close(b.done)
	}
}

// changes says how the record differs from what it was made from.
func (t *tracked) changes() string {
	r := t.record
	switch {
	case r.Topic != t.topic:
		return fmt.Sprintf("Topic is %q", r.Topic)
	case !bytes.Equal(r.Key, t.want.Key) || (r.Key == nil) != (t.want.Key == nil):
		return fmt.Sprintf("Key is %q", r.Key)
	case !bytes.Equal(r.Value, t.want.Value):
		return fmt.Sprintf("Value is %s", short(r.Value))
	case !reflect.DeepEqual(r.Headers, t.want.Headers):
		return fmt.Sprintf("Headers are %q", r.Headers)
	case !r.Time.Equal(t.want.Time):
		return fmt.Sprintf("Time is %v", r.Time)
	}
	return ""
}

// scribbles are what memory that was given back is overwritten with.
var scribbles = bytes.Repeat([]byte{'X'}, 4096)

// scribble writes to all memory that the producer has just given back, as the
// next entry will. Under the race detector this finds whoever still reads it;
// without, what is stored shows it.
func (t *tracked) scribble() {
	r := t.record
	fill := func(p []byte) { // by copy: the race detector makes each step of a loop dear
		for len(p) > 0 {
			p = p[copy(p, scribbles):]
		}
	}
	fill(r.Key)
	fill(r.Value)
	for i := range r.Headers {
		fill(r.Headers[i].Value)
		r.Headers[i] = zapkafka.Header{Key: "scribbled on"}
	}
	t.replace([]byte("scribbled on"), []byte("scribbled on"), nil)
}

// replace makes the record another one, as the syncer does when it uses a record
// again. That tells a second Done from the first: it is the other one's. By
// reflection, because a record must not be copied by those who use it.
func (t *tracked) replace(key, value []byte, headers []zapkafka.Header) {
	other := zapkafka.NewRecord("scribbled-on", value, func(error) {
		t.batch.mu.Lock()
		defer t.batch.mu.Unlock()
		t.again = true
	})
	other.Key, other.Headers = key, headers
	reflect.ValueOf(t.record).Elem().Set(reflect.ValueOf(other).Elem())
}

// handOver notes that the records are about to be passed to Produce, and returns
// them.
func (b *batch) handOver(l zapkafka.Limits) []*zapkafka.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	records := make([]*zapkafka.Record, len(b.records))
	now := time.Now()
	for i, t := range b.records {
		t.handed, t.deadline = now, now.Add(l.DeliveryTimeout)
		records[i] = t.record
	}
	return records
}

// first returns the outcome of the first record; all are handed over at once.
func (b *batch) first() outcome { return b.outcomes()[0] }

func (b *batch) pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}

// wait waits until every record is reported, or until t.
func (b *batch) wait(until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-b.done:
		return true
	case <-timer.C:
	}
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// wantReported waits until every record is reported, as long as the contract
// allows, and ends the case if one is not.
func (b *batch) wantReported() {
	first := b.first()
	if !b.wait(first.deadline.Add(reportGrace)) {
		b.c.fatalf("%d of %d records are not reported %v after their Produce (DeliveryTimeout plus %v)",
			b.pending(), len(b.records), time.Since(first.handed).Round(time.Millisecond), reportGrace)
	}
}

// wantAcked waits until every record is reported, and ends the case if one
// failed.
func (b *batch) wantAcked() {
	b.wantReported()
	if n, err := b.failed(); n > 0 {
		b.c.fatalf("%d of %d records failed: %v", n, len(b.records), err)
	}
}

// failed returns how many records failed so far, and one of the errors.
func (b *batch) failed() (n int, first error) {
	for _, o := range b.outcomes() {
		if !o.reported.IsZero() && o.err != nil {
			if n++; first == nil {
				first = o.err
			}
		}
	}
	return n, first
}

// outcome is a snapshot of a tracked record.
type outcome struct {
	handed, deadline, reported time.Time
	err                        error
}

func (b *batch) outcomes() []outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]outcome, len(b.records))
	for i, t := range b.records {
		all[i] = outcome{t.handed, t.deadline, t.reported, t.err}
	}
	return all
}

// settle checks what holds for every record at the end of every case.
func (b *batch) settle() {
	first := b.first()
	if first.handed.IsZero() {
		return // never handed over
	}
	until, inFull := first.deadline.Add(reportGrace), true
	if soon := time.Now().Add(slack); b.c.failed() && soon.Before(until) {
		until, inFull = soon, false // nothing is gained by waiting
	}
	b.wait(until)
	b.mu.Lock()
	defer b.mu.Unlock()
	again, written, how := 0, 0, ""
	for _, t := range b.records {
		if t.again {
			again++
		}
		if t.written != "" {
			written, how = written+1, t.written
		}
	}
	n := len(b.records)
	if b.left > 0 && inFull {
		b.c.errorf("%d of %d records were never reported", b.left, n)
	}
	if again > 0 {
		b.c.errorf("%d of %d records were reported more than once", again, n)
	}
	if written > 0 {
		b.c.errorf("%d of %d records were changed before their Done: %s", written, n, how)
	}
}

// wantNotRejected fails for errors which say that Kafka will never take the
// record.
func (b *batch) wantNotRejected() {
	for i, o := range b.outcomes() {
		if errors.Is(o.err, zapkafka.ErrRejected) {
			b.c.errorf("record %d was reported with an error that wraps ErrRejected: %v", i, o.err)
			return
		}
	}
}

// comparison is what is stored against what was reported.
type comparison struct {
	stored     int // distinct records
	duplicates int
	acked      int
}

// compare reads a topic back, fails for what was acknowledged and is not stored
// and for what is stored and was never handed over like that.
func (c *check) compare(topic string) comparison {
	c.mu.Lock()
	batches := c.batches
	c.mu.Unlock()
	known := make(map[string]*tracked)
	for _, b := range batches {
		for _, t := range b.records {
			if t.topic == topic {
				known[string(t.want.Value)] = t
			}
		}
	}
	var sum comparison
	times := make(map[*tracked]int)
	for _, m := range c.stored(topic) {
		t := known[string(m.Value)]
		if t == nil {
			c.errorf("a stored value is not what was handed over: %s: was memory read after its Done?", short(m.Value))
			continue
		}
		if !bytes.Equal(m.Key, t.want.Key) || !sameHeaders(m.Headers, t.want.Headers) {
			c.errorf("%s is stored with key %q and headers %q, want %q and %q: was memory read after its Done?",
				short(m.Value), m.Key, m.Headers, t.want.Key, t.want.Headers)
		}
		if times[t]++; times[t] == 1 {
			sum.stored++
		} else {
			sum.duplicates++
		}
	}
	missing := 0
	for _, t := range known {
		t.batch.mu.Lock()
		acked := !t.reported.IsZero() && t.err == nil
		t.batch.mu.Unlock()
		if !acked {
			continue
		}
		sum.acked++
		if times[t] == 0 {
			missing++
		}
	}
	if missing > 0 {
		c.errorf("%d of %d acknowledged records are not stored", missing, sum.acked)
	}
	return sum
}

// sameHeaders compares headers; protocols of old turn nil into empty values.
func sameHeaders(a, b []zapkafka.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key || !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}

// short is a value in a message.
func short(p []byte) string {
	if len(p) <= 40 {
		return fmt.Sprintf("%q", p)
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.TrimSuffix(fmt.Sprintf("%q", p[:40]), `"`), len(p))
}
