package zapkafka

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// noticeLook is how often it is looked whether entries are still being shed.
	noticeLook = 200 * time.Millisecond
	// noticeQuiet is how long none may have been shed before that is over.
	noticeQuiet = 2 * time.Second
	// noticeGap is the time from one entry about it to the next, at least.
	noticeGap = time.Minute
	// noticeWait is how long Shutdown waits for the last one, so that it is among what
	// Shutdown brings to Kafka.
	noticeWait = 100 * time.Millisecond
)

// shedNotice is the goroutine that says in the log itself what was shed, once that is
// over: who reads the log has to know that it has gaps. It sleeps as long as nothing
// is shed.
//
// It does not feed itself: its entry is of a level that is not shed in an overload, nor
// for FallbackLevel. If there is no room for it, it is lost, which starts nothing.
type shedNotice struct {
	q      *queue
	report *reporter
	topic  string // of the syncer

	stop chan struct{} // closed by Shutdown: what is left to say is said at once
	done chan struct{} // closed by run

	mu         sync.Mutex
	core       *core         // nil: the ErrorHandler is told instead; guarded by mu
	quiet, gap time.Duration // guarded by mu, for tests

	told   rankCounts // by an entry, or a report; the goroutine's, and after it Shutdown's
	toldAt time.Time
}

func newShedNotice(q *queue, r *reporter, topic string) *shedNotice {
	return &shedNotice{
		q: q, report: r, topic: topic, quiet: noticeQuiet, gap: noticeGap,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// writeBy makes c the core that writes the entry, unless there is one.
func (n *shedNotice) writeBy(c *core) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.core == nil {
		n.core = c
	}
}

func (n *shedNotice) run() {
	defer close(n.done)
	for {
		select {
		case <-n.q.wakeShed:
			n.follow()
		case <-n.stop:
			n.follow()
			return
		}
	}
}

// outcomes are sums of the counters at a moment.
type outcomes struct {
	shed           rankCounts
	fellBack, lost uint64
}

func (q *queue) outcomes() outcomes {
	var o outcomes
	for r := range o.shed {
		o.shed[r] = q.counters.shed[r].Load()
	}
	o.fellBack, o.lost = q.counters.fellBackBy.total(), q.counters.lostBy.total()
	return o
}

// follow watches entries being shed until that is over, and says so.
func (n *shedNotice) follow() {
	first := n.q.outcomes()
	if first.shed == n.told {
		return // a signal from before the last entry
	}
	if !isClosed(n.stop) {
		n.report.report("shed", errShedding)
	}
	n.mu.Lock()
	quiet, gap := n.quiet, n.gap
	n.mu.Unlock()
	from := time.Now()
	last, to := first, from
	t := time.NewTimer(noticeLook)
	defer t.Stop()
	for {
		ends := false
		select {
		case <-t.C:
			t.Reset(noticeLook)
		case <-n.stop:
			ends = true
		}
		now := time.Now()
		if o := n.q.outcomes(); o.shed != last.shed {
			last, to = o, now
		}
		if ends || now.Sub(to) >= quiet && now.Sub(n.toldAt) >= gap && n.q.calm() {
			n.tell(from, to, last.shed, last.fellBack-first.fellBack, last.lost-first.lost)
			return
		}
	}
}

// calm reports whether the queue has room again, and nothing keeps it from having it.
// Of the fallback it asks what it does now: one that has failed is failing, and stalled,
// until its next write, and once Kafka is back there may be none for days.
func (q *queue) calm() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	disk := q.stalled && q.writing || q.failing && time.Now().Before(q.failingUntil)
	return q.limit-q.used >= q.low && len(q.waiters) == 0 && !disk && q.health.state != FallbackOnly
}

// tell says what was shed since the last time.
func (n *shedNotice) tell(from, to time.Time, shed rankCounts, fellBack, lost uint64) {
	var fresh rankCounts
	for r := range fresh {
		fresh[r] = shed[r] - n.told[r]
	}
	n.told, n.toldAt = shed, time.Now()
	message := fmt.Sprintf("%d entries shed, %d to the fallback, between %s and %s", fresh.total(), fellBack,
		from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
	n.mu.Lock()
	c := n.core
	n.mu.Unlock()
	if c == nil {
		n.report.report("shed entries", fmt.Errorf("zapkafka: %s (%d lost; see Stats)", message, lost))
		return
	}
	defer func() { // an encoder that panics, or a core on a test that has ended
		if p := recover(); p != nil {
			n.report.report("shed entries", fmt.Errorf("zapkafka: %s; the core panicked with the entry about it: %v", message, p))
		}
	}()
	e := zapcore.Entry{Level: zapcore.WarnLevel, Time: n.toldAt, LoggerName: "zapkafka", Message: message}
	fields := []zapcore.Field{
		zap.Uint64("shed", fresh.total()), zap.Object("shed_by_level", &fresh), zap.Uint64("fell_back", fellBack), zap.Uint64("lost", lost),
		zap.Time("from", from), zap.Time("to", to),
	}
	if c.rules != nil {
		fields = append(fields, Topic(n.topic)) // a topic for this logger's name need not be there
	}
	rank := rankOf(e.Level)
	if kept := n.q.forFallback(); !kept[rank] {
		rank = 0
	}
	if err := c.write(e, fields, rank); err != nil {
		n.report.report("shed entries", fmt.Errorf("zapkafka: %s; the entry about it could not be written: %w", message, err))
	}
}

// MarshalLogObject writes the counts that are not 0 by the names of the levels.
func (n *rankCounts) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for r, k := range n {
		if k > 0 {
			enc.AddUint64(LevelName(levelRank(r).index()), k)
		}
	}
	return nil
}

// rest tells the ErrorHandler what was shed after the goroutine has ended.
func (n *shedNotice) rest() {
	if isClosed(n.done) {
		if left := n.q.counters.shed.total() - n.told.total(); left > 0 {
			n.report.report("shed at the end", fmt.Errorf("zapkafka: %d entries below FallbackLevel were not acknowledged by Kafka before the end of Shutdown, and are shed", left))
		}
	}
}
