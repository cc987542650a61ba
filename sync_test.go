package zapkafka

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Sync that finds neither Kafka nor the fallback well says so and loses
// nothing: what waits and what the client holds reaches Kafka when it is back.
func TestSyncWithAFailingFallbackLosesNothing(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{write: func([]byte) (int, error) { return 0, errors.New("no space left on device") }}
	s := newTestSyncer(t, p, f, &Options{SyncTimeout: 100 * time.Millisecond})
	const n = 100_000
	for i := 0; i < n; i++ {
		mustWrite(t, s, string(line200))
	}
	if err := s.Sync(); err == nil || !strings.Contains(err.Error(), "neither acknowledged by Kafka nor on file") {
		t.Errorf("Sync = %v, want an error that says how many entries are nowhere", err)
	}
	p.answer()
	eventually(t, "all outcomes", func() bool { return s.Stats().PendingEntries == 0 })
	if st := s.Stats(); st.Acked != n || st.Lost.Total() != 0 {
		t.Errorf("acked %d, lost %+v; want %d and none", st.Acked, st.Lost, n)
	}
}

// The same goes for what never was with the client, because Produce blocks.
func TestSyncWithAFailingFallbackLosesNothingThatWaits(t *testing.T) {
	p := &fakeProducer{}
	unblock := make(chan struct{})
	p.handle = func(ctx context.Context, records []*Record) {
		p.hold(ctx, records)
		<-unblock
	}
	var bad atomic.Bool
	f := &memoryFile{write: func(b []byte) (int, error) {
		if bad.Load() {
			return 0, errors.New("no space left on device")
		}
		return len(b), nil
	}}
	s := newTestSyncer(t, p, f, &Options{SyncTimeout: 100 * time.Millisecond})
	mustWrite(t, s, "with the client\n")
	eventually(t, "the record at the client", func() bool { return clientsOf(s) == 1 })
	if err := s.Sync(); err != nil { // it is on file
		t.Error(err)
	}
	bad.Store(true)
	mustWrite(t, s, "waits\n")
	if err := s.Sync(); err == nil || !strings.Contains(err.Error(), "1 entries are neither") {
		t.Errorf("Sync = %v, want an error that says that one entry is nowhere", err)
	}
	p.answer()
	close(unblock)
	eventually(t, "all outcomes", func() bool { return s.Stats().PendingEntries == 0 })
	if st := s.Stats(); st.Acked != 1 || st.FellBack.Sync != 1 || st.LateAcked != 1 || st.Lost.Total() != 0 {
		t.Errorf("%+v, want one on file and late, one acked, none lost", st)
	}
}

// A record that was given up for a Sync and could not be written is undecided
// again: Kafka's answer counts, and so does the deadline.
func TestRecordGivenUpForASyncThatCannotBeWritten(t *testing.T) {
	for _, kafka := range []bool{true, false} {
		name := "then Kafka answers"
		if !kafka {
			name = "then the deadline comes"
		}
		t.Run(name, func(t *testing.T) {
			p := &fakeProducer{}
			p.handle = p.hold
			var bad atomic.Bool
			bad.Store(true)
			f := &memoryFile{write: func(b []byte) (int, error) {
				if bad.Load() {
					return 0, errors.New("no space left on device")
				}
				return len(b), nil
			}}
			s := newTestSyncer(t, p, f, &Options{SyncTimeout: 100 * time.Millisecond, DeliveryTimeout: time.Second})
			mustWrite(t, s, "a\n")
			eventually(t, "the record at the client", func() bool { return clientsOf(s) == 1 })
			if err := s.Sync(); err == nil {
				t.Error("Sync = nil, but the entry is nowhere")
			}
			if st := s.Stats(); st.PendingEntries != 1 || st.Lost.Total() != 0 {
				t.Errorf("after the Sync: %+v, want the entry to be pending", st)
			}
			bad.Store(false)
			if kafka {
				p.answer()
			}
			eventually(t, "the outcome", func() bool { return s.Stats().PendingEntries == 0 })
			st := s.Stats()
			if kafka && (st.Acked != 1 || st.LateAcked != 0 || len(f.lines()) != 0) {
				t.Errorf("%+v, want it acked in time and not on file", st)
			}
			if !kafka && (st.FellBack.Deadline != 1 || strings.Join(f.lines(), "|") != "a") {
				t.Errorf("%+v, want it on file by its deadline", st)
			}
			p.answer()
		})
	}
}

// clientsOf is how many chunks are with the producer.
func clientsOf(s *KafkaSyncer) int {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	return s.q.clients
}

// A write that failed once is no reason for a later Sync not to try again.
func TestSyncTriesAFallbackThatFailedBefore(t *testing.T) {
	p := &fakeProducer{handle: refuse}
	var bad atomic.Bool
	bad.Store(true)
	f := &memoryFile{write: func(b []byte) (int, error) {
		if bad.Load() {
			return 0, errors.New("no space left on device")
		}
		return len(b), nil
	}}
	s := newTestSyncer(t, p, f, &Options{SyncTimeout: time.Second})
	mustWrite(t, s, "x\n")
	eventually(t, "one to be lost", func() bool { return s.Stats().Lost.FallbackFailed == 1 })
	bad.Store(false)
	s.q.mu.Lock()
	s.q.failingUntil = time.Now() // the second is over in which a failing disk is left in peace
	s.q.mu.Unlock()
	p.setHandle(p.hold)
	mustWrite(t, s, "last words\n")
	if err := s.Sync(); err != nil {
		t.Errorf("Sync with a good disk: %v", err)
	}
	if got := strings.Join(f.lines(), "|"); got != "last words" {
		t.Errorf("on file %q", got)
	}
}

// collector is a client that keeps records for fuller batches until it is told
// to flush.
type collector struct{ fakeProducer }

func (p *collector) Flush(ctx context.Context) {
	p.fakeProducer.Flush(ctx)
	p.ack(p.takeHeld())
}

func TestSyncFlushesAClientThatCollects(t *testing.T) {
	p := &collector{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{SyncTimeout: 500 * time.Millisecond})
	mustWrite(t, s, "a\n")
	eventually(t, "the record at the client", func() bool { return clientsOf(s) == 1 })
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Acked != 1 {
		t.Errorf("%+v, want the entry acked: the client was not flushed", st)
	}
}

// When the client has let go of all that Kafka did not answer, the next Sync
// gives Kafka its time again.
func TestSyncForgetsASilenceWithTheRecordsOfIt(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{SyncTimeout: 400 * time.Millisecond})
	mustWrite(t, s, "a\n")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, r := range p.takeHeld() {
		r.Done(errors.New("timed out"))
	}
	mustWrite(t, s, "b\n")
	eventually(t, "the record at the client", func() bool { return clientsOf(s) == 1 })
	go func() {
		<-time.After(50 * time.Millisecond) // Kafka is back, and takes that long
		p.answer()
	}()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Acked != 1 || st.FellBack.Sync != 1 {
		t.Errorf("%+v, want the second entry acked", st)
	}
}

// A flood of refused entries keeps the fallback writer busy, but does not keep
// it from what a Sync waits for.
func TestSyncBesideAFloodOfRefusals(t *testing.T) {
	p := &fakeProducer{}
	var calls atomic.Int32
	p.handle = func(ctx context.Context, records []*Record) {
		if calls.Add(1) == 1 {
			p.hold(ctx, records)
			return
		}
		refuse(ctx, records)
	}
	f := &memoryFile{write: func(b []byte) (int, error) {
		<-time.After(2 * time.Millisecond)
		return len(b), nil
	}}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20})
	mustWrite(t, s, "held\n")
	eventually(t, "the first entry at the client", func() bool { return calls.Load() == 1 })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := 0; g < 4; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !isClosed(stop) {
				_, _ = s.Write(line200)
			}
		}()
	}
	eventually(t, "the flood", func() bool { return calls.Load() > 20 })
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
	if st := s.Stats(); st.FellBack.Sync == 0 {
		t.Errorf("%+v, want the first entry on file by the Sync", st)
	}
	p.answer()
}

// brokenSync is a fallback whose fsync fails.
type brokenSync struct{ memoryFile }

func (f *brokenSync) Sync() error { return errors.New("input/output error") }

// An fsync that failed is asked for again: no Sync says that all is well before
// one succeeds.
func TestSyncSaysWhenTheFsyncFails(t *testing.T) {
	p := &fakeProducer{handle: refuse}
	s, err := NewKafkaSyncer(p, "test", &brokenSync{}, &Options{ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "a\n")
	for i := 0; i < 2; i++ {
		if err := s.Sync(); err == nil || !strings.Contains(err.Error(), "input/output error") {
			t.Errorf("Sync %d = %v, want why the fsync failed", i, err)
		}
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("Close = %v, want why the fsync failed", err)
	}
}

func TestSyncAfterShutdownReachesTheDisk(t *testing.T) {
	f := &memoryFile{}
	s := newTestSyncer(t, &fakeProducer{}, f, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := f.synced()
	mustWrite(t, s, "late\n")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if f.synced() == before {
		t.Error("Sync = nil, but what was written after Shutdown was not fsynced")
	}
}

// gatedFsync is a fallback whose fsync takes until the test lets it go.
type gatedFsync struct {
	fallbackFile
	begun, goOn chan struct{}
}

func (f *gatedFsync) Sync() error {
	f.begun <- struct{}{}
	<-f.goOn
	return f.fallbackFile.Sync()
}

// The fallback takes what there is no room for while an fsync is under way.
func TestFsyncHoldsUpNoSpilling(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := mustOpenFallback(t, t.TempDir(), nil)
	s, err := NewKafkaSyncer(p, "test", f, &Options{
		BufferBytes: 4 << 20, MaxWait: 2 * time.Second, SyncTimeout: 200 * time.Millisecond,
		CloseTimeout: 4 * time.Second, ErrorHandler: func(error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	gate := &gatedFsync{fallbackFile: s.file, begun: make(chan struct{}, 2), goOn: make(chan struct{})}
	s.fsync.file = gate // nothing was written yet, so nobody looks
	mustWrite(t, s, "a\n")
	synced := make(chan error, 1)
	go func() { synced <- s.Sync() }()
	<-gate.begun
	for i := 0; i < 40_000; i++ { // twice the bound
		mustWrite(t, s, string(line200))
	}
	if err := <-synced; !errors.Is(err, errFsyncSlow) {
		t.Errorf("Sync = %v, want that the disk does not confirm", err)
	}
	close(gate.goOn)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkBalance(t, s.Stats())
}
