package zapkafka

import (
	"errors"
	"fmt"
	"runtime"
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
	fill := func(n int) { fillAndFree(t, q, n) }
	trim := func(now time.Time) int {
		q.mu.Lock()
		defer q.mu.Unlock()
		for again := true; again; { // a few at a time
			again = q.trimLocked(now) == trimPause
		}
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

// fillAndFree fills n chunks and takes their memory back. Nobody else takes
// chunks: the test is sender and writer in one.
func fillAndFree(t *testing.T, q *queue, n int) {
	t.Helper()
	fillChunks(t, q, n)
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		c := q.waiting[0]
		q.popWaitingLocked(c)
		q.chunkSettledLocked(c)
		q.freeLocked(c)
	}
}

func fillChunks(t *testing.T, q *queue, n int) {
	t.Helper()
	for len(q.waiting) < n {
		if err := q.put(&noMeta, line200); err != nil {
			t.Fatal(err)
		}
	}
}

func newTestQueue(t *testing.T, o *Options) *queue {
	t.Helper()
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// handOver does the sender's part for the oldest chunk.
func handOver(t *testing.T, q *queue) *chunk {
	t.Helper()
	c, _ := q.takeForProducer(time.Now())
	if c == nil {
		t.Fatal("no chunk for the producer")
	}
	c.makeRecords("test")
	q.publish(c)
	return c
}

// Spare memory is given back also while the sender is blocked by the producer.
func TestFallbackWriterTrimsToo(t *testing.T) {
	q := newTestQueue(t, nil)
	fillAndFree(t, q, 20)
	now := time.Now()
	_, wait := q.takeForFallback(now)
	if wait <= 0 || wait > trimInterval {
		t.Errorf("the fallback writer comes back in %v, want the time to the next trim", wait)
	}
	for wait = trimPause; wait == trimPause; { // a few at a time
		_, wait = q.takeForFallback(now.Add(trimInterval))
	}
	if n := len(q.spares); n != keepSpares {
		t.Errorf("%d spare arenas are kept, want %d", n, keepSpares)
	}
}

// The list of chunks lets go of those that have their outcome, or their records
// would stay in memory uncounted.
func TestSettledChunksAreLetGo(t *testing.T) {
	q := newTestQueue(t, nil)
	fillChunks(t, q, 8)
	q.mu.Lock()
	defer q.mu.Unlock()
	chunks := append([]*chunk(nil), q.order...)
	for _, i := range []int{1, 2, 3, 5, 0} {
		q.chunkSettledLocked(chunks[i])
	}
	want := []*chunk{chunks[4], chunks[6], chunks[7]}
	for i, c := range q.order[:cap(q.order)] {
		switch {
		case i < len(want) && c != want[i]:
			t.Errorf("place %d has the wrong chunk", i)
		case i >= len(want) && c != nil:
			t.Errorf("place %d behind the end of the list keeps a chunk", i)
		}
	}
	if len(q.order) != len(want) {
		t.Errorf("%d chunks in the list, want %d", len(q.order), len(want))
	}
}

// The fallback writer passes over a chunk that the sender is just taking; it
// must be told when it can look at its deadline.
func TestDeadlineOfAChunkThatWasClaimed(t *testing.T) {
	q := newTestQueue(t, &Options{Linger: -1})
	if err := q.put(&noMeta, line200); err != nil {
		t.Fatal(err)
	}
	c, _ := q.takeForProducer(time.Now())
	<-q.wakeWriter // told when the chunk was begun
	if j, wait := q.takeForFallback(time.Now()); j.c != nil || wait != never {
		t.Fatalf("the fallback writer got %v, %v for a chunk that is claimed", j, wait)
	}
	c.makeRecords("test")
	q.publish(c)
	select {
	case <-q.wakeWriter:
	default:
		t.Fatal("nobody tells the fallback writer of the chunk's deadline")
	}
	if _, wait := q.takeForFallback(time.Now()); wait <= 0 || wait > q.delivery {
		t.Errorf("the fallback writer comes back in %v, want the time to the deadline", wait)
	}
	if j, _ := q.takeForFallback(time.Now().Add(q.delivery)); j.c != c || j.why != reasonDeadline {
		t.Errorf("at the deadline the fallback writer gets %v", j)
	}
}

func TestDoneAllocatesNothing(t *testing.T) {
	q := newTestQueue(t, &Options{Linger: -1})
	for i := 0; i < 1001; i++ {
		if err := q.put(&noMeta, []byte("x\n")); err != nil {
			t.Fatal(err)
		}
	}
	c := handOver(t, q)
	i := 0
	if n := testing.AllocsPerRun(900, func() { c.records[i].Done(nil); i++ }); n > 0 {
		t.Errorf("Done allocates %v times", n)
	}
}

// A chunk can be free of memory a moment before it counts as settled: what is on
// file by then is not lost when Shutdown gives up at that moment.
func TestAbandonBetweenReleaseAndSettled(t *testing.T) {
	q := newTestQueue(t, &Options{Linger: -1})
	if err := q.put(&noMeta, line200); err != nil {
		t.Fatal(err)
	}
	c := handOver(t, q)
	r := &c.records[0]
	// The fallback writer has put it on file and counted; chunkSettled comes next.
	c.giveUp(reasonSync)
	settleRecord(r, fellBack)
	q.counters.addFellBack(reasonSync, one(0))
	counted := uint64(unsettledOne + 1)
	c.counts.Add(-counted)
	r.Done(nil) // the last hold: the memory is free
	if n := q.abandon(); n != 0 {
		t.Errorf("%d entries abandoned that were on file", n)
	}
	q.chunkSettled(c)
	checkBalance(t, q.stats())
}

// Only a write that takes all of a caller's wait shows a disk that stands still.
// A caller who waits in vain while nothing is written (a large entry, a busy
// machine) does not spoil it for the next.
func TestOnlyAWriteThatHangsMarksTheDiskStalled(t *testing.T) {
	q := newTestQueue(t, &Options{BufferBytes: 4 << 20, MaxWait: 10 * time.Millisecond})
	fill := func() {
		t.Helper()
		for {
			if err := q.put(&noMeta, line200); err != nil {
				if !errors.Is(err, ErrQueueFull) {
					t.Fatal(err)
				}
				return
			}
		}
	}
	fill()
	if q.stalled {
		t.Error("stalled, but no write was under way")
	}
	q.diskAsked()
	go func() {
		q.diskAnswered(nil, false)
		q.diskAsked()
	}()
	eventually(t, "a write to end and another to begin", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.writes == 1 && q.writing
	})
	fill()
	if !q.stalled {
		t.Error("not stalled, but one write took all of the wait")
	}
	q.diskAnswered(nil, false)
	if q.stalled {
		t.Error("stalled, but the write came to its end")
	}
}

// An entry with a key begins no chunk which has room for its line but not for the
// key's place: nobody would put anything into it.
func TestMetaWithoutRoomBeginsNoChunk(t *testing.T) {
	q := newTestQueue(t, &Options{BufferBytes: 4 << 20, MaxWait: -1})
	m := &meta{topic: "other"}
	var none *memory
	for q.used+q.chunkCost()+none.lacks(m, q.chunkRecords) <= q.limit-q.reserve { // others hold all but one chunk
		q.used += q.chunkCost()
	}
	before := q.used
	if err := q.put(m, line200); !errors.Is(err, ErrQueueFull) {
		t.Errorf("put = %v, want ErrQueueFull", err)
	}
	if q.used != before || q.open != nil || len(q.order) != 0 {
		t.Errorf("%d bytes more in use, open %v, %d chunks sealed; want nothing changed", q.used-before, q.open, len(q.order))
	}
	if err := q.put(&noMeta, line200); err != nil {
		t.Errorf("put without a key = %v, there is room", err)
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
	// One write after the other ends, until there is room for a chunk: that has
	// room for all of them.
	eventually(t, "all to be served", func() bool {
		if waiting() <= 1 {
			return true
		}
		select {
		case f.gate <- struct{}{}:
		default:
		}
		return false
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

// With log calls on every processor the sender would be one goroutine of many, or
// none at all for the time that a goroutine may run, 10 ms: those who fill chunks
// let it go first.
func TestSenderIsNotLeftBehind(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := newTestSyncer(t, &fakeProducer{}, &memoryFile{}, nil)
	q, most := s.q, 0
	for i := 0; i < 30_000; i++ {
		if _, err := s.Write(line200); err != nil {
			t.Fatal(err)
		}
		if i%200 == 0 {
			q.mu.Lock()
			if n := len(q.waiting); n > most {
				most = n
			}
			q.mu.Unlock()
		}
	}
	if most > 3 {
		t.Errorf("up to %d chunks waited for a sender that had nothing else to do", most)
	}
}

// Nobody gives way for a sender that could not hand over anything.
func TestSenderBehind(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.end()
	for len(q.waiting) < 3 {
		if got, want := q.senderBehindLocked(), len(q.waiting) == 2; got != want {
			t.Fatalf("with %d chunks: %v", len(q.waiting), got)
		}
		if err := q.put(&meta{}, line200); err != nil {
			t.Fatal(err)
		}
	}
	for name, hinder := range map[string]func(){
		"the client's part is full": func() { q.clients, q.inClient = 1, q.share },
		"an outage":                 func() { q.health.state = FallbackOnly },
	} {
		hinder()
		if q.senderBehindLocked() {
			t.Error(name)
		}
		q.clients, q.inClient, q.health.state = 0, 0, Healthy
		if !q.senderBehindLocked() {
			t.Error("not any more: " + name)
		}
	}
}
