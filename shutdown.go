package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// shutdownOnce lets the first Shutdown do it and the others wait for it.
type shutdownOnce struct {
	once sync.Once
	done chan struct{} // closed when it is over
	err  error         // set before
}

const (
	// shutdownGrace is how long after its deadline Shutdown may still be
	// writing what it has not written; an expired ctx gets that much.
	shutdownGrace = 200 * time.Millisecond
	// closeGrace is how long after its deadline Shutdown waits for the
	// producer's Close and for its own goroutines.
	closeGrace = 430 * time.Millisecond
	// reportGrace is for the error handler to come to its end after all that.
	reportGrace = 40 * time.Millisecond
	// closeAtLeast and closeAtMost bound the time which the producer's Close is
	// given. Every entry has its outcome by then.
	closeAtLeast = 100 * time.Millisecond
	closeAtMost  = time.Second
)

// Close is Shutdown with Options.CloseTimeout.
func (s *KafkaSyncer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.CloseTimeout)
	defer cancel()
	return s.Shutdown(ctx)
}

// Shutdown ends the syncer: it stops the replay, of which what is not acknowledged
// stays on file, accepts no more entries for Kafka, delivers what
// it has, writes to the fallback what Kafka has not acknowledged when three
// quarters of the time until ctx's deadline are over (or ctx is cancelled),
// closes the producer, and ends its goroutines. It returns at the latest half a
// second after ctx is done. With a ctx that has expired already it still writes
// what it can in that half second. Without a deadline it waits for Kafka until
// Options.DeliveryTimeout is over, and a second for the disk.
//
// The error is nil when every entry that was pending is in Kafka or on file now
// and the producer was closed; otherwise it says what is not, a write to the
// fallback that hangs for example.
//
// An entry that is logged later is written to the fallback while its caller
// waits, at most Options.MaxWait (100 ms if that is negative). The fallback
// itself stays open; it belongs to who opened it. Further calls of Shutdown or
// Close wait for the first one, or for their own ctx.
func (s *KafkaSyncer) Shutdown(ctx context.Context) error {
	first := false
	s.shutdown.once.Do(func() { first = true })
	if first {
		s.shutdown.err = s.shutDown(ctx)
		close(s.shutdown.done)
		return s.shutdown.err
	}
	if isClosed(s.shutdown.done) {
		return s.shutdown.err // whatever has become of ctx
	}
	select {
	case <-s.shutdown.done:
		return s.shutdown.err
	case <-ctx.Done():
		return fmt.Errorf("zapkafka: shutdown: another call is still at it: %w", ctx.Err())
	}
}

func (s *KafkaSyncer) shutDown(ctx context.Context) error {
	// end is when the time is over: ctx's deadline, or the moment in which it
	// is cancelled.
	begin := time.Now()
	end, limited := ctx.Deadline()
	kafkas := s.o.DeliveryTimeout
	if limited {
		kafkas = end.Sub(begin) * 3 / 4
	} else {
		end = begin.Add(kafkas + time.Second)
	}
	drain, cancel := context.WithTimeout(ctx, kafkas)
	defer cancel()

	if s.replayer != nil {
		close(s.replayer.stop)
	}
	close(s.notice.stop)
	if most := begin.Add(noticeWait); most.Before(end) {
		waitUntil(s.notice.done, most)
	}
	lost := s.q.lostOnFile()
	s.q.close()
	w, _, answers := s.q.flush()
	defer s.q.forget(w)
	select {
	case <-w.done:
	case <-drain.Done():
	}
	if now := time.Now(); ctx.Err() != nil || end.Before(now) {
		end = now // cancelled, or late
	}

	// Kafka's time is over. What it has not acknowledged is written first; then
	// the client is closed, so that what is given up counts as that and not as a
	// failure of the client.
	s.stopSender()
	s.q.giveUp(w.upTo, reasonClosed, answers)
	var errs []error
	waitUntil(w.done, end.Add(shutdownGrace))
	errs = append(errs, s.syncFallback(end.Add(shutdownGrace)))
	closed := s.closeProducer(end)

	last := end.Add(closeGrace)
	// join waits for a goroutine; one that hangs is reported and left behind.
	join := func(done <-chan struct{}, until time.Time, hangs string) bool {
		ended := waitUntil(done, until)
		if !ended {
			errs = append(errs, errors.New(hangs))
		}
		return ended
	}
	join(s.sender.done, last, "the producer's Produce did not return although its context ended")
	if lost = s.q.lostOnFile() - lost; lost > 0 {
		errs = append(errs, fmt.Errorf("%d entries are lost: the fallback could not take them", lost))
	}
	if !isClosed(w.done) {
		s.stuck.Store(true)
		if n := s.q.abandon(); n > 0 {
			errs = append(errs, fmt.Errorf("%d entries are lost: the fallback did not take them in time", n))
		}
	}
	s.q.end()
	close(s.writer.stop)
	if !join(s.writer.done, last, "a write to the fallback has not returned: its goroutine is left behind") {
		s.stuck.Store(true)
	}
	close(s.fsync.stop)
	join(s.fsync.done, last.Add(reportGrace/2), "an fsync of the fallback has not returned: its goroutine is left behind")
	errs = append(errs, receiveUntil(closed, last))
	if s.replayer != nil {
		// The producer has reported all that it had: what is acknowledged is taken
		// off the file, the rest stays there.
		close(s.replayer.end)
		join(s.replayer.done, last.Add(reportGrace/2), "a read or write of the fallback for the replay has not returned: its goroutine is left behind")
	}
	join(s.q.lastResort.end(), last.Add(reportGrace), "a write to LastResort has not returned: its goroutine is left behind")
	close(s.watcher.stop)
	<-s.watcher.done // it never waits for anything
	s.q.endHealth()
	close(s.notifier.stop)
	join(s.notifier.done, last.Add(reportGrace), "OnStateChange has not returned: its goroutine is left behind")
	join(s.notice.done, last.Add(reportGrace), "the core has not returned from the entry about what was shed: its goroutine is left behind")
	s.notice.rest()
	if dir, ok := s.file.(directory); ok {
		dir.tell(s.reporter, false)
	}
	close(s.reporter.stop)
	join(s.reporter.done, last.Add(reportGrace), "the error handler has not returned: its goroutine is left behind")
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("zapkafka: shutdown: %w", err)
	}
	return nil
}

// closeProducer starts the producer's Close, on a goroutine because it might
// break its contract and hang.
func (s *KafkaSyncer) closeProducer(end time.Time) <-chan error {
	closed := make(chan error, 1)
	now := time.Now()
	if most := now.Add(closeAtMost); end.After(most) {
		end = most
	}
	if least := now.Add(closeAtLeast); end.Before(least) {
		end = least
	}
	ctx, cancel := context.WithDeadline(context.Background(), end)
	go func() {
		defer cancel()
		closed <- s.producer.Close(ctx)
	}()
	return closed
}

// receiveUntil waits for the producer's Close.
func receiveUntil(closed <-chan error, end time.Time) error {
	t := time.NewTimer(time.Until(end))
	defer t.Stop()
	var err error
	select {
	case err = <-closed:
	case <-t.C:
		select {
		case err = <-closed: // both were there: the time of others was over, not this one's
		default:
			return errors.New("the producer's Close has not returned although its context ended")
		}
	}
	if err != nil {
		return fmt.Errorf("close the producer: %w", err)
	}
	return nil
}

// writeAfterShutdown writes an entry to the fallback while the caller waits.
//
// The write itself runs on a goroutine, because a disk that hangs must not keep
// the caller. There is never more than one such goroutine: it has the turn.
func (s *KafkaSyncer) writeAfterShutdown(m *meta, line []byte) (int, error) {
	value := line
	if n := len(line); n > 0 && line[n-1] == '\n' {
		value = line[:n-1]
	}
	id := s.q.acceptClosed(m.level, len(value)+1)
	if kept := s.q.forFallback(); !kept[m.level] {
		s.q.countShed(one(m.level))
		return len(line), nil
	}
	wait := s.o.MaxWait
	if wait <= 0 {
		wait = defaultMaxWait
	}
	end := time.Now().Add(wait)
	if s.stuck.Load() {
		end = time.Now() // nobody else waits for it
	}
	if !s.takeTurn(end) {
		return 0, s.lostAfterShutdown(m, line, lostFallbackStuck, errFallbackStuck)
	}
	oversize := len(value) > s.o.MaxEntryBytes
	text, cut := s.lineFor(m, value, oversize, id)
	result := make(chan error, 1)
	go func() {
		b := spool.Batch{Text: text, Ends: []uint32{uint32(len(text))}, First: time.Now(), Last: time.Now(),
			IDs: spool.IDs{Instance: id.Instance, Sequences: []uint64{id.Sequence}}}
		write := s.file.appendBatch
		if oversize {
			write = s.file.rejectBatch
		}
		n, err := write(b)
		if n == 1 {
			err = nil
			s.fsync.wrote()
			if cut {
				s.q.counters.cut.Add(1)
			}
		}
		s.stuck.Store(false)
		<-s.turn
		result <- err
	}()
	if s.stuck.Load() {
		end = time.Now().Add(wait) // the turn was free: the disk moves again
	}
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case err := <-result:
		if err != nil {
			return 0, s.lostAfterShutdown(m, line, lostTo(err), err)
		}
		why := reasonClosed
		if oversize {
			why = reasonTooLarge
		}
		s.q.fellBackClosed(why, m.level, len(value)+1)
		return len(line), nil
	case <-timer.C:
		s.stuck.Store(true)
		return 0, s.lostAfterShutdown(m, line, lostFallbackStuck, errFallbackStuck)
	}
}

var errFallbackStuck = errors.New("a write to the fallback does not return")

// takeTurn waits for the use of the fallback's file.
func (s *KafkaSyncer) takeTurn(end time.Time) bool {
	select {
	case s.turn <- struct{}{}:
		return true
	default:
	}
	left := time.Until(end)
	if left <= 0 {
		return false
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case s.turn <- struct{}{}:
		return true
	case <-t.C:
		return false
	}
}

// lineFor copies an entry into what goes on file for it, and reports whether it
// had to be cut.
func (s *KafkaSyncer) lineFor(m *meta, value []byte, oversize bool, id spool.ID) (line []byte, cut bool) {
	if oversize {
		r := s.q.rejected(m, value, maxRejectBytes*3/2)
		return r.append(make([]byte, 0, r.size)), r.cut
	}
	if standsPlain(s.file, m, value) {
		return append(append(make([]byte, 0, len(value)+1), value...), '\n'), false
	}
	withTime := *m
	if withTime.time.IsZero() {
		withTime.time = time.Now()
	}
	e := envelopeOf(s.file, &withTime, value)
	e.ID = id
	return spool.AppendEnvelope(nil, e), false
}

// rejectedEnvelope plans the envelope of an entry that is too large, in at most
// room bytes: in the worst case each byte of the entry takes six.
func (s *KafkaSyncer) rejectedEnvelope(m *meta, value []byte, room int) rejectedLine {
	e := envelopeOf(s.file, m, nil)
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Reason, e.Size = "too large", int64(len(value))
	size := 0
	for most, round := len(value), 0; ; round++ {
		e.Value = cutAt(value, most)
		e.Cut = len(e.Value) < len(value)
		if size = spool.EnvelopeLen(e); size <= room || len(e.Value) == 0 {
			break
		}
		// In proportion, which is right if the entry is the same all over.
		most = int(int64(len(e.Value)) * int64(room) / int64(size+1))
		if round > 2 {
			most = len(e.Value) / 2
		}
	}
	return rejectedLine{size: size, cut: e.Cut, append: func(dst []byte) []byte {
		return spool.AppendEnvelope(dst, e)
	}}
}

func (s *KafkaSyncer) lostAfterShutdown(m *meta, line []byte, why lostReason, err error) error {
	s.q.counters.addLost(why, one(m.level))
	s.q.lastResort.take(line)
	return fmt.Errorf("%w, and the fallback failed: %w", ErrClosed, err)
}

// acceptClosed counts an entry, of so many bytes, that came after the queue was
// closed, and returns its id.
func (q *queue) acceptClosed(r levelRank, bytes int) spool.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.accepted++
	q.acceptedBy[r]++
	q.measures.acceptedBytes += uint64(bytes)
	return spool.ID{Instance: q.instance, Sequence: q.accepted}
}

// fellBackClosed counts such an entry that is on file.
func (q *queue) fellBackClosed(why reason, r levelRank, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counters.addFellBack(why, one(r))
	q.measures.fellBackBytes += uint64(bytes)
}
