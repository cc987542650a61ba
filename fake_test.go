package zapkafka

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"
)

// waitTime is how long a test waits for an event that must come.
const waitTime = 20 * time.Second

// eventually waits until cond holds. It looks again at once and then ever less
// often; the deadline is for failures only.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	eventuallyWithin(t, waitTime, what, cond)
}

func eventuallyWithin(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(limit)
	for pause := 10 * time.Microsecond; !cond(); {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain for: %s", limit, what)
		}
		<-time.After(pause)
		if pause < 5*time.Millisecond {
			pause *= 2
		}
	}
}

// fakeProducer is a Producer in memory. What becomes of the records is up to
// handle, which runs inside Produce; nil acknowledges at once.
type fakeProducer struct {
	handle   func(ctx context.Context, records []*Record)
	overhead Overhead
	startErr error

	mu       sync.Mutex
	limits   Limits
	report   ErrorHandler
	held     []*Record // by hold
	values   []string  // acknowledged
	keep     bool      // collect values
	back     bool      // by answer: hold holds nothing any more
	started  bool
	closed   bool
	flushes  int
	produces int
}

func (p *fakeProducer) Start(l Limits, report ErrorHandler) (Overhead, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.startErr != nil {
		return Overhead{}, p.startErr
	}
	if p.started {
		return Overhead{}, errors.New("fake: started before: a Producer serves one KafkaSyncer")
	}
	p.started, p.limits, p.report = true, l, report
	return p.overhead, nil
}

func (p *fakeProducer) Produce(ctx context.Context, records []*Record) {
	p.mu.Lock()
	p.produces++
	closed, handle := p.closed, p.handle
	p.mu.Unlock()
	switch {
	case closed:
		for _, r := range records {
			r.Done(errors.New("fake: closed"))
		}
	case handle != nil:
		handle(ctx, records)
	default:
		p.ack(records)
	}
}

// ack acknowledges the records.
func (p *fakeProducer) ack(records []*Record) {
	for _, r := range records {
		if p.keep {
			p.mu.Lock()
			p.values = append(p.values, string(r.Value))
			p.mu.Unlock()
		}
		r.Done(nil)
	}
}

// hold keeps the records, as a client does whose broker does not answer.
func (p *fakeProducer) hold(_ context.Context, records []*Record) {
	p.mu.Lock()
	back := p.back
	if !back {
		p.held = append(p.held, records...)
	}
	p.mu.Unlock()
	if back {
		p.ack(records)
	}
}

// setHandle changes what becomes of the records from here on.
func (p *fakeProducer) setHandle(handle func(ctx context.Context, records []*Record)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handle = handle
}

// answer is the broker that comes back: everything is acknowledged, what is held
// too.
func (p *fakeProducer) answer() {
	p.mu.Lock()
	p.handle, p.back = nil, true
	p.mu.Unlock()
	p.ack(p.takeHeld())
}

// refuse is a broker that takes nothing.
func refuse(_ context.Context, records []*Record) {
	for _, r := range records {
		r.Done(errors.New("broker says no"))
	}
}

// takeHeld returns what is held and forgets it.
func (p *fakeProducer) takeHeld() []*Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held
	p.held = nil
	return held
}

func (p *fakeProducer) acknowledged() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.values...)
}

func (p *fakeProducer) Flush(context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flushes++
}

func (p *fakeProducer) Close(context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, r := range p.takeHeld() {
		r.Done(errors.New("fake: closed"))
	}
	return nil
}

// lateness measures how late the machine is with a goroutine that is due. The
// function that it returns ends it, and says the worst.
func lateness() func() time.Duration {
	stop, worst := make(chan struct{}), make(chan time.Duration)
	go func() {
		const every = 2 * time.Millisecond
		tick := time.NewTimer(every)
		defer tick.Stop()
		most := time.Duration(0)
		for due := time.Now().Add(every); ; due = time.Now().Add(every) {
			select {
			case <-tick.C:
				if late := time.Since(due); late > most {
					most = late
				}
				tick.Reset(every)
			case <-stop:
				worst <- most
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-worst
	}
}

// memoryFile is a fallback in memory.
type memoryFile struct {
	mu    sync.Mutex
	texts [][]byte                    // one a Write: one buffer that grows would stop the "disk" at each doubling
	write func(p []byte) (int, error) // nil: all is taken
	syncs int
}

func (f *memoryFile) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	if f.write != nil {
		n, err = f.write(p)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts = append(f.texts, append([]byte(nil), p[:n]...))
	return n, err
}

func (f *memoryFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.syncs++
	return nil
}

func (f *memoryFile) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, text := range f.texts {
		for _, l := range bytes.SplitAfter(text, []byte{'\n'}) {
			if len(l) > 0 {
				lines = append(lines, string(l[:len(l)-1]))
			}
		}
	}
	return lines
}

func (f *memoryFile) synced() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs
}

// errorLog collects what an ErrorHandler gets.
type errorLog struct {
	mu   sync.Mutex
	errs []error
}

func (l *errorLog) handle(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *errorLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errorsText(l.errs)
}

func errorsText(errs []error) string {
	if err := errors.Join(errs...); err != nil {
		return err.Error()
	}
	return ""
}

// newTestSyncer returns a syncer that is shut down at the end of the test, and
// whose balance sheet is checked then.
func newTestSyncer(t testing.TB, p Producer, f *memoryFile, o *Options) *KafkaSyncer {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	if o.ErrorHandler == nil {
		o.ErrorHandler = func(error) {}
	}
	if o.LastResort == nil {
		o.LastResort = io.Discard
	}
	if o.MaxWait == 0 {
		o.MaxWait = waitTime // 100 ms are over soon on a busy machine under -race
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = time.Second // for producers that hold records to the end
	}
	s, err := NewKafkaSyncer(p, "test", f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Logf("close: %v", err)
		}
		checkBalance(t, s.Stats())
	})
	return s
}

func checkBalance(t testing.TB, st Stats) {
	t.Helper()
	if bytes := st.AckedBytes + st.FellBackBytes; st.Shed+st.Lost.Total() == 0 && bytes != st.AcceptedBytes || bytes > st.AcceptedBytes {
		t.Errorf("the bytes do not balance: accepted %d, acked %d and fell back %d: %+v", st.AcceptedBytes, st.AckedBytes, st.FellBackBytes, st)
	}
	if n := st.DeliveryLatency.Count; n != st.Acked {
		t.Errorf("%d entries in the histogram of latencies, and %d acknowledged", n, st.Acked)
	}
	checkLevels(t, st)
	if sum := st.Acked + st.FellBack.Total() + st.Shed + st.Lost.Total(); sum != st.Accepted || st.PendingEntries != 0 {
		t.Errorf("the balance sheet does not balance: accepted %d, outcomes %d, pending %d: %+v", st.Accepted, sum, st.PendingEntries, st)
	}
}

// checkLevels checks that the sheets by level balance, and sum up to the whole.
func checkLevels(t testing.TB, st Stats) {
	t.Helper()
	var sum LevelCounts
	for i, n := range st.Levels {
		if n.Accepted != n.Acked+n.FellBack+n.Shed+n.Lost {
			t.Errorf("the sheet of level %s does not balance: %+v", LevelName(i), n)
		}
		sum.Accepted += n.Accepted
		sum.Acked += n.Acked
		sum.FellBack += n.FellBack
		sum.Shed += n.Shed
		sum.Lost += n.Lost
	}
	if want := (LevelCounts{st.Accepted, st.Acked, st.FellBack.Total(), st.Shed, st.Lost.Total()}); sum != want {
		t.Errorf("the levels sum up to %+v, but the whole is %+v", sum, want)
	}
}

func mustWrite(t testing.TB, s *KafkaSyncer, line string) {
	t.Helper()
	if n, err := s.Write([]byte(line)); err != nil || n != len(line) {
		t.Fatalf("Write = %d, %v; want %d, nil", n, err, len(line))
	}
}
