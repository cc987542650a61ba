package producertest

import (
	"context"
	"fmt"
	"time"

	"github.com/zapkafka/zapkafka"
)

func startCases() []*contractCase {
	return []*contractCase{
		{name: "StartWhenRefused", sentence: "Start does not dial: Kafka may be down.", run: func(c *check) { startWhen(c, Refused) }},
		{name: "StartWhenMute", sentence: "Start does not dial: Kafka may be down.", run: func(c *check) { startWhen(c, Mute) }},
		{name: "StartTwice", sentence: "A second call fails: a Producer serves one KafkaSyncer.", run: startTwice},
		{name: "StartChecksLimits", sentence: "It fails when settings of the client contradict the limits (a smaller buffer, a smaller largest record) or make the contract impossible to keep, and names the setting.", run: startChecksLimits},
		{name: "Overhead", sentence: "The returned Overhead is what the client holds beside the values; the syncer counts it inside its memory bound.", run: overhead},
	}
}

// startWhen starts a producer whose broker is down and comes up later.
func startWhen(c *check, f Fault) {
	c.set(f)
	begin := time.Now()
	s := c.start(limits(longDelivery))
	c.fact("Start took", "%v", time.Since(begin).Round(time.Microsecond))
	c.heal()
	b := c.batch(10, nil)
	s.produce(b)
	b.wantAcked()
}

func startTwice(c *check) {
	s := c.started(limits(longDelivery))
	var err error
	c.within(0, "the second Start", func() { _, err = s.p.Start(s.limits, c.handle) })
	if err == nil {
		c.errorf("the second Start returned no error")
	}
	// The first goes on.
	s.warm()
}

func startChecksLimits(c *check) {
	for _, bad := range []struct {
		what string
		set  func(*zapkafka.Limits)
	}{
		{"Records is 0", func(l *zapkafka.Limits) { l.Records = 0 }},
		{"Records is -1", func(l *zapkafka.Limits) { l.Records = -1 }},
		{"Bytes is 0", func(l *zapkafka.Limits) { l.Bytes = 0 }},
		{"RecordBytes is 0", func(l *zapkafka.Limits) { l.RecordBytes = 0 }},
		{"RecordBytes is -1", func(l *zapkafka.Limits) { l.RecordBytes = -1 }},
		{"DeliveryTimeout is 0", func(l *zapkafka.Limits) { l.DeliveryTimeout = 0 }},
		{"DeliveryTimeout is -1s", func(l *zapkafka.Limits) { l.DeliveryTimeout = -time.Second }},
	} {
		bad := bad
		s := c.fresh()
		l := limits(shortDelivery)
		bad.set(&l)
		var err error
		c.within(0, "Start", func() { _, err = s.p.Start(l, c.handle) })
		if err != nil {
			continue // and Close need not be called
		}
		c.errorf("Start took limits of which %s", bad.what)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c.within(time.Second+closeGrace, "Close", func() { _ = s.p.Close(ctx) })
		cancel()
	}
}

func overhead(c *check) {
	o := c.start(limits(shortDelivery)).overhead
	c.fact("overhead", "%d bytes a record and %d %% of the values", o.RecordBytes, o.ValuePercent)
	if o.RecordBytes <= 0 {
		c.errorf("Overhead.RecordBytes is %d: no client holds a record without a word of its own", o.RecordBytes)
	}
	if o.ValuePercent < 0 {
		c.errorf("Overhead.ValuePercent is %d", o.ValuePercent)
	}
	if o.RecordBytes > 1<<20 || o.ValuePercent > 10000 {
		c.errorf("Overhead is %s: there would be no room for entries", fmt.Sprintf("%+v", o))
	}
}
