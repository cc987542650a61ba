package zapkafka

import (
	"testing"
	"time"
)

// Memory that was in use since the last look is kept, the rest is given back.
func TestTrimKeepsWhatIsInUse(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q := newQueue(o, Overhead{}, heap{})
	const chunks = 20
	fill := func(n int) {
		// Nobody takes chunks here: the test is sender and writer in one.
		for len(q.waiting) < n {
			if err := q.put(&noMeta, line200); err != nil {
				t.Fatal(err)
			}
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		for len(q.waiting) > 0 {
			c := q.waiting[0]
			q.popWaitingLocked(c)
			q.chunkSettledLocked(c)
			q.freeLocked(c)
		}
	}
	trim := func(now time.Time) int {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.trimLocked(now)
		return len(q.spares)
	}
	fill(chunks)
	now := time.Now()
	if n := trim(now); n < chunks {
		t.Fatalf("%d spare arenas after %d chunks", n, chunks)
	}
	spare := len(q.spares)
	fill(5)
	now = now.Add(trimInterval)
	n := trim(now)
	if n < 5 || n > 5+2*keepSpares {
		t.Errorf("%d of %d spare arenas kept, 5 were in use", n, spare)
	}
	now = now.Add(trimInterval)
	if n := trim(now); n != keepSpares {
		t.Errorf("%d spare arenas kept with none in use, want %d", n, keepSpares)
	}
	if used, spare := q.used, q.spare; spare != int64(keepSpares)*q.chunkCost() || used != q.chunkCost() {
		t.Errorf("%d bytes charged and %d spare, want one chunk each", used, spare)
	}
}
