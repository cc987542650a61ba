package franz

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
)

// blockRecords is the most records in one block. It bounds the search in index
// and what one late record keeps alive.
const blockRecords = 2048

// block is what one call of Produce costs: the client's records for all of its
// records, and the way back from one to the other.
//
// The client gives a promise the very pointer that was handed to it
// (kgo/producer.go, promisedRec), so the place of a kgo.Record in the block
// tells whose it is. Record.Context, the usual place for such a link, is not
// used: hooks of tracing libraries wrap it, and a careless one may replace it.
type block struct {
	p *Producer
	*blockMemory
	cancel context.CancelFunc // frees ctx
	expiry *time.Timer

	// The client runs promises one after another (documented at kgo's
	// Client.Produce), so these need no lock.
	next int // where index looks first
	left int // records that have not been reported
}

// blockMemory is used again by a later block. A block that has reported its last
// record has none any more, so that nothing which comes too late can reach that one.
type blockMemory struct {
	records []kgo.Record
	owners  []*zapkafka.Record // owners[i] is reported for records[i], nil when it has been
}

// blockMemories keeps what has come free, and lets go of it when the garbage
// collector finds it unused. The records of one chunk are a quarter of a megabyte, full
// of pointers: made anew for each they have it run half as often again.
var blockMemories sync.Pool

// noMemory is what a block has at its end.
var noMemory blockMemory

// newBlockMemory returns memory for n records. From a sink come as many each time,
// or nearly: a sixteenth more than needed mostly serves the next one too.
func newBlockMemory(n int) *blockMemory {
	m, ok := blockMemories.Get().(*blockMemory)
	if !ok || cap(m.records) < n || cap(m.records) > n+n/4 {
		m = &blockMemory{make([]kgo.Record, n+n/16), make([]*zapkafka.Record, n+n/16)}
	}
	m.records, m.owners = m.records[:n], m.owners[:n]
	return m
}

// send hands admitted records to the client.
//
// Their deadline is a context of the block and not kgo.RecordDeliveryTimeout:
// that counts from the record's time stamp (kgo/sink.go, recBatch.isTimedOut),
// which for a replayed entry may be hours ago, and it is looked at only before
// and after a request, while the end of a context also ends the request on the
// wire. It is a cancellation, not a context with a deadline, because the client
// knows the former as a reason to fail what waits for a producer ID
// (kgo/sink.go, sink.produce).
func (p *Producer) send(records []*zapkafka.Record) {
	ctx, cancel := context.WithCancel(p.life)
	b := &block{
		p:           p,
		blockMemory: newBlockMemory(len(records)),
		cancel:      cancel,
		expiry:      time.AfterFunc(p.limits.DeliveryTimeout, cancel),
		left:        len(records),
	}
	copy(b.owners, records)
	b.fill()
	promise := b.report
	own := b.records // b's are gone with the last promise
	for i := range own {
		p.client.Produce(ctx, &own[i], promise)
	}
}

// fill makes the client's records point to what the owners point to.
func (b *block) fill() {
	headers := 0
	for _, r := range b.owners {
		headers += len(r.Headers)
	}
	var all []kgo.RecordHeader
	if headers > 0 {
		all = make([]kgo.RecordHeader, 0, headers)
	}
	for i, r := range b.owners {
		k := &b.records[i]
		k.Topic, k.Key, k.Value, k.Timestamp = r.Topic, r.Key, r.Value, r.Time
		if len(r.Headers) == 0 {
			continue
		}
		from := len(all)
		for _, h := range r.Headers {
			all = append(all, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		k.Headers = all[from:len(all):len(all)]
	}
}

// report is the promise of every record in the block.
func (b *block) report(k *kgo.Record, err error) {
	i := b.index(k)
	if i < 0 || b.owners[i] == nil {
		return // not ours, or a second time: the contract is one Done
	}
	r := b.owners[i]
	b.owners[i] = nil
	// A block lives until its last record is reported; the memory behind the
	// others is the syncer's again.
	k.Key, k.Value, k.Headers = nil, nil, nil
	if b.left--; b.left == 0 {
		b.end()
	}
	if err != nil {
		err = b.p.failure(r.Topic, err)
	}
	r.Done(err)
	b.p.finished()
}

// end frees what the block has. The client does not look at a record after its
// promise; hooks and partitioners of the user's might.
func (b *block) end() {
	b.expiry.Stop()
	b.cancel()
	own := b.blockMemory
	b.blockMemory, b.next = &noMemory, 0
	if !b.p.shown {
		clear(own.records)
		blockMemories.Put(own)
	}
}

// showsRecords reports whether the client shows its records to hooks of the user's,
// which may keep them. What the option is has a type of the client's own.
func showsRecords(cl *kgo.Client) bool {
	hooks := reflect.ValueOf(cl.OptValue(kgo.WithHooks))
	if hooks.Kind() != reflect.Slice {
		return true // a client of another version
	}
	for i := range hooks.Len() {
		switch hooks.Index(i).Interface().(type) {
		case kgo.HookProduceRecordBuffered, kgo.HookProduceRecordPartitioned, kgo.HookProduceRecordUnbuffered:
			return true
		}
	}
	return false
}

// index returns the place of k in the block, -1 if it is not there. Records of
// a partition come back in their order, so the next is near the last; comparing
// addresses reads no memory.
func (b *block) index(k *kgo.Record) int {
	for i := b.next; i < len(b.records); i++ {
		if &b.records[i] == k {
			b.next = i + 1
			return i
		}
	}
	for i := range b.next {
		if &b.records[i] == k {
			b.next = i + 1
			return i
		}
	}
	return -1
}
