package producertest

import (
	"context"
	"time"
)

const (
	sentenceCloseInTime = "It returns when ctx is done plus at most a tenth of a second, be the broker mute or gone; records that could not be reported by then are given up by the syncer."
	sentenceDelivers    = "Close lets the client deliver what it holds until ctx is done, then gives up the rest, reports every record, and frees what the client uses."
	sentenceCloseOften  = "It may be called beside Produce, which it ends, and any number of times: later calls wait for the first, or for their own ctx."
)

func closeCases() []*contractCase {
	all := []*contractCase{
		{name: "CloseDelivers", sentence: sentenceDelivers, run: closeDelivers},
		{name: "CloseIdle", sentence: sentenceDelivers, run: closeIdle},
		{name: "CloseUnused", sentence: sentenceDelivers, run: closeUnused},
		{name: "CloseTwice", sentence: sentenceCloseOften, run: closeTwice},
		{name: "CloseWaitsForItsOwnContext", sentence: sentenceCloseOften, run: closeWaits},
		{name: "CloseEndsProduce", sentence: sentenceCloseOften, run: closeEndsProduce},
		{name: "CloseBesideProduceAndFlush", sentence: sentenceOnce, run: closeBeside},
	}
	for _, f := range []Fault{Refused, Mute, Stalled} {
		f := f
		all = append(all,
			&contractCase{name: "CloseWhen" + f.String(), sentence: sentenceCloseInTime, run: func(c *check) { closeWhen(c, f, true) }},
			&contractCase{name: "CloseWhen" + f.String() + "FromTheStart", sentence: sentenceCloseInTime, run: func(c *check) { closeWhen(c, f, false) }})
	}
	return append(all, &contractCase{name: "CloseWithDoneContext", sentence: sentenceCloseInTime, run: closeWithDoneContext})
}

func closeDelivers(c *check) {
	s := c.start(limits(longDelivery))
	b := c.batch(5000, nil)
	s.produce(b)
	s.close(longDelivery)
	if n := b.pending(); n > 0 {
		c.errorf("%d of %d records are not reported when Close has returned", n, len(b.records))
	}
	b.wantAcked()
	c.compare(c.b.Topic())
}

func closeIdle(c *check) {
	s := c.started(limits(longDelivery))
	ctx, cancel := context.WithTimeout(context.Background(), longDelivery)
	defer cancel()
	took := c.within(time.Second, "Close of an idle producer", func() { _ = s.p.Close(ctx) })
	c.fact("Close took", "%v", took.Round(time.Millisecond))
}

// closeUnused closes a producer that was never given a record, with a broker that
// is not there.
func closeUnused(c *check) {
	c.set(Refused)
	s := c.start(limits(longDelivery))
	ctx, cancel := context.WithTimeout(context.Background(), longDelivery)
	defer cancel()
	c.within(time.Second, "Close of an unused producer", func() { _ = s.p.Close(ctx) })
}

func closeTwice(c *check) {
	s := c.started(limits(longDelivery))
	s.close(patience)
	for i := 0; i < 3; i++ {
		c.within(0, "a later Close", func() { _ = s.p.Close(context.Background()) })
	}
}

// closeWaits has a Close that waits for a mute broker, and another that has less
// time.
func closeWaits(c *check) {
	s := c.started(limits(closeDelivery))
	c.set(Mute)
	b := c.batch(100, nil)
	s.produce(b)
	long, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := c.async("Close", func() { _ = s.p.Close(long) })
	select {
	case <-first:
		if n := b.pending(); n > 0 {
			c.fatalf("Close returned at once with %d records in hand", n)
		}
	case <-time.After(100 * time.Millisecond):
	}
	ctx, cancelShort := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancelShort()
	c.within(200*time.Millisecond+closeGrace, "a second Close with a context of 200ms", func() { _ = s.p.Close(ctx) })
	cancel()
	c.within(closeGrace, "the first Close after its context was cancelled", func() { <-first })
}

// closeEndsProduce closes while Produce waits for room.
func closeEndsProduce(c *check) {
	l := limits(longDelivery)
	l.Records = 100
	s := c.started(l)
	c.set(Mute)
	b := c.batch(1000, nil)
	produced := c.async("Produce", func() { s.produceWith(context.Background(), b) })
	select {
	case <-produced:
	case <-time.After(200 * time.Millisecond):
	}
	s.close(300 * time.Millisecond)
	c.within(0, "Produce, when Close has returned,", func() { <-produced })
	s.wantGivenUp(b)
}

// closeBeside calls everything at once, several times over.
func closeBeside(c *check) {
	for round := 0; round < 5; round++ {
		s := c.start(limits(shortDelivery))
		closed, some := make(chan struct{}), make(chan struct{})
		var batches []*batch
		producing := c.async("Produce", func() {
			for i, after := 0, 0; after < 3 && i < 2000; i++ { // 3 when Close has returned
				if i == 5*round {
					close(some)
				}
				select {
				case <-closed:
					after++
				default:
				}
				b := c.batch(20, nil)
				batches = append(batches, b)
				s.produceWith(context.Background(), b)
			}
		})
		flushing := c.async("Flush", func() {
			for i := 0; i < 50; i++ {
				s.p.Flush(context.Background())
			}
		})
		c.within(patience, "Produce", func() { <-some })
		var closing []<-chan struct{}
		for i := 0; i < 3; i++ {
			closing = append(closing, c.async("Close", func() {
				ctx, cancel := context.WithTimeout(context.Background(), longDelivery)
				defer cancel()
				_ = s.p.Close(ctx)
			}))
		}
		for _, done := range closing {
			done := done
			c.within(longDelivery+closeGrace, "Close beside Produce and Flush", func() { <-done })
		}
		close(closed)
		c.within(0, "Produce, when Close has returned,", func() { <-producing })
		c.within(0, "Flush, when Close has returned,", func() { <-flushing })
		for _, b := range batches {
			b.wantReported()
		}
	}
	c.compare(c.b.Topic())
}

// closeWhen closes a producer whose hands are full and whose broker is out of
// reach.
func closeWhen(c *check, f Fault, connected bool) {
	const limit = 500 * time.Millisecond
	size := 1000
	if f == Stalled {
		size = 40_000 // together more than the buffers of two connections hold
	}
	b := c.batch(400, func(int) spec { return spec{size: size} })
	var s *subject
	if connected {
		s = c.started(limits(closeDelivery))
		c.set(f)
	} else {
		c.set(f)
		s = c.start(limits(closeDelivery))
	}
	s.produce(b)
	late := s.close(limit)
	c.fact("returned after its context", "%v", nonNegative(late).Round(time.Millisecond))
	s.wantGivenUp(b)
}

func nonNegative(d time.Duration) time.Duration {
	if d < 0 {
		return 0
	}
	return d
}

// wantGivenUp says how many records are without a report after Close, and wants
// one for each all the same.
func (s *subject) wantGivenUp(b *batch) {
	s.c.fact("not reported when Close returned", "%d of %d", b.pending(), len(b.records))
	b.wantReported()
	b.wantNotRejected()
	if n, _ := b.failed(); n != len(b.records) {
		s.c.heal()
		s.c.compare(s.c.b.Topic())
	}
}

func closeWithDoneContext(c *check) {
	s := c.started(limits(closeDelivery))
	c.set(Mute)
	b := c.batch(1000, nil)
	s.produce(b)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	took := c.within(closeGrace, "Close with a context that is done", func() { _ = s.p.Close(ctx) })
	c.fact("Close took", "%v", took.Round(time.Millisecond))
	s.wantGivenUp(b)
}
