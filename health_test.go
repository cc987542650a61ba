package zapkafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stateLog collects what OnStateChange gets.
type stateLog struct {
	mu      sync.Mutex
	states  []State
	times   []time.Time
	blocked chan struct{} // calls wait for it to be closed; nil: they do not
}

func (l *stateLog) note(s State, since time.Time) {
	if l.blocked != nil {
		<-l.blocked
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states, l.times = append(l.states, s), append(l.times, since)
}

func (l *stateLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.states)
}

func stateOf(s *KafkaSyncer) State {
	state, _ := s.State()
	return state
}

// An outage is recognised after OutageAfter, new entries go to the fallback at
// once, and one acknowledgement ends it.
func TestOutage(t *testing.T) {
	const after = 200 * time.Millisecond
	p := &fakeProducer{}
	p.handle = p.hold
	f := &memoryFile{}
	log := &stateLog{}
	s := newTestSyncer(t, p, f, &Options{OutageAfter: after, OnStateChange: log.note})
	if stateOf(s) != Healthy {
		t.Error("not healthy at the start")
	}
	begin := time.Now()
	mustWrite(t, s, "in the client\n")
	eventually(t, "the outage", func() bool { return stateOf(s) == FallbackOnly })
	if took := time.Since(begin); took < after {
		t.Errorf("recognised after %v, want %v", took, after)
	}
	if _, since := s.State(); since.Before(begin) || since.After(time.Now()) {
		t.Errorf("since %v", since)
	}
	mustWrite(t, s, "to the file\n")
	eventually(t, "the next entry on file", func() bool { return s.Stats().FellBack.Outage == 1 })
	if got := strings.Join(f.lines(), "|"); got != "to the file" {
		t.Errorf("on file %q; what is in the client waits for its deadline", got)
	}
	if clientsOf(s) != 1 {
		t.Errorf("%d chunks at the producer in an outage, want the one that was there", clientsOf(s))
	}
	// A Sync does not wait for Kafka.
	mustWrite(t, s, "synced\n")
	begin = time.Now()
	if err := s.Sync(); err != nil || time.Since(begin) > 600*time.Millisecond {
		t.Errorf("Sync = %v after %v in an outage", err, time.Since(begin))
	}
	p.answer()
	if state := stateOf(s); state != Degraded {
		t.Errorf("%v right after an acknowledgement, want degraded", state)
	}
	mustWrite(t, s, "acked\n")
	eventually(t, "an acknowledgement", func() bool { return s.Stats().Acked >= 1 })
	eventually(t, "the callback", func() bool { return log.String() == "[fallback only degraded]" })
}

// A late acknowledgement ends an outage too: Kafka is there.
func TestLateAcknowledgementEndsAnOutage(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{OutageAfter: 20 * time.Millisecond, SyncTimeout: 50 * time.Millisecond})
	mustWrite(t, s, "a\n")
	eventually(t, "the outage", func() bool { return stateOf(s) == FallbackOnly })
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	p.answer()
	if st := s.Stats(); st.LateAcked != 1 || stateOf(s) == FallbackOnly {
		t.Errorf("%v: %+v", stateOf(s), st)
	}
}

// In an outage without a replay the oldest chunk that waits is the probe, one at
// a time, also when the client fails at once.
func TestProbeOfAnOutage(t *testing.T) {
	p := &fakeProducer{}
	var mu sync.Mutex
	most, now := 0, 0
	p.handle = func(ctx context.Context, records []*Record) {
		mu.Lock()
		if now++; now > most {
			most = now
		}
		mu.Unlock()
		p.hold(ctx, records)
	}
	fail := func() {
		mu.Lock()
		now = 0
		mu.Unlock()
		for _, r := range p.takeHeld() {
			r.Done(errors.New("no broker"))
		}
	}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{OutageAfter: 50 * time.Millisecond})
	mustWrite(t, s, "first\n")
	eventually(t, "the outage", func() bool { return stateOf(s) == FallbackOnly })
	fail()
	mu.Lock()
	most = 0
	mu.Unlock()
	for probe := 1; probe <= 3; probe++ {
		for i := 0; i < 3000; i++ { // more than a chunk
			mustWrite(t, s, string(line200))
		}
		eventually(t, "a probe", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.held) > 0
		})
		fail()
		eventually(t, "its entries on file", func() bool { return s.Stats().FellBack.DeliveryFailed > uint64(probe) })
	}
	if most != 1 {
		t.Errorf("%d chunks at the producer at a time in an outage", most)
	}
	p.answer()
	mustWrite(t, s, "after\n")
	eventually(t, "the end of the outage", func() bool { return stateOf(s) == Degraded })
}

// A client that refuses everything at once is out too.
func TestFailingKafkaIsAnOutage(t *testing.T) {
	p := &fakeProducer{handle: refuse}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{OutageAfter: 200 * time.Millisecond, Linger: -1})
	eventually(t, "the outage", func() bool {
		mustWrite(t, s, "x\n")
		return stateOf(s) == FallbackOnly
	})
	p.setHandle(nil)
	eventually(t, "its end", func() bool {
		mustWrite(t, s, "y\n")
		return stateOf(s) == Degraded
	})
}

// As long as some are acknowledged there is no outage.
func TestOneSickPartitionIsNoOutage(t *testing.T) {
	p := &fakeProducer{}
	p.handle = func(ctx context.Context, records []*Record) {
		for _, r := range records {
			if string(r.Value) == "sick" {
				p.hold(ctx, []*Record{r})
			} else {
				r.Done(nil)
			}
		}
	}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{OutageAfter: 300 * time.Millisecond, DeliveryTimeout: time.Second})
	mustWrite(t, s, "sick\n")
	well := 0
	eventually(t, "the sick one on file", func() bool {
		well++
		mustWrite(t, s, "well\n")
		if stateOf(s) == FallbackOnly {
			t.Fatal("an outage although Kafka acknowledges")
		}
		return s.Stats().FellBack.Deadline == 1
	})
	eventually(t, "the well ones in Kafka", func() bool { return s.Stats().Acked == uint64(well) })
	eventually(t, "degraded", func() bool { return stateOf(s) == Degraded })
}

// Who logs nothing is healthy, and so is one who logs now and then.
func TestIdleIsHealthy(t *testing.T) {
	p := &fakeProducer{}
	log := &stateLog{}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{OutageAfter: 20 * time.Millisecond, OnStateChange: log.note})
	for i := 1; i <= 3; i++ {
		mustWrite(t, s, "x\n")
		eventually(t, "the acknowledgement", func() bool { return s.Stats().Acked == uint64(i) })
		<-time.After(60 * time.Millisecond) // nothing may happen in this time
	}
	if stateOf(s) != Healthy || log.String() != "[]" {
		t.Errorf("%v, was %v", stateOf(s), log)
	}
	// An outage in which nothing is left to send is over: nobody knows better.
	p.setHandle(p.hold)
	mustWrite(t, s, "held\n")
	eventually(t, "the outage", func() bool { return stateOf(s) == FallbackOnly })
	for _, r := range p.takeHeld() {
		r.Done(errors.New("no broker"))
	}
	eventually(t, "the end of the outage", func() bool { return stateOf(s) != FallbackOnly })
}

// After ten seconds without trouble a sink is healthy again.
func TestDegradedEnds(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	q.counters.fellBack[reasonTooLarge].Add(1)
	q.counters.fellBack[reasonSync].Add(1)
	q.counters.fellBack[reasonClosed].Add(1)
	if q.assess(now); q.health.state != Healthy {
		t.Errorf("%v for entries that say nothing of Kafka", q.health.state)
	}
	q.counters.fellBack[reasonFailed].Add(1)
	if wait := q.assess(now); q.health.state != Degraded || wait != degradedFor {
		t.Errorf("%v, look again in %v", q.health.state, wait)
	}
	if wait := q.assess(now.Add(degradedFor)); q.health.state != Healthy || wait != never {
		t.Errorf("%v, look again in %v", q.health.state, wait)
	}
}

// A callback that blocks holds up nothing; of many changes it gets the last ones,
// in their order, and the last one always.
func TestOnStateChangeThatBlocks(t *testing.T) {
	log := &stateLog{blocked: make(chan struct{})}
	p := &fakeProducer{}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{OnStateChange: log.note})
	for i := 0; i < 100; i++ {
		s.q.mu.Lock()
		s.q.setStateLocked([]State{Degraded, Healthy}[i%2], time.Now())
		s.q.mu.Unlock()
	}
	mustWrite(t, s, "x\n")
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	if err := shutdownWithin(t, s, 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), "OnStateChange") {
		t.Errorf("Shutdown = %v, want that the callback hangs", err)
	}
	close(log.blocked)
	waitUntil(s.notifier.done, time.Now().Add(waitTime))
	// The callback had some of them in its hands when it blocked. Behind these some
	// may be left out, at one place.
	gaps := 0
	for i := 1; i < len(log.states); i++ {
		if log.states[i] == log.states[i-1] {
			gaps++
		}
		if gaps > 1 || log.times[i].Before(log.times[i-1]) {
			t.Errorf("change %d out of order: %v", i, log)
		}
	}
	if n := len(log.states); n < keepChanges || log.states[n-1] != Healthy {
		t.Errorf("the last of %d states is %v", n, log)
	}
}

// A client that never reports a record again must not end all probing.
func TestWedgedClientIsProbedAgain(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.put(&noMeta, line200); err != nil {
		t.Fatal(err)
	}
	now := q.open.opened.Add(o.Linger)
	if c, _ := q.takeForProducer(now); c == nil {
		t.Fatal("not handed over")
	}
	if q.assess(now.Add(o.OutageAfter)); q.health.state != FallbackOnly {
		t.Fatalf("%v", q.health.state)
	}
	if err := q.put(&noMeta, line200); err != nil {
		t.Fatal(err)
	}
	q.mu.Lock()
	q.sealLocked()
	q.mu.Unlock()
	c, wait := q.takeForProducer(now.Add(o.OutageAfter))
	if c != nil || wait <= 0 || wait > o.DeliveryTimeout+wedgedAfter {
		t.Errorf("chunk %p, wait %v; want to wait for the probe", c, wait)
	}
	if c, _ := q.takeForProducer(now.Add(o.DeliveryTimeout + wedgedAfter)); c == nil {
		t.Error("no second probe although the first was never reported")
	}
}

// The fallback writer leaves the next probe alone, and takes what is behind it.
func TestFallbackWriterLeavesTheProbe(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	add := func() {
		if err := q.put(&noMeta, line200); err != nil {
			t.Fatal(err)
		}
		q.mu.Lock()
		q.sealLocked()
		q.mu.Unlock()
	}
	q.mu.Lock()
	q.setStateLocked(FallbackOnly, time.Now())
	q.mu.Unlock()
	add()
	now := time.Now()
	if j, _ := q.takeForFallback(now); j.c != nil {
		t.Error("the only chunk that could be a probe goes to the fallback")
	}
	probe := q.waiting[0]
	add()
	if j, _ := q.takeForFallback(now); j.c == nil || j.c == probe || j.why != reasonOutage {
		t.Errorf("%+v; want the chunk behind the probe", j)
	}
	// With the replay about to send a probe no chunk need wait; if it does not,
	// the oldest is one.
	q.backlog = func() bool { return true }
	q.health.empty = now
	if c, wait := q.takeForProducer(now); c != nil || wait <= 0 || wait > probeGrace {
		t.Errorf("chunk %p, wait %v; want to leave it to the replay", c, wait)
	}
	if c, _ := q.takeForProducer(now.Add(probeGrace)); c != probe {
		t.Error("no probe although the replay sends none")
	}
	add()
	if j, _ := q.takeForFallback(now); j.c == nil {
		t.Error("a chunk waits for Kafka with a probe under way")
	}
}

// A report that comes after Shutdown leaves the state as it is.
func TestShutdownKeepsTheState(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	var changes atomic.Int32
	s := newTestSyncer(t, p, &memoryFile{}, &Options{OutageAfter: 20 * time.Millisecond, OnStateChange: func(State, time.Time) { changes.Add(1) }})
	mustWrite(t, s, "held\n")
	eventually(t, "the outage", func() bool { return stateOf(s) == FallbackOnly })
	held := p.takeHeld()
	if err := shutdownWithin(t, s, 100*time.Millisecond); err != nil {
		t.Error(err)
	}
	_, since := s.State()
	before := changes.Load()
	for _, r := range held {
		r.Done(nil)
	}
	if s.Stats().LateAcked != 1 {
		t.Fatalf("%+v: the test is wrong", s.Stats())
	}
	if state, now := s.State(); state != FallbackOnly || now != since || changes.Load() != before {
		t.Errorf("state %v since %v after Shutdown and a late report, want %v since %v", state, now, FallbackOnly, since)
	}
}

// In an outage a fallback that fails loses nothing that Kafka may still take.
func TestOutageWithAFailingFallbackLosesNothing(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	var writes atomic.Int32
	f := &memoryFile{write: func([]byte) (int, error) {
		writes.Add(1)
		return 0, errors.New("no space left on device")
	}}
	s := newTestSyncer(t, p, f, &Options{OutageAfter: 20 * time.Millisecond})
	mustWrite(t, s, "probe\n")
	eventually(t, "the outage", func() bool { return stateOf(s) == FallbackOnly })
	mustWrite(t, s, "waits\n")
	eventually(t, "a write that fails", func() bool { return writes.Load() > 0 })
	p.answer()
	eventually(t, "both in Kafka", func() bool { return s.Stats().Acked == 2 })
	if lost := s.Stats().Lost.Total(); lost != 0 {
		t.Errorf("%d lost", lost)
	}
}

// A sheet that was sent as JSON is the same at the other end.
func TestStateAsText(t *testing.T) {
	for _, state := range []State{Healthy, Degraded, FallbackOnly} {
		b, err := json.Marshal(Stats{State: state})
		if err != nil {
			t.Fatal(err)
		}
		back := Stats{State: -1}
		if err := json.Unmarshal(b, &back); err != nil || back.State != state {
			t.Errorf("%v came back as %v: %v", state, back.State, err)
		}
	}
	state := Degraded
	if err := state.UnmarshalText([]byte("well")); err == nil || !strings.Contains(err.Error(), `"fallback only"`) || state != Degraded {
		t.Errorf("UnmarshalText = %v, and the state is %v", err, state)
	}
}
