package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// TestStress drives small syncers through faults of all kinds at once: a client
// that blocks, refuses, answers late or not at all, a fallback that hangs, fails
// and writes half, entries of all sizes, Sync and Shutdown in the middle. The
// bound must hold all the time, the books must balance, and no memory may stay
// charged when the client has let go.
func TestStress(t *testing.T) {
	runs := 4
	if testing.Short() {
		runs = 1
	}
	seed := time.Now().UnixNano()
	for run := 0; run < runs; run++ {
		seed := seed + int64(run)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { oneStressRun(t, seed) })
	}
}

// faults is a client and a disk with all of them.
type faults struct {
	fakeProducer
	memoryFile
	hangs bool          // writes hang now and then
	gate  chan struct{} // closed: no write hangs any more
	wg    sync.WaitGroup

	rngMu sync.Mutex
	rng   *rand.Rand
}

func (f *faults) intn(n int) int {
	f.rngMu.Lock()
	defer f.rngMu.Unlock()
	return f.rng.Intn(n)
}

func (f *faults) pause(most int) <-chan time.Time {
	return time.After(time.Duration(f.intn(most)) * time.Millisecond)
}

// deliver is the client's.
func (f *faults) deliver(ctx context.Context, records []*Record) {
	if f.intn(8) == 0 {
		select {
		case <-ctx.Done():
		case <-f.pause(5):
		}
	}
	var err error
	if f.intn(3) == 0 {
		err = errors.New("broker says no")
	}
	switch f.intn(5) {
	case 0, 1:
		for _, r := range records {
			r.Done(err)
		}
	case 2:
		records = append([]*Record(nil), records...)
		f.wg.Add(1)
		go func() {
			defer f.wg.Done()
			<-f.pause(20)
			for i := range records {
				records[len(records)-1-i].Done(err)
			}
		}()
	default:
		f.hold(ctx, records)
	}
}

// put is the disk's.
func (f *faults) put(b []byte) (int, error) {
	switch f.intn(40) {
	case 0:
		most := 20
		if f.hangs {
			most = 700
		}
		select {
		case <-f.gate:
		case <-f.pause(most):
		}
	case 1, 2:
		return f.intn(len(b) + 1), errors.New("no space left on device")
	case 3:
		return len(b), errors.New("on file, but not in the index")
	}
	return len(b), nil
}

func oneStressRun(t *testing.T, seed int64) {
	f := &faults{rng: rand.New(rand.NewSource(seed)), hangs: seed%2 == 0, gate: make(chan struct{})}
	f.overhead = Overhead{RecordBytes: f.intn(2000), ValuePercent: f.intn(150)}
	f.handle, f.write = f.deliver, f.put
	o, err := (&Options{
		BufferBytes: 4 << 20, MaxEntryBytes: 100_000 + f.intn(400_000), MaxWait: time.Duration(1+f.intn(20)) * time.Millisecond,
		SyncTimeout: time.Duration(10+f.intn(50)) * time.Millisecond, Linger: time.Duration(f.intn(3)-1) * time.Millisecond,
		LastResort: zapcore.AddSync(io.Discard), ErrorHandler: func(error) {},
	}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if f.intn(2) == 0 {
		o.FallbackLevel = zapcore.ErrorLevel
	}
	o.DeliveryTimeout = time.Duration(10+f.intn(100)) * time.Millisecond // below what users may ask for
	q, err := newQueue(o, f.overhead)
	if err != nil {
		t.Fatal(err)
	}
	s := startSyncer(&f.fakeProducer, "test", &f.memoryFile, o, newReporter(o.ErrorHandler), q)

	var broken atomic.Int64
	var wg sync.WaitGroup
	const writers, each = 4, 3000
	for g := 0; g < writers; g++ {
		wg.Add(1)
		go func(rng *rand.Rand) {
			defer wg.Done()
			for i := 0; i < each; i++ {
				n := rng.Intn(2000)
				switch rng.Intn(200) {
				case 0:
					n = rng.Intn(2 << 20)
				case 1:
					_ = s.Sync()
				}
				_, _ = s.write(&meta{level: levelRank(rng.Intn(levelRanks))}, make([]byte, n))
				q.mu.Lock()
				if q.used+q.spare > q.limit || q.used < 0 || q.inClient < 0 || q.spare < 0 || q.clients < 0 {
					broken.Add(1)
				}
				q.mu.Unlock()
			}
		}(rand.New(rand.NewSource(seed + int64(g) + 1)))
	}
	<-f.pause(150)
	_ = shutdownWithin(t, s, time.Duration(f.intn(300))*time.Millisecond)
	close(f.gate)
	wg.Wait()
	f.wg.Wait()
	for _, done := range []chan struct{}{s.sender.done, s.writer.done, s.fsync.done, s.reporter.done} {
		if !waitUntil(done, time.Now().Add(waitTime)) {
			t.Error("a goroutine is left")
		}
	}
	f.answer()

	st := s.Stats()
	checkBalance(t, st)
	if st.Accepted != writers*each {
		t.Errorf("accepted %d, want %d", st.Accepted, writers*each)
	}
	if n := broken.Load(); n > 0 {
		t.Errorf("the bound was broken, or a count below zero, at %d looks", n)
	}
	// What was in memory when a write hung at the end of Shutdown stays charged.
	if st.PendingBytes != 0 && st.Lost.FallbackStuck == 0 {
		t.Errorf("%d bytes are still charged although nobody holds anything: lost %+v", st.PendingBytes, st.Lost)
	}
}
