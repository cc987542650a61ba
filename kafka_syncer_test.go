package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestWriteDelivers(t *testing.T) {
	p := &fakeProducer{keep: true}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, nil)
	buf := []byte("first\n")
	mustWrite(t, s, string(buf))
	if _, err := s.Write(buf); err != nil {
		t.Fatal(err)
	}
	copy(buf, "XXXXX") // zap uses its buffer again as soon as Write returns
	mustWrite(t, s, "no newline")
	mustWrite(t, s, "two\nlines\n")
	mustWrite(t, s, "")
	eventually(t, "five acknowledgements", func() bool { return s.Stats().Acked == 5 })
	want := []string{"first", "first", "no newline", "two\nlines", ""}
	if got := p.acknowledged(); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the producer got %q, want %q", got, want)
	}
	if lines := f.lines(); len(lines) > 0 {
		t.Errorf("the fallback got %q, want nothing", lines)
	}
}

func TestHealthyKafkaWritesNothingToDisk(t *testing.T) {
	p := &fakeProducer{}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 64 << 20})
	var wg sync.WaitGroup
	for g := 0; g < 10; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < 10_000; i++ {
				_, _ = s.Write(line200)
			}
		}()
	}
	wg.Wait()
	eventually(t, "100,000 acknowledgements", func() bool { return s.Stats().Acked == 100_000 })
	if n := len(f.lines()); n > 0 || f.synced() > 0 {
		t.Errorf("%d entries and %d fsyncs at the fallback, want none", n, f.synced())
	}
}

func TestRefusedEntriesGoToTheFallback(t *testing.T) {
	log := &errorLog{}
	p := &fakeProducer{handle: func(_ context.Context, records []*Record) {
		for _, r := range records {
			r.Done(errors.New("broker says no"))
		}
	}}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{ErrorHandler: log.handle})
	mustWrite(t, s, "a\n")
	mustWrite(t, s, "b\n")
	eventually(t, "two entries on file", func() bool { return s.Stats().FellBack.DeliveryFailed == 2 })
	if got := strings.Join(f.lines(), "|"); got != "a|b" {
		t.Errorf("on file: %q, want a|b", got)
	}
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "broker says no") })
}

func TestDeadline(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{DeliveryTimeout: time.Second})
	begin := time.Now()
	mustWrite(t, s, "slow\n")
	eventually(t, "the entry on file", func() bool { return s.Stats().FellBack.Deadline == 1 })
	if took := time.Since(begin); took < 900*time.Millisecond {
		t.Errorf("given up after %v, want 1 s", took)
	}
	st := s.Stats()
	if st.PossiblyDuplicate != 1 || st.PendingBytes == 0 {
		t.Errorf("possibly duplicate %d, want 1; pending bytes %d, want what the producer holds", st.PossiblyDuplicate, st.PendingBytes)
	}
	for _, r := range p.takeHeld() {
		if string(r.Value) != "slow" {
			t.Errorf("the memory of a record that is held was changed to %q", r.Value)
		}
		r.Done(nil)
		r.Done(nil)
	}
	st = s.Stats()
	if st.Acked != 0 || st.LateAcked != 1 || st.RepeatedReports != 1 || st.PendingBytes != 0 {
		t.Errorf("after a late and a repeated Done: %+v", st)
	}
}

func TestProducerThatBlocksHoldsUpNobody(t *testing.T) {
	p := &fakeProducer{handle: func(ctx context.Context, records []*Record) {
		<-ctx.Done()
		for _, r := range records {
			r.Done(ctx.Err())
		}
	}}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20, MaxWait: waitTime, CloseTimeout: time.Second})
	const n = 100_000 // 20 MB through a bound of 4 MiB
	for i := 0; i < n; i++ {
		if _, err := s.Write(line200); err != nil {
			t.Fatal(err)
		}
		if st := s.q.stats(); i%1000 == 0 && st.PendingBytes > 4<<20 {
			t.Fatalf("%d bytes in use, the bound is 4 MiB", st.PendingBytes)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(f.lines()); got != n {
		t.Errorf("%d entries on file, want %d", got, n)
	}
}

// The oldest entries that wait are spilled, in their order, and the client
// never holds more than its share.
func TestSpillTakesTheOldest(t *testing.T) {
	p := &fakeProducer{overhead: Overhead{RecordBytes: 300}}
	p.handle = p.hold
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20, MaxWait: waitTime})
	const n = 50_000
	for i := 0; i < n; i++ {
		mustWrite(t, s, fmt.Sprintf("%08d %s\n", i, line200[:180]))
		s.q.mu.Lock()
		used, inClient := s.q.used+s.q.spare, s.q.inClient
		s.q.mu.Unlock()
		if used > 4<<20 || inClient > 2<<20 {
			t.Fatalf("in use %d, with the client %d", used, inClient)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lines := f.lines()[:s.Stats().FellBack.QueueFull] // what came at the end was with the client
	if len(lines) < n/2 {
		t.Fatalf("%d entries on file, want most of %d", len(lines), n)
	}
	for i := 1; i < len(lines); i++ {
		if lines[i] <= lines[i-1] {
			t.Fatalf("entry %.8s is on file after %.8s", lines[i], lines[i-1])
		}
	}
}

// stall is a fallback behind which the disk stops and goes on.
type stall struct {
	memoryFile
	gate chan struct{} // receives one for each write that may go on; closed: all may
}

func newStall() *stall {
	s := &stall{gate: make(chan struct{})}
	s.write = func(p []byte) (int, error) {
		<-s.gate
		return len(p), nil
	}
	return s
}

func TestStalledDiskHoldsUpAFewCallsOnly(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := newStall()
	const maxWait = 100 * time.Millisecond
	s, err := NewKafkaSyncer(p, "test", f, &Options{
		BufferBytes: 4 << 20, MaxWait: maxWait, CloseTimeout: time.Second, ErrorHandler: func(error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var longest [10]time.Duration
	var wg sync.WaitGroup
	for g := range longest {
		wg.Add(1)
		go func(longest *time.Duration) {
			defer wg.Done()
			for i := 0; i < 10_000; i++ {
				begin := time.Now()
				_, _ = s.Write(line200)
				if took := time.Since(begin); took > *longest {
					*longest = took
				}
			}
		}(&longest[g])
	}
	wg.Wait()
	for _, l := range longest {
		// The scheduler of a busy machine adds to it; a second wait would double it.
		if l > 2*maxWait+50*time.Millisecond {
			t.Errorf("a call took %v, MaxWait is %v", l, maxWait)
		}
	}
	// The first few have found out that the disk does not move: nobody waits now.
	begin := time.Now()
	for i := 0; i < 1_000; i++ {
		if _, err := s.Write(line200); !errors.Is(err, ErrQueueFull) {
			t.Fatalf("Write = %v, want ErrQueueFull", err)
		}
	}
	if took := time.Since(begin); took > 10*maxWait {
		t.Errorf("1,000 calls took %v with a disk that is known to stand still", took)
	}
	st := s.Stats()
	if st.Lost.NoRoom == 0 {
		t.Errorf("nothing lost with 20 MB in 4 MiB of memory and no disk: %+v", st)
	}
	// The disk comes back: what is in memory reaches it, and new entries do.
	close(f.gate)
	eventually(t, "room", func() bool { _, err := s.Write([]byte("after\n")); return err == nil })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkBalance(t, s.Stats())
	if got, want := len(f.lines()), s.Stats().FellBack.Total(); uint64(got) != want {
		t.Errorf("%d entries on file, counted %d", got, want)
	}
}

// While Kafka might still take what waits, a fallback that fails loses nothing
// of it.
func TestFailingFallbackLeavesWaitingEntriesToKafka(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{write: func(p []byte) (int, error) {
		return strings.IndexByte(string(p), '\n') + 1, errors.New("no space left on device")
	}}
	s := newTestSyncer(t, p, f, &Options{BufferBytes: 4 << 20})
	written := 0
	for {
		if _, err := s.Write(line200); err != nil {
			if !errors.Is(err, ErrQueueFull) {
				t.Fatal(err)
			}
			break
		}
		written++
	}
	st := s.Stats()
	if st.Lost.Total() != 1 || st.Lost.FallbackFailed != 1 { // the one that Write said
		t.Errorf("%+v lost while Kafka might have taken them", st.Lost)
	}
	// Kafka comes back.
	p.mu.Lock()
	p.handle = nil
	p.mu.Unlock()
	p.ack(p.takeHeld())
	eventually(t, "all acknowledged", func() bool {
		st := s.Stats()
		return st.Acked+st.FellBack.QueueFull == uint64(written)
	})
}

func TestSyncMovesToTheFallbackWhatKafkaDoesNotAnswer(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{SyncTimeout: 400 * time.Millisecond})
	mustWrite(t, s, "a\n")
	begin := time.Now()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	if took < 300*time.Millisecond || took > 600*time.Millisecond {
		t.Errorf("Sync took %v, want three quarters of 400 ms and the time for a write", took)
	}
	if got := strings.Join(f.lines(), "|"); got != "a" || f.synced() == 0 {
		t.Errorf("after Sync: on file %q with %d fsyncs, want a with one", got, f.synced())
	}
	// Kafka was silent: the next Sync waits for the disk alone.
	mustWrite(t, s, "b\n")
	begin = time.Now()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 200*time.Millisecond {
		t.Errorf("the second Sync took %v, want no wait for a silent Kafka", took)
	}
	if got := strings.Join(f.lines(), "|"); got != "a|b" {
		t.Errorf("on file: %q, want a|b", got)
	}
	// Kafka answers: from now on it is waited for again.
	p.mu.Lock()
	p.handle = nil
	p.mu.Unlock()
	p.ack(p.takeHeld())
	mustWrite(t, s, "c\n")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Acked != 1 || st.FellBack.Sync != 2 {
		t.Errorf("after Kafka is back: %+v, want 1 acked, 2 moved by Sync", st)
	}
}

func TestSyncsAtOnceShareOneWait(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{SyncTimeout: 400 * time.Millisecond})
	var wg sync.WaitGroup
	begin := time.Now()
	for g := 0; g < 100; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			mustWrite(t, s, fmt.Sprintf("%d\n", g))
			if err := s.Sync(); err != nil {
				t.Error(err)
			}
		}(g)
	}
	wg.Wait()
	if took := time.Since(begin); took > time.Second {
		t.Errorf("100 Syncs at once took %v", took)
	}
	if got := len(f.lines()); got != 100 {
		t.Errorf("%d entries on file, want 100", got)
	}
	if n := f.synced(); n > 50 {
		t.Errorf("%d fsyncs for 100 Syncs at once", n)
	}
}

func TestSyncSaysWhenTheDiskDoesNotAnswer(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	f := newStall()
	s, err := NewKafkaSyncer(p, "test", f, &Options{SyncTimeout: 100 * time.Millisecond, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "a\n")
	mustWrite(t, s, "b\n")
	begin := time.Now()
	err = s.Sync()
	if err == nil || !strings.Contains(err.Error(), "2 entries") {
		t.Errorf("Sync = %v, want an error that says that 2 entries are nowhere", err)
	}
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("Sync took %v, its limit is 100 ms", took)
	}
	close(f.gate)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkBalance(t, s.Stats())
}

func TestLoggerWorksAfterSyncsAndDPanic(t *testing.T) {
	p := &fakeProducer{keep: true}
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	logger := New(s, zap.InfoLevel)
	logger.Info("one")
	for i := 0; i < 100; i++ {
		if err := logger.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	logger.Info("two")
	logger.DPanic("three") // in production mode it only logs, and zap calls Sync
	logger.Info("four")
	if err := logger.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := p.acknowledged(); len(got) != 4 {
		t.Errorf("%d entries delivered, want 4: %q", len(got), got)
	}
}

func TestDeferSyncAloneLosesNothing(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("down=%v", down), func(t *testing.T) {
			p := &fakeProducer{keep: true}
			if down {
				p.handle = p.hold
			}
			f := &memoryFile{}
			s := newTestSyncer(t, p, f, nil)
			func() {
				logger := New(s, zap.InfoLevel)
				defer func() {
					if err := logger.Sync(); err != nil {
						t.Error(err)
					}
				}()
				for i := 0; i < 10_000; i++ {
					logger.Info("entry", zap.Int("i", i))
				}
			}()
			if got := len(p.acknowledged()) + len(f.lines()); got != 10_000 {
				t.Errorf("%d entries in Kafka or on file after the Sync, want 10,000", got)
			}
		})
	}
}

func TestOversizeEntries(t *testing.T) {
	p := &fakeProducer{keep: true}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{MaxEntryBytes: 200_000})
	large := strings.Repeat("l", 199_999) + "\n"
	over := strings.Repeat("o", 200_001) + "\n"
	huge := strings.Repeat("h", maxRejectBytes+10) + "\n"
	mustWrite(t, s, "before\n")
	mustWrite(t, s, large)
	mustWrite(t, s, over)
	mustWrite(t, s, huge)
	mustWrite(t, s, "after\n")
	eventually(t, "all outcomes", func() bool { return s.Stats().PendingEntries == 0 })
	if got := strings.Join(p.acknowledged(), "|"); got != "before|"+large[:199_999]+"|after" {
		t.Errorf("the producer got %d bytes: %.100q...", len(got), got)
	}
	lines := f.lines()
	if len(lines) != 2 || lines[0]+"\n" != over || lines[1] != huge[:maxRejectBytes] {
		t.Errorf("on file: %d lines", len(lines))
	}
	if st := s.Stats(); st.FellBack.TooLarge != 2 || st.Cut != 1 || st.Acked != 3 {
		t.Errorf("%+v, want 2 too large, 1 of them cut", st)
	}
}

func TestOversizeEntriesAreInTheRejectedFile(t *testing.T) {
	f, err := OpenFallback(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := NewKafkaSyncer(&fakeProducer{}, "test", f, &Options{MaxEntryBytes: 100, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(line200); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(line200); err != nil { // after Shutdown: the same
		t.Fatal(err)
	}
	if st := f.Stats(); st.Oversize != 2 || st.Rejected != 0 || st.Stored != 0 {
		t.Errorf("%+v, want 2 rejected", st)
	}
	checkBalance(t, s.Stats())
}

// A sink that logs little holds little, and a burst gives its memory back.
func TestIdleMemory(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{BufferBytes: 16 << 20})
	mustWrite(t, s, "one\n")
	if used := s.Stats().PendingBytes; used > 2<<20 {
		t.Errorf("%d bytes in use for one entry", used)
	}
	for i := 0; i < 40_000; i++ {
		mustWrite(t, s, string(line200))
	}
	p.mu.Lock()
	p.handle = nil
	p.mu.Unlock()
	p.ack(p.takeHeld())
	eventually(t, "the memory to be free", func() bool { return s.Stats().PendingBytes == 0 })
	s.q.mu.Lock()
	kept := s.q.spare
	s.q.mu.Unlock()
	if kept == 0 {
		t.Error("a burst left no spare memory: nothing is reused")
	}
	// The sender trims by itself, with the clock.
	eventually(t, "the spare memory to be given back", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return s.q.spare <= keepSpares*s.q.chunkCost()
	})
}

// Nearly empty chunks must not fill the bound while nothing is acknowledged.
func TestLingerGrowsWithUnansweredChunks(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.put(&noMeta, line200); err != nil {
		t.Fatal(err)
	}
	// For the time of one delivery timeout, a chunk for each linger:
	now, chunks := time.Duration(0), 0
	for ; now < o.DeliveryTimeout; chunks++ {
		q.clients = chunks
		now += q.lingerLocked(q.open.opened)
	}
	if cost := int64(chunks) * (q.chunkCost() + q.extraCost(1, 200)); cost > q.share {
		t.Errorf("a trickle makes %d chunks in %v, which cost %d bytes: more than the producer's share of %d", chunks, o.DeliveryTimeout, cost, q.share)
	}
}

func TestMetaReachesTheRecord(t *testing.T) {
	var got []Record // copies: what a record points to changes after Done
	p := &fakeProducer{handle: func(_ context.Context, records []*Record) {
		for _, r := range records {
			got = append(got, Record{Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...),
				Headers: append([]Header(nil), r.Headers...), Time: r.Time})
			r.Done(nil)
		}
	}}
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key, value := []byte("key"), []byte("v")
	m := &meta{time: when, topic: "other", key: key, headers: []Header{{"h1", value}, {"h2", nil}}}
	mustWrite(t, s, "plain\n")
	if _, err := s.write(m, []byte("with\n")); err != nil {
		t.Fatal(err)
	}
	copy(key, "XXX")
	copy(value, "X")
	mustWrite(t, s, "plain again\n")
	if _, err := s.write(&meta{key: []byte("big")}, []byte(strings.Repeat("b", largeBytes))); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 {
		t.Fatalf("%d records, want 4", len(got))
	}
	r := &got[1]
	if r.Topic != "other" || string(r.Key) != "key" || string(r.Value) != "with" || !r.Time.Equal(when) ||
		len(r.Headers) != 2 || r.Headers[0].Key != "h1" || string(r.Headers[0].Value) != "v" || r.Headers[1].Value != nil {
		t.Errorf("record with meta: %+v", r)
	}
	for _, i := range []int{0, 2} {
		if r := &got[i]; r.Topic != "test" || len(r.Key) != 0 || len(r.Headers) != 0 || time.Since(r.Time) > waitTime {
			t.Errorf("record without meta: %+v", r)
		}
	}
	if r := &got[3]; string(r.Key) != "big" || len(r.Value) != largeBytes {
		t.Errorf("large record with meta: key %q, %d bytes", r.Key, len(r.Value))
	}
}

func TestMetaIsKeptInTheFallback(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFallback(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &fakeProducer{handle: refuse}
	s, err := NewKafkaSyncer(p, "test", f, &Options{SyncTimeout: waitTime, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustWrite(t, s, "plain\n")
	if _, err := s.write(&meta{key: []byte("the-key")}, []byte("keyed\n")); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "two\nlines\n")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	text := readAll(t, f.Dir())
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 3 || lines[0] != "plain" {
		t.Fatalf("on file:\n%s", text)
	}
	for _, l := range lines[1:] {
		if !strings.HasPrefix(l, `{"zapkafka_envelope":`) {
			t.Errorf("not in an envelope: %s", l)
		}
	}
}

// readAll returns the text of all segments of a directory.
func readAll(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

func TestNewKafkaSyncerSaysWhatIsWrong(t *testing.T) {
	file := &memoryFile{}
	var nilFile *Fallback
	var nilProducer *fakeProducer
	var nilFunc funcWriter
	used := &fakeProducer{}
	newTestSyncer(t, used, file, nil)
	for _, tt := range []struct {
		name     string
		producer Producer
		topic    string
		fallback zapcore.WriteSyncer
		o        *Options
		want     []string
	}{
		{"no producer", nil, "t", file, nil, []string{"producer is nil", "franz.New"}},
		{"nil pointer as producer", nilProducer, "t", file, nil, []string{"producer is nil"}},
		{"no topic", &fakeProducer{}, "", file, nil, []string{"topic is empty"}},
		{"bad topic", &fakeProducer{}, "app logs", file, nil, []string{`"app logs"`, "only letters"}},
		{"long topic", &fakeProducer{}, strings.Repeat("t", 250), file, nil, []string{"250", "249"}},
		{"no fallback", &fakeProducer{}, "t", nil, nil, []string{"fallback is nil", "OpenFallback"}},
		{"nil pointer as fallback", &fakeProducer{}, "t", nilFile, nil, []string{"fallback is nil"}},
		{"nil function as fallback", &fakeProducer{}, "t", nilFunc, nil, []string{"fallback is nil"}},
		{"all at once", nil, "", nil, nil, []string{"producer is nil", "topic is empty", "fallback is nil"}},
		{"negative buffer", &fakeProducer{}, "t", file, &Options{BufferBytes: -1}, []string{"BufferBytes is -1", "4 MiB"}},
		{"tiny buffer", &fakeProducer{}, "t", file, &Options{BufferBytes: 1000}, []string{"BufferBytes is 1000"}},
		{"negative entry", &fakeProducer{}, "t", file, &Options{MaxEntryBytes: -5}, []string{"MaxEntryBytes is -5"}},
		{"entry over the buffer", &fakeProducer{}, "t", file, &Options{BufferBytes: 4 << 20, MaxEntryBytes: 2 << 20}, []string{"MaxEntryBytes is 2097152", "quarter"}},
		{"entry over what the rejected file keeps", &fakeProducer{}, "t", file, &Options{BufferBytes: 64 << 20, MaxEntryBytes: 10 << 20},
			[]string{"MaxEntryBytes is 10485760", "8 MiB"}},
		{"linger near the deadline", &fakeProducer{}, "t", file, &Options{Linger: 300 * time.Millisecond, DeliveryTimeout: time.Second},
			[]string{"Linger is 300ms", "quarter of DeliveryTimeout (250ms)"}},
		{"negative timeouts", &fakeProducer{}, "t", file, &Options{DeliveryTimeout: -1, SyncTimeout: -1, CloseTimeout: -1},
			[]string{"DeliveryTimeout is -1ns", "SyncTimeout is -1ns", "CloseTimeout is -1ns"}},
		{"outage after nothing", &fakeProducer{}, "t", file, &Options{OutageAfter: time.Millisecond}, []string{"OutageAfter is 1ms", "negative for never"}},
		{"outage after the deadline", &fakeProducer{}, "t", file, &Options{OutageAfter: 6 * time.Second, DeliveryTimeout: 10 * time.Second},
			[]string{"OutageAfter is 6s", "half of DeliveryTimeout (5s)"}},
		{"used producer", used, "t", file, nil, []string{"start the producer", "serves one KafkaSyncer"}},
		{"negative overhead", &fakeProducer{overhead: Overhead{RecordBytes: -1}}, "t", file, nil, []string{"overhead of -1 bytes a record"}},
		{"negative percentage", &fakeProducer{overhead: Overhead{ValuePercent: -1}}, "t", file, nil, []string{"-1 % of the values"}},
		{"huge overhead", &fakeProducer{overhead: Overhead{RecordBytes: math.MaxInt}}, "t", file, nil, []string{"declares an overhead", "1 MiB"}},
		{"huge percentage", &fakeProducer{overhead: Overhead{ValuePercent: math.MaxInt}}, "t", file, nil, []string{"declares an overhead", "1000 %"}},
		{"overhead that fills the buffer", &fakeProducer{overhead: Overhead{RecordBytes: 1 << 20}}, "t", file, &Options{BufferBytes: 4 << 20},
			[]string{"BufferBytes is 4194304", "overhead of this producer"}},
		{"producer that refuses", &fakeProducer{startErr: errors.New("buffer too small")}, "t", file, nil, []string{"buffer too small"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewKafkaSyncer(tt.producer, tt.topic, tt.fallback, tt.o)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

// funcWriter is a zapcore.WriteSyncer made of a function.
type funcWriter func(p []byte) (int, error)

func (f funcWriter) Write(p []byte) (int, error) { return f(p) }
func (f funcWriter) Sync() error                 { return nil }

// What the producer complains of reaches the handler, once for each kind.
func TestProducerTroubleIsReportedOnce(t *testing.T) {
	log := &errorLog{}
	p := &fakeProducer{}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{ErrorHandler: log.handle})
	for i := 0; i < 1000; i++ {
		p.report(errors.New("topic app-logs is unknown"))
	}
	p.report(nil)
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "app-logs") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "998 more like it") {
		t.Errorf("1000 equal errors became:\n%s", got)
	}
}

// One record that is not answered keeps its chunk, and not those behind it.
func TestAHeldRecordKeepsOnlyItsChunk(t *testing.T) {
	p := &fakeProducer{}
	s := newTestSyncer(t, p, &memoryFile{}, nil)
	p.setHandle(p.hold)
	mustWrite(t, s, "held\n")
	eventually(t, "it is held", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.held) == 1
	})
	p.setHandle(nil)
	for i := 0; i < 20; i++ {
		before := s.Stats().Acked
		mustWrite(t, s, "answered\n")
		eventually(t, "an answer", func() bool { return s.Stats().Acked > before })
	}
	eventually(t, "only the first chunk is kept", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return len(s.q.order) == 1
	})
	p.answer()
}
