package producertest

import (
	"strings"
	"time"
)

const sentenceNothingStarted = "When Start fails, nothing has been started, and Close need not be called."

func goroutineCases() []*contractCase {
	return []*contractCase{
		{name: "GoroutinesAfterClose", sentence: sentenceDelivers, alone: true, run: goroutinesAfterClose},
		{name: "GoroutinesAfterCloseWhenMute", sentence: sentenceDelivers, alone: true, run: goroutinesAfterCloseWhenMute},
		{name: "GoroutinesAfterFailedStart", sentence: sentenceNothingStarted, alone: true, run: goroutinesAfterFailedStart},
	}
}

func goroutinesAfterClose(c *check) {
	before := goroutines()
	s := c.started(limits(longDelivery))
	s.close(patience)
	c.wantGone(before, c.h.GoroutinesLeft)
}

func goroutinesAfterCloseWhenMute(c *check) {
	before := goroutines()
	s := c.started(limits(shortDelivery))
	c.set(Mute)
	b := c.batch(100, nil)
	s.produce(b)
	s.close(100 * time.Millisecond)
	c.wantGone(before, c.h.GoroutinesLeft)
}

func goroutinesAfterFailedStart(c *check) {
	before := goroutines()
	s := c.fresh()
	var err error
	l := limits(0)
	c.within(0, "Start", func() { _, err = s.p.Start(l, c.handle) })
	if err == nil {
		_ = s.p.Close(contextDone())
		c.fact("not looked at", "Start took a DeliveryTimeout of 0")
		return
	}
	c.wantGone(before, 0)
}

// wantGone waits until what was started since is gone. The broker is still
// there: one of its goroutines that is left serves a connection that is left.
func (c *check) wantGone(before map[string]string, allowed int) {
	begin := time.Now()
	left := newGoroutines(before, allowed, goneWithin)
	c.fact("goroutines left", "%d after %v", len(left), time.Since(begin).Round(time.Millisecond))
	if len(left) > allowed {
		c.errorf("%d goroutines are left %v after Close, at most %d may be:\n%s", len(left), goneWithin, allowed, strings.Join(left, "\n\n"))
	}
}
