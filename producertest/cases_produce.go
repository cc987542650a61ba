package producertest

import (
	"context"
	"errors"
	"time"
)

const (
	sentenceOnce  = "Every record that was passed to Produce is reported by exactly one call of Record.Done, whatever happens: success, refusal, time-out, a context that ended, Close."
	sentenceBlock = "It may block for as long as the client has no room, until ctx is done; then it returns, having reported with ctx's error each record that the client did not take."
	sentenceTaken = "The slice belongs to the caller again when Produce returns; the records that it points to stay with the adaptor until their Done."
)

func produceCases() []*contractCase {
	return []*contractCase{
		{name: "ReportedOnce", sentence: sentenceOnce, run: reportedOnce},
		{name: "ProduceBeforeStart", sentence: sentenceOnce, run: produceBeforeStart},
		{name: "ProduceAfterClose", sentence: "After Close each record is reported with an error.", run: produceAfterClose},
		{name: "ProduceWithoutRoom", sentence: sentenceBlock, run: produceWithoutRoom},
		{name: "ProduceMoreThanThereIsRoomFor", sentence: sentenceBlock, run: produceMore},
		{name: "ProduceWithDoneContext", sentence: sentenceBlock, run: produceWithDoneContext},
		{name: "ContextEndsAfterProduce", sentence: sentenceTaken, run: contextEndsAfterProduce},
		{name: "FlushWhenMute", sentence: "It does not wait for acknowledgements and returns soon, at the latest when ctx is done.", run: flushWhenMute},
		{name: "FlushBesideProduce", sentence: "It may be called beside Produce.", run: flushBesideProduce},
	}
}

func reportedOnce(c *check) {
	s := c.started(limits(longDelivery))
	var all []*batch
	for _, n := range []int{1, 2, 50, 1300, 5000, 1} {
		b := c.batch(n, nil)
		all = append(all, b)
		s.produce(b)
	}
	for _, b := range all {
		b.wantAcked()
	}
	sum := c.compare(c.b.Topic())
	c.fact("duplicates", "%d of %d", sum.duplicates, sum.stored)
}

func produceBeforeStart(c *check) {
	s := c.fresh()
	b := c.batch(10, nil)
	c.within(0, "Produce before Start", func() { s.produceWith(context.Background(), b) })
	b.wantFailedAtOnce()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.within(0, "Close before Start", func() { _ = s.p.Close(ctx) })
	b = c.batch(10, nil)
	c.within(0, "Produce after Close", func() { s.produceWith(context.Background(), b) })
	b.wantFailedAtOnce()
}

func produceAfterClose(c *check) {
	s := c.started(limits(shortDelivery))
	s.close(patience)
	b := c.batch(1000, nil)
	c.within(0, "Produce after Close", func() { s.produceWith(context.Background(), b) })
	b.wantFailedAtOnce()
}

// wantFailedAtOnce wants an error for each record, and now.
func (b *batch) wantFailedAtOnce() {
	if !awaited(b.done, slack) {
		b.c.fatalf("%d of %d records are not reported", b.pending(), len(b.records))
	}
	if n, _ := b.failed(); n != len(b.records) {
		b.c.errorf("%d of %d records were reported with nil", len(b.records)-n, len(b.records))
	}
}

// produceWithoutRoom hands over three times what the limits allow, to a broker
// that answers nothing.
func produceWithoutRoom(c *check) {
	c.set(Mute)
	l := limits(longDelivery)
	l.Records = 100
	s := c.start(l)
	b := c.batch(300, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	returned := c.async("Produce", func() { s.produceWith(ctx, b) })
	select {
	case <-returned: // the client has more room than it was asked for
	case <-time.After(300 * time.Millisecond):
	}
	early := len(b.records) - b.pending()
	cancel()
	if !awaited(returned, slack) {
		c.fatalf("Produce has not returned %v after its context ended", slack)
	}
	if early > 0 {
		c.errorf("%d records were reported before the context ended, long before their DeliveryTimeout", early)
	}
	n := 0
	for _, o := range b.outcomes() {
		if o.reported.IsZero() {
			continue
		}
		if n++; !errors.Is(o.err, context.Canceled) {
			c.fatalf("a record that was not taken was reported with %v, want an error that is context.Canceled", o.err)
		}
	}
	c.fact("taken with room for 100", "%d of %d", len(b.records)-n, len(b.records))
	s.close(100 * time.Millisecond) // what was taken is not worth the wait
}

// produceMore hands over more than the limits allow in one call, to a broker that
// answers.
func produceMore(c *check) {
	l := limits(longDelivery)
	l.Records = 100
	s := c.start(l)
	b := c.batch(1000, nil)
	s.produce(b)
	b.wantAcked()
}

func produceWithDoneContext(c *check) {
	s := c.started(limits(longDelivery))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := c.batch(100, nil)
	c.within(0, "Produce with a context that is done", func() { s.produceWith(ctx, b) })
	b.wantReported()
	n, err := b.failed()
	if n > 0 && !errors.Is(err, context.Canceled) {
		c.errorf("a record was reported with %v, want nil or context.Canceled", err)
	}
	c.fact("taken all the same", "%d of %d", len(b.records)-n, len(b.records))
	c.compare(c.b.Topic())
}

// contextEndsAfterProduce: the context is Produce's, and not the records'.
func contextEndsAfterProduce(c *check) {
	s := c.started(limits(longDelivery))
	for i := 0; i < 10; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		b := c.batch(50, nil)
		c.within(patience, "Produce", func() { s.produceWith(ctx, b) })
		cancel()
		b.wantAcked()
	}
}

func flushWhenMute(c *check) {
	s := c.started(limits(longDelivery))
	c.set(Mute)
	b := c.batch(100, nil)
	s.produce(b)
	c.within(0, "Flush", func() { s.p.Flush(context.Background()) })
	if n := b.pending(); n != len(b.records) {
		_, err := b.failed()
		c.errorf("%d of %d records were reported long before their DeliveryTimeout: %v", len(b.records)-n, len(b.records), err)
	}
	c.heal()
	b.wantAcked() // Flush gives up nothing
}

func flushBesideProduce(c *check) {
	s := c.started(limits(longDelivery))
	stop := make(chan struct{})
	flushing := c.async("Flush", func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.p.Flush(context.Background())
				<-time.After(time.Millisecond)
			}
		}
	})
	var all []*batch
	for i := 0; i < 50; i++ {
		b := c.batch(40, nil)
		all = append(all, b)
		s.produce(b)
	}
	for _, b := range all {
		b.wantReported()
	}
	close(stop)
	c.within(0, "Flush", func() { <-flushing })
	for _, b := range all {
		b.wantAcked()
	}
	c.compare(c.b.Topic())
}
