package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"

	"go.uber.org/zap/zapcore"
)

// TestBothSheets drives a syncer and its fallback directory through random
// outages, refusals, late and repeated reports, Sync and Shutdown, then starts
// anew on the same directory, several times, and looks for each entry by its id:
// both sheets must balance, and what is in neither Kafka nor a file must be
// counted as lost.
func TestBothSheets(t *testing.T) {
	t.Parallel()
	runs := 8
	if testing.Short() {
		runs = 2
	}
	seed := time.Now().UnixNano()
	for run := 0; run < runs; run++ {
		seed := seed + int64(run)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			oneSheetsRun(t, seed)
		})
	}
}

// moody is a Kafka and its client. Some values are poison: whatever comes with
// one is refused. Now and then it answers nothing for a while.
type moody struct {
	t   *testing.T
	mu  sync.Mutex
	rng *rand.Rand

	silentUntil time.Time
	closed      bool
	good        bool // refuses poison, and nothing else
	held        []*Record
	acked       map[int]int
	ackedLive   map[int]int // of these, without the header of a replay
	alone       map[int]bool
	headers     map[int]string // the id header of each entry, which it has for ever
	repeated    uint64
	wg          sync.WaitGroup
}

func isPoison(id int) bool { return id%997 == 13 }

func (m *moody) intn(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.Intn(n)
}

func (m *moody) Start(Limits, ErrorHandler) (Overhead, error) {
	return Overhead{RecordBytes: 300, ValuePercent: 50}, nil
}
func (m *moody) Flush(context.Context) {}

func (m *moody) Produce(_ context.Context, records []*Record) {
	records = append([]*Record(nil), records...)
	m.mu.Lock()
	if m.rng.Intn(60) == 0 {
		m.silentUntil = time.Now().Add(time.Duration(m.rng.Intn(150)) * time.Millisecond)
	}
	silent, closed := time.Until(m.silentUntil), m.closed
	m.mu.Unlock()
	if closed {
		m.report(records, errors.New("moody: closed"))
		return
	}
	m.wg.Add(1)
	go func() {
		defer m.wg.Done()
		if silent > 0 {
			<-time.After(silent)
		}
		mood := m.intn(12)
		m.mu.Lock()
		if m.good {
			mood = 2
		}
		m.mu.Unlock()
		switch mood {
		case 0:
			m.report(records, errors.New("moody: no leader"))
		case 1:
			m.mu.Lock()
			closed = m.closed
			if !closed {
				m.held = append(m.held, records...) // to be reported at Close
			}
			m.mu.Unlock()
			if closed {
				m.report(records, errors.New("moody: closed"))
			}
		default:
			m.report(records, nil)
		}
	}()
}

// report reports records with err, or stores them, or refuses them.
func (m *moody) report(records []*Record, err error) {
	poisoned := false
	ids := make([]int, len(records))
	replayed := make([]bool, len(records))
	for i, r := range records {
		id, bad := idOf(r.Value)
		if bad != nil {
			m.t.Errorf("at the producer: %v", bad)
		}
		ids[i] = id
		for _, h := range r.Headers {
			replayed[i] = replayed[i] || h.Key == headerReplayed
			if h.Key == headerID {
				m.mu.Lock()
				if was, ok := m.headers[id]; ok && was != string(h.Value) {
					m.t.Errorf("entry %d has the ids %s and %s", id, was, h.Value)
				}
				m.headers[id] = string(h.Value)
				m.mu.Unlock()
			}
		}
		poisoned = poisoned || isPoison(id)
	}
	if err == nil && poisoned {
		err = fmt.Errorf("moody: %w", ErrRejected)
	}
	for i, r := range records {
		m.mu.Lock()
		if err == nil {
			m.acked[ids[i]]++
			if !replayed[i] {
				m.ackedLive[ids[i]]++
			}
		} else if poisoned && len(records) == 1 {
			m.alone[ids[i]] = true
		}
		again := m.rng.Intn(500) == 0
		if again {
			m.repeated++
		}
		m.mu.Unlock()
		r.Done(err)
		if again {
			r.Done(errors.New("moody: said twice"))
		}
	}
}

func (m *moody) Close(context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.silentUntil = time.Time{}
	held := m.held
	m.held = nil
	m.mu.Unlock()
	m.wg.Wait()
	m.report(held, errors.New("moody: closed"))
	return nil
}

func oneSheetsRun(t *testing.T, seed int64) {
	dir := t.TempDir()
	rng := rand.New(rand.NewSource(seed))
	acked, ackedLive, alone, headers := map[int]int{}, map[int]int{}, map[int]bool{}, map[int]string{}
	var total Stats
	const lives, writers, each = 4, 4, 1000
	for life := 0; life < lives; life++ {
		m := &moody{t: t, rng: rand.New(rand.NewSource(rng.Int63())), acked: acked, ackedLive: ackedLive, alone: alone, headers: headers}
		st := oneLife(t, m, dir, life, life == lives-1)
		total.Accepted += st.Accepted
		total.Acked += st.Acked
		total.LateAcked += st.LateAcked
		total.Lost.FallbackStuck += st.Lost.FallbackStuck
		total.PossiblyDuplicate += st.PossiblyDuplicate
		if lost := st.Lost.Total() - st.Lost.FallbackStuck; lost != 0 {
			t.Errorf("life %d: %d lost with a good disk: %+v", life, lost, st.Lost)
		}
	}
	onFile := map[int]int{}
	collect := func(e spool.Entry) error {
		id, err := idOf(e.Value)
		if err != nil {
			t.Errorf("on file: %v", err)
		}
		onFile[id]++
		return nil
	}
	if err := spool.ReadAll(dir, collect); err != nil {
		t.Error(err)
	}
	rejected := map[int]bool{}
	text, err := os.ReadFile(filepath.Join(dir, "rejected.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, line := range strings.SplitAfter(string(text), "\n") {
		if line == "" {
			continue
		}
		e, err := spool.ParseEnvelope([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		id, err := idOf(e.Value)
		switch {
		case err != nil:
			t.Errorf("rejected: %v", err)
		case !isPoison(id) || !alone[id]:
			t.Errorf("entry %d is rejected; poison %v, sent alone %v: %.300s", id, isPoison(id), alone[id], line)
		}
		rejected[id] = true
	}
	entries := map[string]int{}
	for id, header := range headers {
		if other, ok := entries[header]; ok {
			t.Errorf("entries %d and %d have the id %s", id, other, header)
		}
		entries[header] = id
	}
	nowhere, live := uint64(0), uint64(0)
	for id := 0; id < lives*writers*each; id++ {
		if isPoison(id) && acked[id] > 0 {
			t.Errorf("poison %d was acknowledged", id)
		}
		if ackedLive[id] > 1 || onFile[id] > 1 {
			t.Errorf("entry %d: %d times acknowledged as it was logged, %d times on file", id, ackedLive[id], onFile[id])
		}
		live += uint64(ackedLive[id])
		if acked[id] > 0 && headers[id] == "" {
			t.Errorf("entry %d has no id", id)
		}
		if acked[id] == 0 && onFile[id] == 0 && !rejected[id] {
			nowhere++
		}
	}
	if total.Accepted != lives*writers*each {
		t.Errorf("accepted %d, want %d", total.Accepted, lives*writers*each)
	}
	if nowhere > total.Lost.FallbackStuck {
		t.Errorf("%d entries are nowhere, %d counted lost", nowhere, total.Lost.FallbackStuck)
	}
	if live != total.Acked+total.LateAcked {
		t.Errorf("%d acknowledged as they were logged, the sheets say %d and %d late", live, total.Acked, total.LateAcked)
	}
	if testing.Verbose() {
		t.Logf("acked %d, late %d, possibly duplicate %d, rejected %d, on file %d", total.Acked, total.LateAcked, total.PossiblyDuplicate, len(rejected), len(onFile))
	}
}

// oneLife is a process that logs, and is shut down at a random moment; the last
// one only when all is in Kafka.
func oneLife(t *testing.T, m *moody, dir string, life int, last bool) Stats {
	f := mustOpenFallback(t, dir, &FallbackOptions{SegmentBytes: 1 << 18})
	o, err := (&Options{
		BufferBytes: 8 << 20, SyncTimeout: 30 * time.Millisecond, MaxWait: waitTime, MaxEntryBytes: 100_000, IDHeader: true,
		OutageAfter: time.Duration(10+m.intn(60)) * time.Millisecond, LastResort: zapcore.AddSync(io.Discard), ErrorHandler: func(error) {},
	}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	o.DeliveryTimeout = time.Duration(50+m.intn(200)) * time.Millisecond // below what users may ask for
	overhead, _ := m.Start(Limits{}, nil)
	q, err := newQueue(o, overhead)
	if err != nil {
		t.Fatal(err)
	}
	q.onFree = func(text []byte) {
		for i := range text {
			text[i] = '!'
		}
	}
	s := startSyncer(m, "test", f, o, newReporter(o.ErrorHandler), q)
	if s.replayer == nil {
		t.Fatal("no replay")
	}
	const writers, each = 4, 1000
	var wg sync.WaitGroup
	for w := 0; w < writers; w++ {
		wg.Add(1)
		go func(w int, rng *rand.Rand) {
			defer wg.Done()
			for i := 0; i < each; i++ {
				if _, err := s.Write(entryWithID((life*writers+w)*each+i, rng.Intn(600))); err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
				if rng.Intn(300) == 0 {
					_ = s.Sync()
				}
				if rng.Intn(20) == 0 {
					<-time.After(time.Millisecond)
				}
				q.mu.Lock()
				if q.used+q.spare > q.limit || q.used < 0 || q.inClient < 0 || q.replay.used < 0 || q.health.replays < 0 {
					t.Errorf("in use %d, spare %d, with the producer %d, replay %d and %d batches", q.used, q.spare, q.inClient, q.replay.used, q.health.replays)
				}
				q.mu.Unlock()
			}
		}(w, rand.New(rand.NewSource(int64(m.intn(1<<30)))))
	}
	if !last {
		eventually(t, "some entries", func() bool { return s.Stats().Accepted > uint64(m.intn(writers*each)) })
		_ = shutdownWithin(t, s, time.Duration(m.intn(300))*time.Millisecond)
	}
	wg.Wait()
	if last {
		// Kafka becomes a good one: nothing may stay behind.
		m.mu.Lock()
		m.good = true
		held := m.held
		m.held = nil
		m.mu.Unlock()
		m.report(held, nil)
		eventually(t, "all to have an outcome, and nothing on file", func() bool {
			m.mu.Lock()
			held := m.held
			m.held = nil
			m.mu.Unlock()
			m.report(held, nil)
			return s.Stats().PendingEntries == 0 && f.Stats().OnFile == 0
		})
		_ = shutdownWithin(t, s, time.Second)
	}
	m.wg.Wait()
	if !waitUntil(s.replayer.done, time.Now().Add(waitTime)) {
		t.Error("the replay goes on after Shutdown")
	}
	st := s.Stats()
	checkBalance(t, st)
	checkFallbackBalance(t, f.Stats())
	if st.PendingBytes != 0 && st.Lost.FallbackStuck == 0 {
		t.Errorf("%d bytes are still charged: %+v", st.PendingBytes, st)
	}
	if st.RepeatedReports != m.repeated {
		t.Errorf("%d repeated reports, Stats say %d", m.repeated, st.RepeatedReports)
	}
	if fst := f.Stats(); st.FellBack.Total() != fst.Stored && st.Lost.FallbackStuck == 0 {
		t.Errorf("the syncer says that %d entries went to the fallback, that says %d", st.FellBack.Total(), fst.Stored)
	}
	mustCloseFallback(t, f)
	return st
}
