package ibmsarama

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// handful is how many entries a lane takes out of its lists at a time. They are
// few, so that little is in its hands when their time runs out.
const handful = 64

// lane is the way of one topic's records into the client: those that wait for
// the client to know the topic and its leaders, and those that failed and are
// to be sent again. While it is not empty a goroutine feeds the client from it.
//
// Topics have lanes of their own so that one which is missing does not hold up
// the others.
type lane struct {
	p     *Producer
	topic string
	kick  chan struct{} // room for one: there is something new

	// trouble is set when a record came back because a connection failed: the
	// client is asked for the topic before it gets more.
	trouble atomic.Bool

	mu      sync.Mutex // guards the lists
	running bool
	fresh   [][]entry // parts of blocks, in order
	round   []*entry  // retries whose time has come; they go first
	retries []*entry  // the next round
	retryAt time.Time // when it begins
	lastErr error     // why a record was last not delivered
	lastAt  time.Time

	// The goroutine's own.
	verified *generation // the client that knows the topic
	hand     []*entry
	attempts []attempt // to be used
}

// attempt returns a new one. They are made by the handful, and never used again:
// a message may be reported twice.
func (l *lane) attempt() *attempt {
	if len(l.attempts) == 0 {
		l.attempts = make([]attempt, handful)
	}
	a := &l.attempts[0]
	l.attempts = l.attempts[1:]
	return a
}

// lane returns the topic's lane.
func (p *Producer) lane(topic string) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[topic]
	if l == nil {
		l = &lane{p: p, topic: topic, kick: make(chan struct{}, 1)}
		p.lanes[topic] = l
	}
	return l
}

// push adds a part of a block, whose entries are of this lane.
func (l *lane) push(part []entry) {
	l.mu.Lock()
	l.fresh = append(l.fresh, part)
	l.startLocked()
	l.mu.Unlock()
	if part[0].block.isExpired() { // and expire may have been here before
		l.prune()
	}
}

// retry adds an entry that came back from the client.
func (l *lane) retry(e *entry, err error) {
	l.mu.Lock()
	l.lastErr, l.lastAt = err, time.Now()
	if e.block.isExpired() {
		err = l.timeoutLocked(e.block)
		l.mu.Unlock()
		e.finish(err)
		return
	}
	// The first of a round sets its time: it has been tried the most often.
	if len(l.retries) == 0 {
		l.retryAt = time.Now().Add(backoff(e.attempts))
	}
	l.retries = append(l.retries, e)
	l.startLocked()
	l.mu.Unlock()
}

// startLocked makes sure that the goroutine runs and looks at the lists. The
// caller is itself counted in p.work.
func (l *lane) startLocked() {
	if !l.running {
		l.running = true
		l.p.work.Add(1)
		go l.run()
		return
	}
	signal(l.kick)
}

// prune reports the entries whose time is over.
func (l *lane) prune() {
	l.mu.Lock()
	var gone []*entry
	// Blocks are pushed in the order of their deadlines.
	for len(l.fresh) > 0 && (len(l.fresh[0]) == 0 || l.fresh[0][0].block.isExpired()) {
		for i := range l.fresh[0] {
			gone = append(gone, &l.fresh[0][i])
		}
		l.fresh[0] = nil
		l.fresh = l.fresh[1:]
	}
	over := func(e *entry) bool {
		if !e.block.isExpired() {
			return false
		}
		gone = append(gone, e)
		return true
	}
	l.round = slices.DeleteFunc(l.round, over)
	l.retries = slices.DeleteFunc(l.retries, over)
	l.finishLocked(gone)
}

// finishLocked reports entries whose time is over, and gives the lock back
// first: Done is not ours.
func (l *lane) finishLocked(gone []*entry) {
	errs := make(map[*block]error)
	for _, e := range gone {
		if errs[e.block] == nil {
			errs[e.block] = l.timeoutLocked(e.block)
		}
	}
	l.mu.Unlock()
	for _, e := range gone {
		e.finish(errs[e.block])
	}
}

// timeoutLocked is the error of records whose time is over.
func (l *lane) timeoutLocked(b *block) error {
	if l.lastErr != nil && l.lastAt.After(b.began) {
		return &timeoutError{after: l.p.limits.DeliveryTimeout, last: l.lastErr}
	}
	return l.p.timedOut
}

// run feeds the client until the lists are empty.
func (l *lane) run() {
	defer l.p.work.Done()
	tries := 0
	for l.await() {
		g, err := l.p.generation()
		if err == nil && g.client != nil && (l.trouble.Swap(false) || l.verified != g) {
			l.verified = nil
			err = g.knows(l.topic)
		}
		if err == nil {
			tries = 0
			l.verified = g
			l.feed(g)
			continue
		}
		if l.p.isStopped() {
			continue
		}
		again, outcome := l.p.judge(l.topic, err)
		if !again || l.p.wrapped != nil {
			l.failAll(outcome)
			continue
		}
		l.mu.Lock()
		l.lastErr, l.lastAt = outcome, time.Now()
		l.mu.Unlock()
		tries++
		l.pause(backoff(tries))
	}
}

// await waits until there is something to send, and reports false when the
// lane is empty and its goroutine has to end.
func (l *lane) await() bool {
	for {
		l.mu.Lock()
		if l.p.isStopped() {
			all := l.allLocked()
			l.running = false
			l.mu.Unlock()
			for _, e := range all {
				e.finish(errClosed)
			}
			return false
		}
		if len(l.retries) > 0 && !time.Now().Before(l.retryAt) {
			l.beginRoundLocked()
		}
		if len(l.round)+len(l.fresh) > 0 {
			l.mu.Unlock()
			return true
		}
		if len(l.retries) == 0 {
			l.running = false
			l.mu.Unlock()
			return false
		}
		t := time.NewTimer(time.Until(l.retryAt))
		l.mu.Unlock()
		select {
		case <-t.C:
		case <-l.kick:
		case <-l.p.stopped:
		}
		t.Stop()
	}
}

// beginRoundLocked makes what failed the next to be sent, in the order in which
// it was handed over.
func (l *lane) beginRoundLocked() {
	l.round = append(l.round, l.retries...)
	l.retries = nil
	slices.SortFunc(l.round, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
}

// allLocked empties the lists.
func (l *lane) allLocked() []*entry {
	all := slices.Concat(l.round, l.retries)
	for _, part := range l.fresh {
		for i := range part {
			all = append(all, &part[i])
		}
	}
	l.round, l.retries, l.fresh = nil, nil, nil
	return all
}

// failAll reports everything that waits.
func (l *lane) failAll(err error) {
	l.mu.Lock()
	all := l.allLocked()
	l.mu.Unlock()
	for _, e := range all {
		e.finish(err)
	}
}

// pause waits, unless Close gives up.
func (l *lane) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.p.stopped:
	}
}

// take moves entries from the lists into the hand: retries, then fresh ones.
func (l *lane) take() []*entry {
	l.hand = l.hand[:0]
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.retries) > 0 && !time.Now().Before(l.retryAt) {
		l.beginRoundLocked()
	}
	n := min(handful, len(l.round))
	l.hand = append(l.hand, l.round[:n]...)
	clear(l.round[:n])
	if l.round = l.round[n:]; len(l.round) == 0 {
		l.round = nil
	}
	for len(l.hand) < handful && len(l.fresh) > 0 {
		part := l.fresh[0]
		n := min(handful-len(l.hand), len(part))
		for i := range part[:n] {
			l.hand = append(l.hand, &part[i])
		}
		if n < len(part) {
			l.fresh[0] = part[n:]
			break
		}
		l.fresh[0] = nil
		l.fresh = l.fresh[1:]
	}
	return l.hand
}

// putBack gives back what is in the hand, as the next to be sent.
func (l *lane) putBack(rest []*entry) {
	l.mu.Lock()
	var gone, keep []*entry
	for _, e := range rest {
		if e.block.isExpired() { // prune has been here already
			gone = append(gone, e)
		} else {
			keep = append(keep, e)
		}
	}
	l.round = append(keep, l.round...)
	l.finishLocked(gone)
}

// feed sends until the lists are empty or the client is in trouble.
func (l *lane) feed(g *generation) {
	if !g.enter() {
		return
	}
	defer g.leave()
	for {
		hand := l.take()
		if len(hand) == 0 {
			return
		}
		for i, e := range hand {
			if l.trouble.Load() || !g.send(l.attempt(), e) {
				l.putBack(hand[i:])
				return
			}
		}
	}
}

// backoff is the pause before the given retry: from 100 ms, doubling to 1 s, a
// fifth more or less so that many clients do not come back at once.
func backoff(tries int) time.Duration {
	d := time.Second
	if tries < 5 {
		d = 100 * time.Millisecond << max(tries-1, 0)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
