package zapkafka

import (
	"context"
	"time"
)

// sender is the goroutine that hands chunks, and batches of the replay, to the
// producer. It is the one that
// a producer may block; callers and the fallback writer go on without it.
type sender struct {
	q        *queue
	producer Producer
	topic    string
	stop     context.Context // done: ends Produce and the goroutine
	done     chan struct{}   // closed by run
	sick     *sickPartitions

	records []*Record // reused: the producer gets it for the time of Produce
}

func (s *sender) run() {
	defer close(s.done)
	timer := newStoppedTimer()
	defer timer.Stop()
	defer s.handBack(true)
	for s.stop.Err() == nil {
		if s.handBack(false) {
			continue
		}
		b, probe := s.q.takeReplay(time.Now())
		if b != nil {
			s.produce(b.records)
			continue
		}
		c, wait := s.q.takeForProducer(time.Now())
		wait = sooner(sooner(wait, probe), s.sick.wait())
		if c != nil {
			s.handOver(c)
			continue
		}
		if s.sick.look(s.q, time.Now()) {
			continue
		}
		if s.q.takeNudge() {
			s.producer.Flush(s.stop)
			continue
		}
		resetTimer(timer, wait)
		select {
		case <-s.q.wakeSender:
		case <-timer.C:
		case <-s.stop.Done():
		}
	}
}

func (s *sender) handOver(c *chunk) {
	now := time.Now()
	s.sick.look(s.q, now)
	c.makeRecords(s.topic)
	s.q.publish(c)
	s.records = s.sick.divert(c, s.records[:0], now)
	s.hand()
}

// handBack gives the producer what was kept from it for the fallback, and could not
// be written there. At the end it is for the fallback once more.
func (s *sender) handBack(last bool) bool {
	back := s.q.takeReturned(last)
	if len(back) == 0 {
		return false
	}
	s.sick.diverting = false // until the next look
	s.records = s.records[:0]
	for _, b := range back {
		// Given up meanwhile, but on file not yet, perhaps never: Kafka may have it.
		switch outcome := b.r.state.Load() & outcomeBits; {
		case last, outcome == fellBack, outcome == lost, outcome == shed:
			b.c.notSent(b.r)
		default:
			s.records = append(s.records, b.r)
		}
	}
	s.hand()
	return true
}

func (s *sender) produce(records []Record) {
	s.records = s.records[:0]
	for i := range records {
		s.records = append(s.records, &records[i])
	}
	s.hand()
}

// hand gives s.records to the producer.
func (s *sender) hand() {
	if len(s.records) > 0 {
		s.producer.Produce(s.stop, s.records)
	}
	for i := range s.records {
		s.records[i] = nil // else an idle sink would keep its last block
	}
}

// newStoppedTimer returns a timer that does not run.
func newStoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	if !t.Stop() {
		<-t.C
	}
	return t
}

// resetTimer makes t fire after d, or not at all. t's channel is read by the
// calling goroutine alone.
func resetTimer(t *time.Timer, d time.Duration) {
	if !t.Stop() {
		select {
		case <-t.C:
		default:
		}
	}
	if d != never {
		t.Reset(d)
	}
}
