package zapkafka

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Memory that was in use since the last look is kept, the rest is given back.
func TestTrimKeepsWhatIsInUse(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
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

// Who waits for room gets it in the order of coming, before those who come
// later: else some would wait in vain although the disk keeps up.
func TestWaitersAreServedInOrder(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := newStall()
	s, err := NewKafkaSyncer(p, "test", f, &Options{
		BufferBytes: 4 << 20, MaxWait: waitTime, CloseTimeout: time.Second, ErrorHandler: func(error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{})
	go func() {
		defer close(full)
		for i := 0; i < 30_000; i++ { // more than there is room for
			_, _ = s.Write(line200)
		}
	}()
	waiting := func() int {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return len(s.q.waiters)
	}
	eventually(t, "the queue to be full", func() bool { return waiting() == 1 })
	const waiters = 100
	var wg sync.WaitGroup
	for i := 0; i < waiters; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			if _, err := fmt.Fprintf(s, "waiter %03d\n", i); err != nil {
				t.Error(err)
			}
		}(i)
		eventually(t, "the next to wait", func() bool { return waiting() == i+2 })
	}
	// One write ends: room for a chunk, unless the sender needs it more.
	eventually(t, "all to be served by one chunk's room", func() bool {
		select {
		case f.gate <- struct{}{}:
		case <-time.After(10 * time.Millisecond):
		}
		return waiting() <= 1
	})
	wg.Wait()
	close(f.gate)
	<-full
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	next := 0
	for _, l := range f.lines() {
		if l == fmt.Sprintf("waiter %03d", next) {
			next++
		} else if strings.HasPrefix(l, "waiter") {
			t.Fatalf("%q comes before waiter %d", l, next)
		}
	}
	if next != waiters {
		t.Errorf("%d of %d waiters on file", next, waiters)
	}
	checkBalance(t, s.Stats())
}
