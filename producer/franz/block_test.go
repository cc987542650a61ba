package franz

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Promises of several partitions come mixed; a pointer is all they say.
func TestBlockFindsOwners(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), nil)
	rs, o := records(6, numbered)
	cancelled := false
	b := &block{p: p, records: make([]kgo.Record, len(rs)), owners: rs, left: len(rs),
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
	b.report(&b.records[3], fmt.Errorf("error 3"))
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
