package zapkafka

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// replayer is the goroutine that sends what is in the fallback to Kafka. It
// reads batches and offers them to the sender, and does with the entries what
// became of their records. Nothing is appended again: what was not acknowledged
// is still on file.
type replayer struct {
	q          *queue
	fallback   *Fallback
	topic      string // of entries of which no other is known
	maxEntry   int
	rate       int             // entries a second
	partitions *sickPartitions // the sender's: current is for us
	stampNow   bool
	report     *reporter

	stop chan struct{} // closed by Shutdown: nothing new is begun
	end  chan struct{} // closed by Shutdown: the producer is closed
	done chan struct{} // closed by run

	mu     sync.Mutex
	landed []*replayBatch // reported in full, not settled; guarded by mu
	ended  bool           // nobody settles any more; guarded by mu

	// All below is run's alone.
	turns   bool            // fallback.replaying is ours
	sources []*spool.Replay // our own directory's first
	turn    int             // whose batch comes next
	adoptAt time.Time

	quarantined uint64           // at the last look
	parcels     map[*parcel]bool // with entries that have not come to an end
	flying      int              // batches with the sender or the producer

	reading     bool      // readingCost is charged
	refusedRoom int       // how many times in a row there was no room for a batch
	more        bool      // there may be something to read
	lookAt      time.Time // when to look without a signal
	nextAt      time.Time // by the rate; in the past as far as some of it is saved

	// suspects are groups that were refused. They go one at a time, and nothing
	// goes beside them: a client may fail many records for the fault of one.
	suspects []*group
	splits   int // of refused groups since the last one that was refused alone

	passed     bool // entries were passed over: they come again with a recall
	full       bool // there is no memory for more: before all others
	back       bool // Kafka is back: likewise
	cameBack   time.Time
	backoff    time.Duration
	asideUntil time.Time     // they do not come again before
	recalled   time.Time     // the last time
	passing    time.Duration // spent since then on entries that were not sent
	sick       map[string]*sickTopic
	pauseUntil time.Time // a whole batch failed: nothing is sent before
	out        bool      // the state was FallbackOnly at the last look
}

const (
	adoptEvery = time.Minute
	// lookAgain is when what cannot be read is tried again.
	lookAgain = 5 * time.Second
	// yieldFor is how long replay stands back when there is no room, or something
	// else to send.
	yieldFor = 10 * time.Millisecond
	// saved is how much of the rate that was not used can be used later: what a
	// moment of overload left behind is gone at once.
	saved = 2 * time.Second
	// restAfter is how many times in a row that happens before the memory for
	// reading is given back.
	restAfter = 10
	// oldestFirst is how often the end of an outage makes replay begin with the
	// oldest entries again.
	oldestFirst = 5 * time.Minute
	minBackoff  = time.Second
	maxBackoff  = 30 * time.Second
	// loneTries is how many times in a row an entry is sent alone that is refused
	// together with records that were just logged: one of those may be to blame.
	loneTries = 5
	// refusalSettles is how long it may take a client to report all the records
	// that it fails for the same reason.
	refusalSettles = 100 * time.Millisecond
)

func (r *replayer) run() {
	defer close(r.done)
	defer r.finish()
	if !r.begin() {
		return
	}
	timer := newStoppedTimer()
	defer timer.Stop()
	stop := r.stop
	for {
		r.settleLanded()
		wait := never
		if !isClosed(r.stop) {
			wait = r.step(time.Now())
		} else {
			stop = nil
			r.putDown()
			if r.flying == 0 || isClosed(r.end) {
				return
			}
		}
		resetTimer(timer, wait)
		select {
		case <-r.q.wakeReplay:
		case <-r.fallback.appended:
			r.more = true
		case <-timer.C:
		case <-stop:
		case <-r.end:
		}
	}
}

// begin waits until no other syncer replays the fallback, and opens it. It reports
// false if Shutdown comes first.
func (r *replayer) begin() bool {
	if !r.turns {
		select {
		case r.fallback.replaying <- struct{}{}:
			r.turns = true
		case <-r.stop:
			return false
		}
	}
	for !r.open() {
		t := time.NewTimer(lookAgain)
		select {
		case <-t.C:
		case <-r.stop:
			t.Stop()
			return false
		}
	}
	return true
}

// open begins to read our own directory.
func (r *replayer) open() bool {
	if len(r.sources) > 0 {
		return true
	}
	r.fallback.spool.CountUntil(r.stop) // Shutdown does not wait for that
	own, err := r.fallback.spool.OpenReplay()
	if err != nil {
		if !errors.Is(err, spool.ErrClosed) {
			r.trouble(err)
		}
		return false
	}
	r.sources = []*spool.Replay{own}
	r.q.mu.Lock()
	r.q.backlog = func() bool { return r.fallback.spool.Stats().OnFile > 0 }
	r.q.mu.Unlock()
	return true
}

// putDown gives up what the sender has not taken, and the memory for reading.
func (r *replayer) putDown() {
	if b := r.q.withdrawReplay(); b != nil {
		r.flying--
		r.setFlying(b.parcel, false)
	}
	r.stopReading()
	r.q.setAside(0)
}

// finish is the end: whatever is not done with stays on file.
func (r *replayer) finish() {
	r.settleLanded()
	r.putDown()
	r.mu.Lock()
	for len(r.landed) > 0 { // since
		r.mu.Unlock()
		r.settleLanded()
		r.putDown()
		r.mu.Lock()
	}
	r.ended = true
	for p := range r.parcels {
		if !p.flying { // else its last Done gives it back
			r.q.releaseReplay(p.cost)
		}
	}
	r.mu.Unlock()
	for _, src := range r.sources {
		if err := src.Close(); err != nil {
			r.trouble(err)
		}
	}
	if r.turns {
		<-r.fallback.replaying
	}
}

func (r *replayer) trouble(err error) {
	r.report.report("replay", fmt.Errorf("zapkafka: replay: %w", err))
}

// step does one thing, and says how long to wait for a signal before the next.
func (r *replayer) step(now time.Time) time.Duration {
	if !r.adoptAt.After(now) {
		r.adopt(now)
	}
	r.lookAtHealth(now)
	wait := r.adoptAt.Sub(now)
	if r.full || r.passed && (!r.more || r.back) {
		// Not while there are others: they would never have their turn behind a
		// topic, say, that is no more.
		if left := r.recallAt().Sub(now); left > 0 {
			wait = sooner(wait, left)
		} else {
			r.recall(now)
		}
	}
	if left := r.pauseUntil.Sub(now); left > 0 {
		r.stopReading()
		return sooner(wait, left)
	}
	if left := r.nextAt.Sub(now); left > 0 {
		return sooner(wait, left)
	}
	switch {
	case len(r.suspects) > 0:
		r.stopReading()
		if r.flying == 0 {
			g := r.suspects[0]
			r.suspects = append(r.suspects[:0], r.suspects[1:]...)
			r.offer(g)
		}
		return wait
	case r.full || r.q.hasReady():
		return wait
	}
	if !r.more && r.lookAt.After(now) {
		r.stopReading()
		return sooner(wait, r.lookAt.Sub(now))
	}
	return sooner(wait, r.read(now))
}

// lookAtHealth forgets all patience when Kafka is back.
func (r *replayer) lookAtHealth(now time.Time) {
	out := r.q.health.out.Load()
	if r.out && !out {
		r.backoff, r.pauseUntil, r.asideUntil = 0, now, now
		// From the oldest on: but if that is what fails, and made it look like an
		// outage again, we go on from here.
		if now.Sub(r.cameBack) >= oldestFirst {
			r.back, r.cameBack = r.passed, now
		}
		r.recalled, r.passing, r.sick = time.Time{}, 0, map[string]*sickTopic{}
	}
	r.out = out
}

// adopt takes over what dead owners have left.
func (r *replayer) adopt(now time.Time) {
	r.adoptAt = now.Add(adoptEvery)
	adopted, err := r.fallback.spool.Adopt()
	if err != nil && !errors.Is(err, spool.ErrClosed) {
		r.trouble(err)
	}
	if len(adopted) > 0 {
		r.sources = append(r.sources, adopted...)
		r.more = true
	}
}

// stopReading gives back the memory for reading. It is taken again before the
// next read.
func (r *replayer) stopReading() {
	if r.reading {
		r.reading, r.refusedRoom = false, 0
		for _, src := range r.sources {
			src.Rest()
		}
		r.q.releaseReplay(readingCost)
	}
}

// read reads a batch and offers it. It returns how long to wait if there is none.
func (r *replayer) read(now time.Time) time.Duration {
	cost := r.q.replayCost()
	need := cost
	if !r.reading {
		need += readingCost
	}
	if !r.q.chargeReplay(need, now) {
		if r.refusedRoom++; r.refusedRoom >= restAfter {
			r.stopReading()
		}
		if r.out {
			return 10 * yieldFor // whatever ends it gives a signal
		}
		return yieldFor
	}
	r.reading, r.refusedRoom = true, 0
	src, entries := r.next()
	r.tellOfDamage()
	if len(entries) == 0 {
		r.q.releaseReplay(cost)
		r.more, r.lookAt = false, now.Add(lookAgain)
		if st := r.fallback.spool.Stats(); st.OnFile == 0 && st.Uncounted == 0 {
			r.lookAt = r.adoptAt
		}
		return 0
	}
	p := &parcel{from: src, cost: cost, left: len(entries)}
	r.parcels[p] = true
	entries = r.withoutSick(p, r.withoutOversize(p, entries))
	if len(entries) == 0 {
		r.passing += time.Since(now)
		return 0
	}
	actual := r.q.batchCost(len(entries), sizeOf(entries))
	switch {
	case actual <= cost:
		r.q.releaseReplay(cost - actual)
		p.cost = actual
	case r.q.growReplay(actual - cost):
		p.cost = actual
	default:
		// Larger than there is room for at the moment.
		r.cameToEnd(p, len(entries))
		src.Again(positionsOf(entries)...)
		return yieldFor
	}
	r.pace(len(entries), now)
	r.offer(&group{parcel: p, entries: entries})
	return 0
}

// pace sets when the next entries may go, n going now.
func (r *replayer) pace(n int, now time.Time) {
	if floor := now.Add(-saved); r.nextAt.Before(floor) {
		r.nextAt = floor
	}
	r.nextAt = r.nextAt.Add(time.Duration(n) * time.Second / time.Duration(r.rate))
}

// next reads from the sources in turn. No entries mean that none has any now.
func (r *replayer) next() (*spool.Replay, []spool.Pending) {
	most := r.q.replay.records
	// A tenth of a second's worth at once: what is not saved comes evenly.
	if tenth := r.rate/10 + 1; most > tenth {
		most = tenth
	}
	for tried := 0; tried < len(r.sources); {
		r.turn %= len(r.sources)
		src := r.sources[r.turn]
		entries, err := src.Next(most, r.q.replay.bytes)
		switch {
		case errors.Is(err, io.EOF) && src != r.sources[0]:
			// An adopted directory of which all is done with.
			r.sources = append(r.sources[:r.turn], r.sources[r.turn+1:]...)
		case errors.Is(err, spool.ErrClosed):
			// The fallback was closed before us: there is nothing to be had.
			r.sources = nil
			return nil, nil
		case errors.Is(err, spool.ErrCountingStopped):
			return nil, nil // by Shutdown
		default:
			if err != nil {
				r.trouble(err)
			}
			r.turn++
			tried++
		}
		if len(entries) > 0 {
			return src, entries
		}
	}
	return nil, nil
}

// tellOfDamage reports entries that reading has put into the quarantine.
func (r *replayer) tellOfDamage() {
	n := r.fallback.spool.Stats().Quarantined
	if n == r.quarantined {
		return
	}
	r.quarantined = n
	r.report.report("quarantine", fmt.Errorf("zapkafka: replay: %d entries of the fallback so far were damaged or missing: what is left of them is in the quarantine file of %q", n, r.fallback.dir))
}

// withoutOversize moves entries that are longer than the producer may be given,
// or that the bound has no room for, to the rejected file; a process with other
// options wrote them.
func (r *replayer) withoutOversize(p *parcel, entries []spool.Pending) []spool.Pending {
	kept := entries[:0]
	for i := range entries {
		reason := ""
		switch e := &entries[i]; {
		case len(e.Value) > r.maxEntry:
			reason = fmt.Sprintf("too large: over MaxEntryBytes (%d)", r.maxEntry)
		case r.q.batchCost(1, sizeOf(entries[i:i+1])) > r.q.clientMost+pendingCost:
			reason = fmt.Sprintf("too large: its key and headers leave no room for it in BufferBytes (%d)", r.q.limit)
		default:
			kept = append(kept, *e)
			continue
		}
		r.reject(&group{parcel: p, entries: []spool.Pending{entries[i]}}, reason)
	}
	return kept
}

// offer gives a group to the sender.
func (r *replayer) offer(g *group) {
	b := &replayBatch{group: *g, q: r.q, landed: r.batchLanded}
	var stamp time.Time
	if r.stampNow {
		stamp = time.Now()
	}
	b.sample = r.noteSamples(b.entries)
	b.makeRecords(r.topic, stamp)
	r.setFlying(g.parcel, true)
	r.flying++
	if !r.q.offerReplay(b) {
		r.flying-- // Shutdown has begun
		r.setFlying(g.parcel, false)
	}
}

func (r *replayer) setFlying(p *parcel, flying bool) {
	r.mu.Lock()
	p.flying = flying
	r.mu.Unlock()
}

// batchLanded is called by the last Done of a batch, on the client's goroutine.
func (r *replayer) batchLanded(b *replayBatch) {
	b.q.replayLanded(b)
	r.mu.Lock()
	b.flying = false
	ended := r.ended
	if !ended {
		r.landed = append(r.landed, b)
	}
	r.mu.Unlock()
	if ended {
		r.q.releaseReplay(b.cost) // the entries are on file
		return
	}
	wake(r.q.wakeReplay)
}

// settleLanded does with the entries of batches that came back what became of
// them.
func (r *replayer) settleLanded() {
	for {
		r.mu.Lock()
		landed := r.landed
		r.landed = nil
		r.mu.Unlock()
		if len(landed) == 0 {
			return
		}
		for _, b := range landed {
			r.flying--
			r.settle(b)
		}
	}
}

func (r *replayer) settle(b *replayBatch) {
	acked, failed, refused := b.outcomes()
	if len(acked) > 0 {
		if err := b.from.Done(acked...); err != nil && !errors.Is(err, spool.ErrClosed) {
			r.trouble(err)
		}
		r.cameToEnd(b.parcel, len(acked))
	}
	if len(failed) > 0 {
		r.failed(b, failed, len(acked)+len(refused) == 0)
	} else if len(refused) == 0 {
		r.backoff = 0 // a bad moment, not a bad day
	}
	r.noteTopics(b, len(failed) > 0)
	r.chargeFragments()
	if len(refused) > 0 {
		r.refused(b, refused)
	} else if len(r.suspects) == 0 && len(failed) == 0 {
		r.noteSplits()
	}
}

// cameToEnd counts entries of a parcel that have come to an end.
func (r *replayer) cameToEnd(p *parcel, n int) {
	if p.left -= n; p.left > 0 {
		return
	}
	delete(r.parcels, p)
	r.q.releaseReplay(p.cost)
}

// failed passes over entries that may be taken later. If all of a batch failed, and
// Kafka acknowledged nothing else meanwhile, nothing is sent for a second: the next
// batch is a probe.
func (r *replayer) failed(b *replayBatch, positions []spool.Position, all bool) {
	now := time.Now()
	if r.asideUntil.Before(now) {
		r.backoff = within(2*r.backoff, minBackoff, maxBackoff)
		if r.q.health.out.Load() {
			r.backoff = minBackoff // each batch is a probe, and the only one
		}
		r.asideUntil = now.Add(r.backoff)
	}
	if all && r.q.answers() == b.answers && (r.out || len(r.sick) == 0) { // samples are few
		r.pauseUntil = now.Add(minBackoff)
	}
	b.from.Doubt(positions...) // a broker that did not answer may have stored them
	r.passOver(b.parcel, positions)
	if err := b.lastErr.Load(); err != nil && !isClosed(r.stop) {
		r.report.report("replay delivery", fmt.Errorf("zapkafka: replay: delivery failed, entries stay in the fallback: %w", *err))
	}
}

func within(d, least, most time.Duration) time.Duration {
	switch {
	case d < least:
		return least
	case d > most:
		return most
	}
	return d
}

// refused halves a group that was refused, or condemns an entry that was refused
// alone.
func (r *replayer) refused(b *replayBatch, entries []spool.Pending) {
	err := *b.refusal.Load()
	if len(b.entries) > 1 {
		// Unless something else was refused that may be to blame.
		if errors.Is(err, ErrTooLarge) && r.q.counters.refused.Load()-b.refusals == uint64(len(entries)) {
			r.splits++
		}
		if len(entries) == 1 {
			r.suspects = append([]*group{{parcel: b.parcel, entries: entries}}, r.suspects...)
			return
		}
		half := len(entries) / 2
		r.suspects = append([]*group{
			{parcel: b.parcel, entries: entries[:half:half]},
			{parcel: b.parcel, entries: entries[half:]},
		}, r.suspects...)
		return
	}
	g := b.group
	if r.othersRefused(b) {
		if g.tries++; g.tries < loneTries {
			r.retry(&g)
		} else {
			// Another time, and not soon: meanwhile nothing else was replayed.
			r.passOver(g.parcel, positionsOf(entries))
			r.asideUntil = time.Now().Add(maxBackoff)
			if errors.Is(err, ErrTooLarge) {
				r.report.report("batch size", fmt.Errorf("zapkafka: replay: Kafka refuses an entry of %d bytes as too large, and what is logged meanwhile too: if no entry is over the topic's max.message.bytes, then the batch size of the client is: %w", len(entries[0].Value), err))
			}
		}
		return
	}
	r.splits = 0
	r.reject(&g, cutText(err.Error(), 500))
	if errors.Is(err, ErrTooLarge) {
		r.report.report("batch size", fmt.Errorf("zapkafka: replay: Kafka refused an entry of %d bytes as too large although it is under MaxEntryBytes (%d): set MaxEntryBytes below the topic's max.message.bytes, less a hundred bytes for the batch, or raise that: %w",
			len(entries[0].Value), r.maxEntry, err))
		return
	}
	r.report.report("replay refused", fmt.Errorf("zapkafka: replay: Kafka refused an entry for good: it is with the rejected entries of the fallback: %w", err))
}

// othersRefused reports whether any other record was refused since the batch was
// handed over. The replay sends nothing beside a lone entry, so that would be one
// that was just logged.
func (r *replayer) othersRefused(b *replayBatch) bool {
	if r.q.clientsNow() == 0 {
		return r.q.counters.refused.Load()-b.refusals > 1
	}
	// The client may still be reporting the others.
	t := time.NewTimer(refusalSettles)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.end:
	}
	return r.q.counters.refused.Load()-b.refusals > 1
}

// retry sends a group again, later.
func (r *replayer) retry(g *group) {
	r.suspects = append([]*group{g}, r.suspects...)
	r.pauseUntil = time.Now().Add(minBackoff)
}

// noteSplits says so when batches are refused of which no entry is.
func (r *replayer) noteSplits() {
	if r.splits == 0 {
		return
	}
	r.splits = 0
	r.report.report("batch size", errors.New("zapkafka: replay: Kafka refused batches of which it took every entry when they were smaller: the batch size of the client and the topic's max.message.bytes do not fit"))
}

// reject moves an entry to the rejected file. If that cannot be written, it is
// tried again.
func (r *replayer) reject(g *group, reason string) {
	e := g.entries[0]
	e.Topic = r.topicOf(&e)
	err := g.from.Reject(e, reason)
	if err == nil || errors.Is(err, spool.ErrClosed) {
		r.cameToEnd(g.parcel, 1)
		return
	}
	r.trouble(err)
	r.passOver(g.parcel, []spool.Position{e.Position})
	r.pauseUntil = time.Now().Add(lookAgain)
}

func cutText(text string, n int) string { return string(cutAt([]byte(text), n)) }

func positionsOf(entries []spool.Pending) []spool.Position {
	positions := make([]spool.Position, len(entries))
	for i := range entries {
		positions[i] = entries[i].Position
	}
	return positions
}

// hasReady reports whether a batch waits for the sender.
func (q *queue) hasReady() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.replay.ready != nil
}

// clientsNow is how many chunks are with the producer.
func (q *queue) clientsNow() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.clients
}

// newReplayer returns a replayer for the fallback, or nil if there is none to be: it
// is off, or the fallback is not ours. The first of a fallback has it at once.
func newReplayer(q *queue, file fallbackFile, topic string, o *Options, report *reporter, partitions *sickPartitions) *replayer {
	dir, ok := file.(directory)
	if !ok || o.Replay.Rate < 0 {
		return nil
	}
	r := &replayer{
		q: q, partitions: partitions, fallback: dir.Fallback, topic: topic, maxEntry: o.MaxEntryBytes,
		rate: o.Replay.Rate, stampNow: o.Replay.StampNow, report: report,
		stop: make(chan struct{}), end: make(chan struct{}), done: make(chan struct{}),
		parcels: map[*parcel]bool{}, sick: map[string]*sickTopic{}, more: true,
		nextAt: time.Now(), // nothing is saved yet: a fleet that starts is not a burst
	}
	select {
	case dir.replaying <- struct{}{}:
		r.turns = true
		r.open() // run tries again if need be
	default:
	}
	return r
}
