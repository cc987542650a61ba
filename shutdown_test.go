package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shutdownWithin runs Shutdown and checks that it keeps its promise on time.
func shutdownWithin(t *testing.T, s *KafkaSyncer, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	late := lateness()
	begin := time.Now()
	err := s.Shutdown(ctx)
	took := time.Since(begin)
	// Half a second is the promise, on a machine that runs who is due.
	most := limit + 500*time.Millisecond + 4*late()
	if raceEnabled {
		most += 5 * time.Second
	}
	if took > most {
		t.Errorf("Shutdown took %v with a limit of %v", took, limit)
	}
	return err
}

func TestShutdownDelivers(t *testing.T) {
	p := &fakeProducer{keep: true}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{Linger: 5 * time.Second})
	for i := 0; i < 10_000; i++ {
		mustWrite(t, s, fmt.Sprintf("%d\n", i))
	}
	begin := time.Now()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if got := len(p.acknowledged()); got != 10_000 || len(f.lines()) > 0 {
		t.Errorf("%d delivered, %d on file; want 10,000 and none", got, len(f.lines()))
	}
	if !p.closed {
		t.Error("the producer was not closed")
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestShutdownWithSilentKafkaPutsAllOnFile(t *testing.T) {
	for _, limit := range []time.Duration{2 * time.Second, 100 * time.Millisecond, 0} {
		t.Run(limit.String(), func(t *testing.T) {
			p := &fakeProducer{}
			p.handle = p.hold
			f := &memoryFile{}
			s := newTestSyncer(t, p, f, &Options{Linger: 5 * time.Second})
			for i := 0; i < 20_000; i++ {
				mustWrite(t, s, fmt.Sprintf("%d\n", i))
			}
			if err := shutdownWithin(t, s, limit); err != nil {
				t.Error(err)
			}
			if got := len(f.lines()); got != 20_000 || f.synced() == 0 {
				t.Errorf("%d entries on file with %d fsyncs, want 20,000", got, f.synced())
			}
			if st := s.Stats(); st.FellBack.Closed != 20_000 {
				t.Errorf("%+v, want 20,000 by reason closed", st)
			}
		})
	}
}

func TestCancelledShutdownStillWrites(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, nil)
	mustWrite(t, s, "a\n")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	eventually(t, "the queue to close", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return s.q.closed
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := strings.Join(f.lines(), "|"); got != "a" {
		t.Errorf("on file %q, want a", got)
	}
}

func TestShutdownWithADiskThatHangs(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := newStall()
	s, err := NewKafkaSyncer(p, "test", f, &Options{MaxWait: 50 * time.Millisecond, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 5_000; i++ {
		mustWrite(t, s, fmt.Sprintf("%d\n", i))
	}
	late := lateness()
	err = shutdownWithin(t, s, 200*time.Millisecond)
	busy := late() > 10*time.Millisecond
	if err == nil || !strings.Contains(err.Error(), "5000 entries are lost") || !strings.Contains(err.Error(), "has not returned") {
		t.Errorf("Shutdown = %v; want what is lost, and that a write hangs", err)
	}
	for _, innocent := range []string{"producer", "handler"} {
		if err != nil && strings.Contains(err.Error(), innocent) && !busy {
			t.Errorf("Shutdown = %v; only the fallback's write hangs, not the %s", err, innocent)
		}
	}
	st := s.Stats()
	checkBalance(t, st)
	if st.Lost.FallbackStuck != 5_000 {
		t.Errorf("%+v, want 5,000 lost with the fallback stuck", st)
	}
	// An entry that comes later is not held up by the hanging write.
	begin := time.Now()
	if _, err := s.Write([]byte("late\n")); !errors.Is(err, ErrClosed) {
		t.Errorf("Write = %v, want ErrClosed", err)
	}
	if took := time.Since(begin); took > 40*time.Millisecond {
		t.Errorf("a Write took %v although the disk is known to hang", took)
	}
	close(f.gate)
	waitUntil(s.writer.done, time.Now().Add(waitTime))
	eventually(t, "the disk to move again", func() bool { _, err := s.Write([]byte("later\n")); return err == nil })
	// What the hanging write put on file after all does not change its outcome.
	st = s.Stats()
	checkBalance(t, st)
	if st.Lost.FallbackStuck < 5_000 || st.FellBack.Closed == 0 {
		t.Errorf("after the disk moved again: %+v", st)
	}
}

// An entry that a hanging write had in its hands is lost once, whatever comes of
// the write.
func TestShutdownWithADiskThatHangsCountsOversizeEntriesOnce(t *testing.T) {
	f := newStall()
	s, err := NewKafkaSyncer(&fakeProducer{}, "test", f, &Options{MaxEntryBytes: 100, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 3; i++ {
		mustWrite(t, s, string(line200))
	}
	_ = shutdownWithin(t, s, 0)
	st := s.Stats()
	checkBalance(t, st)
	if st.Lost.FallbackStuck != 3 {
		t.Errorf("%+v, want 3 lost with the fallback stuck", st)
	}
	close(f.gate)
	waitUntil(s.writer.done, time.Now().Add(waitTime))
	after := s.Stats()
	checkBalance(t, after)
	if after.Lost != st.Lost || after.FellBack != st.FellBack {
		t.Errorf("outcomes changed when the write returned:\n%+v\n%+v", st, after)
	}
	if n := len(f.lines()); n != 1 {
		t.Errorf("%d entries on file; the writer began another write after Shutdown", n)
	}
}

// Without a deadline the disk has a second after DeliveryTimeout, then Shutdown
// ends with it or without.
func TestShutdownWithoutADeadlineEnds(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := newStall()
	o, err := (&Options{ErrorHandler: func(error) {}}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	o.DeliveryTimeout = 10 * time.Millisecond // below what users may ask for
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	s := startSyncer(p, "test", f, o, newReporter(o.ErrorHandler), q)
	mustWrite(t, s, "a\n")
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	select {
	case err = <-done:
		close(f.gate)
	case <-time.After(5 * time.Second):
		t.Error("Shutdown waits for a disk that hangs")
		close(f.gate)
		err = <-done
	}
	if err == nil || !strings.Contains(err.Error(), "1 entries are lost") {
		t.Errorf("Shutdown = %v, want what is lost", err)
	}
	waitUntil(s.writer.done, time.Now().Add(waitTime))
}

// A fallback that fails while Shutdown gives Kafka its time loses nothing that
// Kafka takes in that time.
func TestShutdownWithAFailingFallbackLeavesWaitingEntriesToKafka(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	var writes atomic.Int32
	f := &memoryFile{write: func([]byte) (int, error) {
		writes.Add(1)
		return 0, errors.New("no space left on device")
	}}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20})
	written := uint64(0)
	for {
		if _, err := s.Write(line200); err != nil {
			break
		}
		written++
	}
	lost := s.Stats().Lost // the one that Write said
	done := make(chan error, 1)
	go func() { done <- shutdownWithin(t, s, waitTime) }()
	eventually(t, "the queue to close", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return s.q.closed
	})
	before := writes.Load()
	s.q.mu.Lock()
	s.q.failingUntil = time.Now() // the second is over in which a failing disk is left in peace
	s.q.mu.Unlock()
	wake(s.q.wakeWriter)
	eventually(t, "another write that fails", func() bool { return writes.Load() > before })
	p.answer()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Acked != written || st.Lost != lost {
		t.Errorf("acked %d, lost %+v; want %d acked and no more lost than %+v", st.Acked, st.Lost, written, lost)
	}
}

// The wait for another's write and the wait for one's own are one MaxWait.
func TestWriteAfterShutdownWaitsOnce(t *testing.T) {
	const maxWait = 400 * time.Millisecond
	f := newStall()
	s, err := NewKafkaSyncer(&fakeProducer{}, "test", f, &Options{MaxWait: maxWait, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	go func() {
		defer close(first)
		_, _ = s.Write([]byte("one\n"))
	}()
	eventually(t, "the first to write", func() bool { return len(s.turn) == 1 })
	begin := time.Now()
	go func() {
		<-time.After(maxWait * 3 / 4)
		f.gate <- struct{}{}
	}()
	if _, err := s.Write([]byte("two\n")); !errors.Is(err, ErrClosed) {
		t.Errorf("Write = %v, want ErrClosed: the disk hangs", err)
	}
	if took := time.Since(begin); took > maxWait+200*time.Millisecond {
		t.Errorf("Write took %v, MaxWait is %v", took, maxWait)
	}
	<-first
	close(f.gate)
	eventually(t, "the hanging write to end", func() bool { return len(s.turn) == 0 })
}

// After Shutdown too an entry that is too large is cut, and counted as cut.
func TestOversizeEntryAfterShutdownIsCut(t *testing.T) {
	f := &memoryFile{}
	s := newTestSyncer(t, &fakeProducer{}, f, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, strings.Repeat("h", maxRejectBytes+10))
	if got := f.lines(); len(got) != 1 || len(got[0]) != maxRejectBytes {
		t.Errorf("%d lines on file, the first of %d bytes; want one of %d", len(got), len(got[0]), maxRejectBytes)
	}
	if st := s.Stats(); st.Cut != 1 || st.FellBack.TooLarge != 1 {
		t.Errorf("%+v, want one too large and cut", st)
	}
}

func TestWriteAfterShutdown(t *testing.T) {
	p := &fakeProducer{}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "late\n")
	mustWrite(t, s, "no newline")
	if err := s.Sync(); err != nil {
		t.Errorf("Sync after Close: %v", err)
	}
	if got := strings.Join(f.lines(), "|"); got != "late|no newline" {
		t.Errorf("on file %q", got)
	}
	f.write = func([]byte) (int, error) { return 0, errors.New("disk full") }
	if _, err := s.Write([]byte("nowhere\n")); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("Write = %v, want ErrClosed and why the fallback failed", err)
	}
	if st := s.Stats(); st.FellBack.Closed != 2 || st.Lost.FallbackFailed != 1 {
		t.Errorf("%+v, want 2 on file, 1 lost", st)
	}
}

func TestShutdownUnderFire(t *testing.T) {
	p := &fakeProducer{}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20, MaxWait: waitTime})
	var wg sync.WaitGroup
	const goroutines, each = 50, 400
	for g := 0; g < goroutines; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < each; i++ {
				if _, err := s.Write(line200); err != nil {
					t.Error(err)
				}
				if i == each/2 {
					go s.Sync()
				}
			}
		}()
	}
	eventually(t, "some entries", func() bool { return s.Stats().Accepted > goroutines*each/4 })
	for i := 0; i < 5; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := shutdownWithin(t, s, 5*time.Second); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	st := s.Stats()
	checkBalance(t, st)
	if st.Accepted != goroutines*each || st.Lost.Total() != 0 {
		t.Errorf("%+v, want %d accepted and none lost", st, goroutines*each)
	}
}

// badProducer breaks the contract in the ways that would hang a Shutdown.
type badProducer struct {
	fakeProducer
	release chan struct{}
	produce bool
	close   bool
}

func (p *badProducer) Produce(ctx context.Context, records []*Record) {
	if p.produce {
		<-p.release // whatever ctx says
	}
	p.fakeProducer.hold(ctx, records)
}

func (p *badProducer) Close(ctx context.Context) error {
	if p.close {
		<-p.release
	}
	return p.fakeProducer.Close(ctx)
}

func TestShutdownWithAProducerThatHangs(t *testing.T) {
	for _, p := range []*badProducer{{produce: true}, {close: true}} {
		p.release = make(chan struct{})
		t.Run(fmt.Sprintf("produce=%v,close=%v", p.produce, p.close), func(t *testing.T) {
			f := &memoryFile{}
			s, err := NewKafkaSyncer(p, "test", f, &Options{ErrorHandler: func(error) {}})
			if err != nil {
				t.Fatal(err)
			}
			mustWrite(t, s, "a\n")
			err = shutdownWithin(t, s, 200*time.Millisecond)
			if err == nil || !strings.Contains(err.Error(), "producer's") {
				t.Errorf("Shutdown = %v, want an error that blames the producer", err)
			}
			if got := strings.Join(f.lines(), "|"); got != "a" {
				t.Errorf("on file %q, want a", got)
			}
			checkBalance(t, s.Stats())
			close(p.release)
			waitUntil(s.sender.done, time.Now().Add(waitTime))
			eventually(t, "the record to be reported", func() bool {
				for _, r := range p.takeHeld() {
					r.Done(nil)
				}
				return s.Stats().PendingBytes == 0
			})
		})
	}
}

func TestErrorHandlerThatBlocks(t *testing.T) {
	release := make(chan struct{})
	p := &fakeProducer{}
	f := &memoryFile{}
	s, err := NewKafkaSyncer(p, "test", f, &Options{ErrorHandler: func(error) { <-release }})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 200; i++ {
		p.report(fmt.Errorf("trouble %d", i))
	}
	mustWrite(t, s, "a\n")
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	if err := shutdownWithin(t, s, 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), "error handler") {
		t.Errorf("Shutdown = %v, want that the error handler hangs", err)
	}
	close(release)
	waitUntil(s.reporter.done, time.Now().Add(waitTime))
}
