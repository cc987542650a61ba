package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// shutdownWithin runs Shutdown and checks that it keeps its promise on time.
func shutdownWithin(t *testing.T, s *KafkaSyncer, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	begin := time.Now()
	err := s.Shutdown(ctx)
	if took := time.Since(begin); took > limit+500*time.Millisecond {
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
	err = shutdownWithin(t, s, 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "5000 entries are lost") || !strings.Contains(err.Error(), "has not returned") {
		t.Errorf("Shutdown = %v; want what is lost, and that a write hangs", err)
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
