package producertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zapkafka/zapkafka"
)

const sentenceUntouched = "Between Produce and Done the record and all that it points to (Key, Value, Headers) may be read by the client and are changed by nobody. The adaptor does not write to them."

func recordCases() []*contractCase {
	return []*contractCase{
		{name: "UnknownTopic", sentence: sentenceLater, run: unknownTopic},
		{name: "UnknownTopicIsReported", sentence: "It tells the adaptor the most that it will be asked to hold, and where to report troubles that belong to no single record (a refused password, an unknown topic).", run: unknownTopicIsReported},
		{name: "TooLarge", sentence: "The error of a record that Kafka refused for what it is (too large for its topic, an invalid record or topic name) wraps ErrRejected.", run: tooLarge},
		{name: "LargestValue", sentence: "RecordBytes is the size of the largest value, in bytes.", run: largestValue},
		{name: "RecordIsNotWritten", sentence: sentenceUntouched, run: recordIsNotWritten},
		{name: "SliceIsTheCallers", sentence: sentenceTaken, run: sliceIsTheCallers},
		{name: "MemoryAfterDone", sentence: sentenceAfter, run: memoryAfterDone},
		{name: "OrderOfAKey", sentence: "Records with the same key arrive in the order in which they were handed over, as long as nothing fails.", run: orderOfAKey},
		{name: "KeyArrives", sentence: "Key is the record's key; nil means that it has none, and that the client chooses the partition.", run: func(c *check) { arrives(c, keyDiffers) }},
		{name: "HeadersArrive", sentence: "Headers are the record's headers; nil if it has none.", run: func(c *check) { arrives(c, headersDiffer) }},
		{name: "TimeArrives", sentence: "Time is the record's time stamp: when the entry was logged.", run: func(c *check) { arrives(c, timeDiffers) }},
	}
}

func unknownTopic(c *check) {
	s := c.start(limits(shortDelivery))
	b := c.batch(50, func(int) spec { return spec{topic: c.b.MissingTopic()} })
	s.produce(b)
	b.wantReported()
	if n, _ := b.failed(); n != len(b.records) {
		c.errorf("%d of %d records for a topic that does not exist were acknowledged", len(b.records)-n, len(b.records))
	}
	b.wantNotRejected()
	c.factsOfDeadline([]*batch{b})
	// A topic that is there is not held up by one that is not.
	s.warm()
}

func unknownTopicIsReported(c *check) {
	s := c.start(limits(shortDelivery))
	b := c.batch(5, func(int) spec { return spec{topic: c.b.MissingTopic()} })
	s.produce(b)
	begin := time.Now()
	if !c.awaitError(shortDelivery+reportGrace, func(err error) bool { return strings.Contains(err.Error(), c.b.MissingTopic()) }) {
		c.errorf("the ErrorHandler was told of no error that names the topic %q; it got %v", c.b.MissingTopic(), c.handled())
	} else {
		c.fact("reported after", "%v", time.Since(begin).Round(time.Millisecond))
	}
	b.wantReported()
}

func (c *check) handled() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]error(nil), c.errs...)
}

// tooLarge has one record among many that is larger than its topic takes.
func tooLarge(c *check) {
	topic := c.b.SmallTopic()
	s := c.start(limits(longDelivery))
	before := c.batch(50, func(int) spec { return spec{topic: topic} })
	s.produce(before)
	before.wantAcked()

	const large = 50
	call := c.batch(101, func(i int) spec {
		if i == large {
			return spec{topic: topic, size: 200_000}
		}
		return spec{topic: topic}
	})
	s.produce(call)
	behind := c.batch(100, func(int) spec { return spec{topic: topic} })
	s.produce(behind)
	for _, b := range []*batch{call, behind} {
		b.wantReported()
	}
	later := c.batch(100, func(int) spec { return spec{topic: topic} })
	s.produce(later)
	later.wantAcked()

	if err := call.outcomes()[large].err; !errors.Is(err, zapkafka.ErrTooLarge) || !errors.Is(err, zapkafka.ErrRejected) {
		c.fatalf("a record of 200,000 bytes for a topic that takes 65,536 was reported with %v, want an error that wraps ErrTooLarge, and with it ErrRejected", err)
	}
	for i, o := range append(call.outcomes(), behind.outcomes()...) {
		if o.err != nil && !errors.Is(o.err, zapkafka.ErrRejected) {
			c.errorf("record %d was failed for another's size with %v, want an error that wraps ErrRejected", i, o.err)
			break
		}
	}
	inCall, _ := call.failed()
	inNext, _ := behind.failed()
	c.fact("neighbours that it took with it", "%d of 100 in its call, %d of 100 in the next", inCall-1, inNext)
	c.compare(topic)
}

func largestValue(c *check) {
	l := limits(longDelivery)
	s := c.start(l)
	b := c.batch(3, func(int) spec { return spec{size: l.RecordBytes} })
	s.produce(b)
	b.wantAcked()
	c.compare(c.b.Topic())
}

// recordIsNotWritten reads the records all the time, so that the race detector
// sees each write, and compares them at the end.
func recordIsNotWritten(c *check) {
	s := c.started(limits(longDelivery))
	b := c.batch(500, func(i int) spec {
		return spec{key: "key", headers: []zapkafka.Header{{Key: "n", Value: []byte(fmt.Sprint(i))}}}
	})
	b.keep = true
	var records []zapkafka.Record // what they point to; the records themselves are ours after Done
	for _, t := range b.records {
		records = append(records, zapkafka.Record{Key: t.record.Key, Value: t.record.Value, Headers: t.record.Headers})
	}
	var sum atomic.Int64
	stop := make(chan struct{})
	reading := c.async("a reader", func() {
		for {
			for i := range records {
				sum.Add(int64(records[i].Key[0]) + int64(records[i].Value[0]) + int64(len(records[i].Headers[0].Key)))
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	s.produce(b)
	b.wantAcked()
	close(stop)
	<-reading
	c.compare(c.b.Topic())
}

// sliceIsTheCallers: produceWith empties the slice.
func sliceIsTheCallers(c *check) {
	s := c.start(limits(longDelivery)) // not yet connected: records wait inside
	var all []*batch
	for i := 0; i < 5; i++ {
		b := c.batch(200, nil)
		all = append(all, b)
		s.produce(b)
	}
	for _, b := range all {
		b.wantAcked()
	}
}

func memoryAfterDone(c *check) {
	s := c.started(limits(longDelivery))
	var all []*batch
	for i := 0; i < 20; i++ {
		b := c.batch(100, func(i int) spec {
			return spec{key: fmt.Sprint("key-", i%7), size: 1000, headers: []zapkafka.Header{{Key: "n", Value: []byte(fmt.Sprint(i))}}}
		})
		all = append(all, b)
		s.produce(b)
	}
	for _, b := range all {
		b.wantAcked()
	}
	c.compare(c.b.Topic())
}

func orderOfAKey(c *check) {
	const calls, size, keys = 60, 50, 8
	s := c.start(limits(longDelivery))
	place := make(map[string]int)
	var all []*batch
	for i := 0; i < calls; i++ {
		b := c.batch(size, func(k int) spec { return spec{key: fmt.Sprint("key-", k%keys)} })
		for _, t := range b.records {
			place[string(t.want.Value)] = len(place)
		}
		all = append(all, b)
		s.produce(b)
		if i%10 == 9 {
			s.p.Flush(context.Background())
		}
	}
	for _, b := range all {
		b.wantAcked()
	}
	last := make(map[string]int)
	partition := make(map[string]int32)
	for _, m := range c.stored(c.b.Topic()) {
		key := string(m.Key)
		was, seen := last[key]
		if seen && partition[key] != m.Partition {
			c.fatalf("key %q is in partitions %d and %d", key, partition[key], m.Partition)
		}
		now := place[string(m.Value)]
		if seen && now < was {
			c.fatalf("key %q: record %d is stored behind record %d", key, now, was)
		}
		last[key], partition[key] = now, m.Partition
	}
	if len(last) != keys {
		c.errorf("%d keys are stored, want %d", len(last), keys)
	}
}

// arrives stores one record of each kind and compares it.
func arrives(c *check, differs func(got, want Message) string) {
	s := c.start(limits(longDelivery))
	when := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	kinds := []spec{
		{},
		{key: "a key"},
		{key: "\x00\xff binary \n"},
		{headers: []zapkafka.Header{{Key: "one", Value: []byte("1")}, {Key: "one", Value: []byte("again")}, {Key: "empty"}}},
		{time: when},
		{key: "all", headers: []zapkafka.Header{{Key: "h", Value: []byte{0, 255}}}, time: when.Add(time.Minute)},
	}
	b := c.batch(len(kinds), func(i int) spec { return kinds[i] })
	s.produce(b)
	b.wantAcked()
	found := 0
	for _, m := range c.stored(c.b.Topic()) {
		for _, t := range b.records {
			if !bytes.Equal(m.Value, t.want.Value) {
				continue
			}
			found++
			if what := differs(m, t.want); what != "" {
				c.errorf("%s: %s", short(m.Value), what)
			}
		}
	}
	if found < len(kinds) {
		c.errorf("%d of %d records are stored", found, len(kinds))
	}
}

func keyDiffers(got, want Message) string {
	if bytes.Equal(got.Key, want.Key) && (got.Key == nil) == (want.Key == nil) {
		return ""
	}
	return fmt.Sprintf("key %q (null: %t), want %q (null: %t)", got.Key, got.Key == nil, want.Key, want.Key == nil)
}

func headersDiffer(got, want Message) string {
	if sameHeaders(got.Headers, want.Headers) {
		return ""
	}
	return fmt.Sprintf("headers %q, want %q", got.Headers, want.Headers)
}

func timeDiffers(got, want Message) string {
	if got.Time.UnixMilli() == want.Time.UnixMilli() {
		return ""
	}
	return fmt.Sprintf("time %v, want %v", got.Time, want.Time)
}
