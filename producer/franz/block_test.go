package franz

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Promises of several partitions come mixed; a pointer is all they say.
func TestBlockFindsOwners(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil)
	rs, o := records(6, numbered)
	cancelled := false
	own := &blockMemory{records: make([]kgo.Record, len(rs)), owners: slices.Clone(rs)}
	b := &block{p: p, blockMemory: own, left: len(rs),
		expiry: time.NewTimer(time.Hour), cancel: func() { cancelled = true }}
	b.fill()
	p.inflight.Add(int64(len(rs)))
	order := []int{4, 5, 0, 2, 1}
	for _, i := range order {
		if got := string(b.records[i].Value); got != fmt.Sprintf("entry %07d", i) {
			t.Errorf("record %d has value %q", i, got)
		}
		b.report(&b.records[i], fmt.Errorf("error %d", i))
		b.report(&b.records[i], errors.New("a second time"))
		if b.records[i].Value != nil {
			t.Errorf("record %d still points to a value that is the syncer's again", i)
		}
	}
	b.report(new(kgo.Record), errors.New("of someone else"))
	if o.pending() != 1 || p.inflight.Load() != 1 || cancelled {
		t.Errorf("pending %d, in flight %d, cancelled %v; want 1, 1, false", o.pending(), p.inflight.Load(), cancelled)
	}
	late := &own.records[3]
	b.report(late, fmt.Errorf("error 3"))
	// Now the memory may be a later block's.
	b.report(late, errors.New("a second time, after the end"))
	if left := *late; !reflect.ValueOf(left).IsZero() {
		t.Errorf("the next block would begin with %+v", left)
	}
	o.wait(t, 0)
	for i := range rs {
		if got := fmt.Sprint(o.errs[i]); got != fmt.Sprintf("error %d", i) || o.calls[i] != 1 {
			t.Errorf("record %d: %q in %d calls", i, got, o.calls[i])
		}
	}
	if !cancelled || b.expiry.Stop() {
		t.Error("the block's context and timer are not freed with its last record")
	}
}

// recordsHook sees records, as those of tracing libraries do.
type recordsHook struct {
	kgo.HookProduceRecordUnbuffered
}

// What hooks may have kept is not used again.
func TestBlockMemoryAndHooks(t *testing.T) {
	for shown, opts := range map[bool][]kgo.Opt{
		true:  {kgo.WithHooks(metricsHook{}, recordsHook{})},
		false: {kgo.WithHooks(metricsHook{})},
	} {
		p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil, opts...)
		if p.shown != shown {
			t.Errorf("hooks that see records: %v, want %v", p.shown, shown)
		}
		m := newBlockMemory(1000)
		m.records[7].Topic = "kept"
		b := &block{p: p, blockMemory: m, expiry: time.NewTimer(time.Hour), cancel: func() {}}
		b.end()
		if kept := m.records[7].Topic == "kept"; kept != shown {
			t.Errorf("hooks that see records: %v, but records kept: %v", shown, kept)
		}
	}
}

// metricsHook is one that sees none.
type metricsHook struct{ kgo.HookBrokerE2E }

// Memory of another block serves one of about its size, and no smaller one that
// would keep what it does not need.
func TestBlockMemorySizes(t *testing.T) {
	for _, n := range []int{1, 15, 16, 1000, blockRecords} {
		m := newBlockMemory(n)
		if len(m.records) != n || len(m.owners) != n || cap(m.records) > n+n/4 || cap(m.owners) != cap(m.records) {
			t.Errorf("%d: %d records of %d, %d owners of %d", n, len(m.records), cap(m.records), len(m.owners), cap(m.owners))
		}
		blockMemories.Put(m)
	}
}
