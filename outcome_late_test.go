package zapkafka

import (
	"testing"
	"time"
)

// A record that Kafka refuses after it went to the fallback is one that the replay has to
// know of: it may be to blame for what was refused beside it.
func TestLateRefusalsCount(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{SyncTimeout: 20 * time.Millisecond})
	mustWrite(t, s, "late\n")
	eventually(t, "the entry on file", func() bool {
		_ = s.Sync()
		return s.Stats().FellBack.Total() == 1
	})
	for _, r := range p.takeHeld() {
		r.Done(errPoison)
	}
	if n, late := s.q.counters.refused.Load(), s.Stats().LateFailed; n != 1 || late != 1 {
		t.Errorf("%d refused, %d late failures, want 1 and 1", n, late)
	}
}
