package zapkafka

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A Sync whose write fails takes back its own order, never that of a Shutdown
// which came meanwhile.
func TestShutdownsOrderOutlivesAFailedSync(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	gate, entered := make(chan struct{}), make(chan struct{})
	var writes atomic.Int32
	f := &memoryFile{write: func(b []byte) (int, error) {
		if writes.Add(1) == 1 {
			close(entered)
			<-gate
			return 0, errors.New("one bad moment")
		}
		return len(b), nil
	}}
	s := newTestSyncer(t, p, f, &Options{SyncTimeout: 50 * time.Millisecond})
	const n = 5000
	for i := 0; i < n; i++ {
		mustWrite(t, s, string(line200))
	}
	go s.Sync()
	<-entered
	go func() {
		eventually(t, "Shutdown's order", func() bool {
			s.q.mu.Lock()
			defer s.q.mu.Unlock()
			return s.q.giveUpWhy == reasonClosed
		})
		close(gate)
	}()
	if err := shutdownWithin(t, s, time.Second); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.FellBack.Total() != n || len(f.lines()) != n {
		t.Errorf("%d of %d entries on file: %+v", len(f.lines()), n, st)
	}
}

func TestNoSyncChangesShutdownsOrder(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	q.giveUp(10, reasonSync, 0)
	q.giveUp(10, reasonClosed, 0)
	q.giveUp(11, reasonSync, 0)
	q.mu.Lock()
	q.cancelSyncLocked()
	q.mu.Unlock()
	if q.giveUpUpTo != 11 || q.giveUpWhy != reasonClosed {
		t.Errorf("up to %d for reason %d, want 11 for %d", q.giveUpUpTo, q.giveUpWhy, reasonClosed)
	}
}

// An entry for which several chunks must come free gets them, although small
// entries would take each as it comes.
func TestLargeEntriesAreServedInTurn(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := newStall()
	s, err := NewKafkaSyncer(p, "test", f, &Options{
		BufferBytes: 8 << 20, MaxWait: 5 * time.Second, CloseTimeout: time.Second, ErrorHandler: func(error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	flooders := make(chan struct{}, 4)
	for g := 0; g < cap(flooders); g++ {
		go func() {
			defer func() { flooders <- struct{}{} }()
			for !isClosed(stop) {
				_, _ = s.Write(line200)
			}
		}()
	}
	eventually(t, "the queue to be full", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return len(s.q.waiters) == cap(flooders)
	})
	large := make(chan error, 1)
	go func() {
		_, err := s.Write([]byte(strings.Repeat("x", 900_000)))
		large <- err
	}()
	// The disk goes on, slower than the flood: a write ends when what the last one
	// freed is filled again and all wait.
	var failed error
	eventually(t, "the large entry to be served", func() bool {
		select {
		case failed = <-large:
			return true
		default:
		}
		s.q.mu.Lock()
		all := len(s.q.waiters) > cap(flooders)
		s.q.mu.Unlock()
		if all {
			select {
			case f.gate <- struct{}{}:
			default:
			}
		}
		return false
	})
	if failed != nil {
		t.Errorf("the large entry: %v", failed)
	}
	close(stop)
	close(f.gate)
	for g := 0; g < cap(flooders); g++ {
		<-flooders
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkBalance(t, s.Stats())
}

// Entries that are too large for Kafka, or lost, do not end the open chunk: else
// many of them would fill the bound with nearly empty ones.
func TestOversizeEntriesLeaveTheOpenChunkAlone(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{MaxEntryBytes: 1000, Linger: 5 * time.Second})
	over := []byte(strings.Repeat("o", 1001))
	for i := 0; i < 500; i++ {
		mustWrite(t, s, string(line200))
		mustWrite(t, s, string(over))
	}
	eventually(t, "the rejected entries on file", func() bool { return s.Stats().FellBack.TooLarge == 500 })
	if st := s.Stats(); st.PendingBytes > 1<<20 || st.PendingEntries != 500 {
		t.Errorf("500 small entries take %d bytes: %+v", st.PendingBytes, st)
	}
	// A Sync waits for each of them.
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := len(f.lines()); got != 1000 {
		t.Errorf("%d entries on file after Sync, want 1000", got)
	}
}

// The chunk that was open when an oversize entry came is older than that.
func TestSettledUpToWithAnOversizeEntry(t *testing.T) {
	o, _ := (&Options{MaxEntryBytes: 1000}).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{200, 1001} {
		if err := q.put(&noMeta, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if upTo := q.settledUpToLocked(); upTo != 0 {
		t.Errorf("settled up to %d with the chunk open, want 0", upTo)
	}
	q.sealLocked()
	if upTo := q.settledUpToLocked(); upTo != 0 {
		t.Errorf("settled up to %d with the chunk sealed, want 0", upTo)
	}
}

// That a small rejected entry still goes on file does not mean that a chunk
// would: the fallback is left in peace for its second.
func TestRejectedEntriesDoNotEndTheBackOff(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	q.diskAnswered(errors.New("no space left on device"), false)
	q.diskAnswered(nil, true)
	if !q.failing {
		t.Error("a rejected entry ended the back-off")
	}
	if q.diskAnswered(nil, false); q.failing {
		t.Error("a chunk did not end the back-off")
	}
}

func TestNothingIsKeptAfterShutdown(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{CloseTimeout: 2 * time.Second})
	for i := 0; i < 10_000; i++ {
		mustWrite(t, s, string(line200))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	if s.q.spare != 0 || s.q.used != 0 {
		t.Errorf("%d bytes spare and %d in use after Close", s.q.spare, s.q.used)
	}
}

// Syncs after Shutdown make the fsync themselves, and none is forgotten between
// two who ask at once.
func TestSyncsAfterShutdown(t *testing.T) {
	f := &memoryFile{}
	s := newTestSyncer(t, &fakeProducer{}, f, nil)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 8)
	for g := 0; g < cap(done); g++ {
		go func() {
			for i := 0; i < 500; i++ {
				if _, err := s.Write(line200); err != nil {
					done <- err
					return
				}
				if err := s.Sync(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for g := 0; g < cap(done); g++ {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if f.synced() == 0 {
		t.Error("no fsync was made")
	}
}
