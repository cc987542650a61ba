package zapkafka

import (
	"fmt"
	"sync/atomic"
	"time"
)

// State says how entries get to Kafka at the moment.
type State int

const (
	// Healthy means that Kafka acknowledges what it is given, or that nothing is
	// under way.
	Healthy State = iota
	// Degraded means that Kafka acknowledges entries, but within the last ten seconds
	// others went to the fallback since it refused them, was too slow for them, or
	// did not answer; or entries were shed or lost.
	Degraded
	// FallbackOnly means that Kafka has acknowledged nothing for Options.OutageAfter
	// although entries are with the producer. What is logged goes to the fallback
	// at once, but for one batch that finds out when Kafka is back.
	FallbackOnly
)

// MarshalText returns what String returns, for JSON and the like. It never fails.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote, so that Stats come back from JSON. Any
// other text is an error, and leaves s as it is.
func (s *State) UnmarshalText(text []byte) error {
	for state := Healthy; state <= FallbackOnly; state++ {
		if state.String() == string(text) {
			*s = state
			return nil
		}
	}
	return fmt.Errorf("zapkafka: the state is %.40q, but must be one of %q, %q and %q", text, Healthy, Degraded, FallbackOnly)
}

// String returns "healthy", "degraded" or "fallback only".
func (s State) String() string {
	switch s {
	case Healthy:
		return "healthy"
	case Degraded:
		return "degraded"
	case FallbackOnly:
		return "fallback only"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// State returns how entries get to Kafka at the moment, and since when. It takes
// the queue's lock for a moment and may be called at any time. Shutdown leaves
// the state as it is then, whatever the client reports later.
func (s *KafkaSyncer) State() (state State, since time.Time) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	return s.q.health.state, s.q.health.since
}

const (
	// degradedFor is how long entries that went to the fallback make a sink
	// degraded.
	degradedFor = 10 * time.Second
	// stretchParts: within so large a part of OutageAfter without anything at the
	// producer, the next hand-over goes on with what went unanswered before. A
	// client that fails everything at once is out like one that hangs, but an
	// entry that failed a minute ago says nothing of the next.
	stretchParts = 4
	// assessParts is how often OutageAfter is divided for looking.
	assessParts = 8
	// wedgedAfter is how long after its delivery timeout a producer may report a
	// record; see Producer. What it still holds then finds out nothing any more.
	wedgedAfter = 10 * time.Second
	// probeGrace is how long the oldest waiting chunk leaves it to the replay to
	// send the next probe.
	probeGrace = 2 * time.Second
	// keepChanges bounds the changes that wait for a slow OnStateChange.
	keepChanges = 16
)

// health is what is known of Kafka from the answers that come and do not come.
// All but after and out is guarded by the queue's lock; out is written under it.
type health struct {
	after time.Duration // Options.OutageAfter; 0: there are no outages
	out   atomic.Bool   // the state is FallbackOnly; read by every Done

	state State
	since time.Time

	replays    int       // batches of the replay that are with the producer
	handed     time.Time // when something was last handed to the producer
	empty      time.Time // since when nothing is with the producer
	unanswered time.Time // since when nothing was acknowledged of what is; zero: nothing is
	answers    uint64    // at the last look

	troubles uint64 // at the last look
	troubled time.Time

	notify  bool
	changes []stateChange // not told yet, oldest first
	ended   bool          // by Shutdown: the state stays
}

type stateChange struct {
	state State
	since time.Time
}

// underwayLocked counts what is with the producer, chunks and batches.
func (q *queue) underwayLocked() int { return q.clients + q.health.replays }

// handedLocked notes that something is about to be handed to the producer. It
// is not counted yet.
func (q *queue) handedLocked(now time.Time) {
	h := &q.health
	h.handed = now
	if q.underwayLocked() > 0 {
		return
	}
	if h.unanswered.IsZero() || now.Sub(h.empty) >= h.after/stretchParts {
		h.unanswered = now
	}
	wake(q.wakeHealth)
}

// landedLocked notes that something has come back from the producer. It is not
// counted any more.
func (q *queue) landedLocked() {
	if q.underwayLocked() == 0 {
		q.health.empty = time.Now()
	}
}

// acknowledged is told of every acknowledgement, after it was counted. The first
// one ends an outage at once.
func (q *queue) acknowledged() {
	if !q.health.out.Load() {
		return
	}
	q.mu.Lock()
	q.assessLocked(time.Now())
	q.mu.Unlock()
}

// troublesLocked counts what makes a sink degraded.
func (q *queue) troublesLocked() uint64 {
	n := uint64(0)
	for why := range q.counters.fellBack {
		switch reason(why) {
		case reasonQueueFull, reasonFailed, reasonDeadline, reasonOutage, reasonPartition:
			n += q.counters.fellBack[why].Load()
		}
	}
	for why := range q.counters.lost {
		n += q.counters.lost[why].Load()
	}
	n += q.counters.shed.total()
	return n
}

// assess finds out how things are, and when it wants to look again.
func (q *queue) assess(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.assessLocked(now)
}

func (q *queue) assessLocked(now time.Time) time.Duration {
	h := &q.health
	if h.ended {
		return never
	}
	q.noteAnswersLocked(now)
	underway := q.underwayLocked() > 0
	if n := q.troublesLocked(); n != h.troubles {
		h.troubles, h.troubled = n, now
	}
	out := h.state == FallbackOnly
	switch n := q.answers(); {
	case n != h.answers:
		h.answers, out, h.unanswered = n, false, time.Time{}
		if underway {
			h.unanswered = now
		}
	case out:
		// What is idle is healthy: nobody knows better.
		if !underway && len(q.waiting) == 0 && q.open == nil && !q.backlogLocked() && now.Sub(h.empty) >= h.after {
			out, h.unanswered = false, time.Time{}
		}
	case h.after > 0 && !h.unanswered.IsZero():
		if !underway && now.Sub(h.empty) >= h.after/stretchParts {
			h.unanswered = time.Time{}
		}
		out = !h.unanswered.IsZero() && now.Sub(h.unanswered) >= h.after
	}
	recently := !h.troubled.IsZero() && now.Sub(h.troubled) < degradedFor
	switch {
	case out:
		q.setStateLocked(FallbackOnly, now)
	case recently:
		q.setStateLocked(Degraded, now)
	default:
		q.setStateLocked(Healthy, now)
	}
	wait := never
	if h.after > 0 && (out || !h.unanswered.IsZero()) {
		wait = h.after / assessParts
	}
	if recently {
		wait = sooner(wait, h.troubled.Add(degradedFor).Sub(now))
	}
	return wait
}

// endHealth leaves the state as it is: nobody is told of a change any more, and what a
// client still reports says nothing about entries to come.
func (q *queue) endHealth() {
	q.mu.Lock()
	q.health.ended = true
	q.mu.Unlock()
}

func (q *queue) setStateLocked(state State, now time.Time) {
	h := &q.health
	if h.state == state {
		return
	}
	h.state, h.since = state, now
	h.out.Store(state == FallbackOnly)
	// Either way there is something to do for all of them.
	wake(q.wakeSender)
	wake(q.wakeWriter)
	wake(q.wakeReplay)
	if h.notify {
		if len(h.changes) == keepChanges {
			h.changes = append(h.changes[:0], h.changes[1:]...)
		}
		h.changes = append(h.changes, stateChange{state, now})
		wake(q.wakeNotify)
	}
}

// backlogLocked reports whether a replay has something to send.
func (q *queue) backlogLocked() bool { return q.backlog != nil && !q.closed && q.backlog() }

// mayProbeLocked reports whether something may be handed to the producer in an
// outage: one thing at a time. Otherwise it says how long to wait, unless a
// signal comes before.
func (q *queue) mayProbeLocked(now time.Time, replay bool) (bool, time.Duration) {
	h := &q.health
	if q.underwayLocked() > 0 {
		left := h.handed.Add(q.delivery + wedgedAfter).Sub(now)
		return left <= 0, left
	}
	if !replay && q.backlogLocked() {
		if left := h.empty.Add(probeGrace).Sub(now); left > 0 {
			return false, left
		}
	}
	return true, 0
}

// watcher is the goroutine that notices what does not happen.
type watcher struct {
	q    *queue
	stop chan struct{} // closed by Shutdown
	done chan struct{} // closed by run
}

func (w *watcher) run() {
	defer close(w.done)
	timer := newStoppedTimer()
	defer timer.Stop()
	for {
		resetTimer(timer, w.q.assess(time.Now()))
		select {
		case <-w.q.wakeHealth:
		case <-timer.C:
		case <-w.stop:
			return
		}
	}
}

// notifier is the goroutine that calls Options.OnStateChange, which may block.
type notifier struct {
	q    *queue
	call func(State, time.Time) // nil: nobody wants to know
	stop chan struct{}          // closed by Shutdown
	done chan struct{}          // closed by run
}

func (n *notifier) run() {
	defer close(n.done)
	if n.call == nil {
		return
	}
	for {
		stopped := isClosed(n.stop)
		for _, c := range n.q.takeChanges() {
			n.call(c.state, c.since)
		}
		if stopped {
			return
		}
		select {
		case <-n.q.wakeNotify:
		case <-n.stop:
		}
	}
}

func (q *queue) takeChanges() []stateChange {
	q.mu.Lock()
	defer q.mu.Unlock()
	changes := q.health.changes
	q.health.changes = nil
	return changes
}
