package producertest

import (
	"math/rand"
	"time"
)

const (
	sentenceLatest = "The latest moment is Limits.DeliveryTimeout plus 10 seconds after Produce was called, also with a broker that accepts connections and never answers."
	sentenceRetry  = "Retriable errors are retried by the adaptor or its client, until Limits.DeliveryTimeout has passed."
	sentenceStored = "What is acknowledged (Done with nil) is stored: by all in-sync replicas unless the user of the adaptor has asked the client for less."
	sentenceLater  = "That of one which might be taken later (no broker, no leader, no permission, no such topic, no time left) does not."
	sentenceAfter  = "After Done none of it may be touched: the memory behind Key and Value is used again at once."
)

// everyFault is all of them, in an order that has the longest waits first.
var everyFault = []Fault{Stalled, Mute, MuteOnProduce, Refused, TimeoutAfterStore, NotLeader, ClosesConnections}

func faultCases() []*contractCase {
	var all []*contractCase
	for _, f := range everyFault {
		f := f
		all = append(all, &contractCase{name: "ReportedWhen" + f.String(), sentence: sentenceLatest, run: func(c *check) { reportedWhen(c, f, true) }})
		if f == Stalled || f == Mute || f == Refused {
			all = append(all, &contractCase{name: "ReportedWhen" + f.String() + "FromTheStart", sentence: sentenceLatest, run: func(c *check) { reportedWhen(c, f, false) }})
		}
	}
	return append(all,
		&contractCase{name: "TimedOutIsNotRejected", sentence: sentenceLater, run: timedOutIsNotRejected},
		&contractCase{name: "AcknowledgedIsStored", sentence: sentenceStored, run: acknowledgedIsStored},
		&contractCase{name: "MemoryAfterTimeout", sentence: sentenceAfter, run: memoryAfterTimeout},
	)
}

// reportedWhen has a fault that lasts for longer than the records have time.
func reportedWhen(c *check, f Fault, connected bool) {
	size := 1000
	if f == Stalled {
		size = 15_000 // together more than the buffers of two connections hold
	}
	var all []*batch
	for i := 0; i < 10; i++ {
		all = append(all, c.batch(100, func(int) spec { return spec{size: size} }))
	}
	var s *subject
	if connected {
		s = c.started(limits(shortDelivery))
		c.set(f)
	} else {
		c.set(f)
		s = c.start(limits(shortDelivery))
	}
	for _, b := range all {
		s.produce(b)
	}
	c.within(0, "Flush", func() { s.p.Flush(contextDone()) })
	for _, b := range all {
		b.wantReported()
	}
	c.factsOfDeadline(all)
	c.heal()
	sum := c.compare(c.b.Topic())
	c.fact("stored", "%d distinct, %d more than once", sum.stored, sum.duplicates)
}

// factsOfDeadline says how late the last report was, and how early the first
// failure.
func (c *check) factsOfDeadline(all []*batch) {
	late, early := time.Duration(-1<<62), time.Duration(1<<62)
	failed, acked := 0, 0
	for _, b := range all {
		for _, o := range b.outcomes() {
			after := o.reported.Sub(o.deadline)
			if after > late {
				late = after
			}
			if o.err == nil {
				acked++
				continue
			}
			if failed++; after < early {
				early = after
			}
		}
	}
	c.fact("last report after the deadline", "%v", late.Round(time.Millisecond))
	if failed > 0 {
		c.fact("first failure after the deadline", "%v", early.Round(time.Millisecond))
	}
	if acked > 0 {
		c.fact("acknowledged", "%d", acked)
	}
}

// timedOutIsNotRejected has records run out of time with each kind of answer.
func timedOutIsNotRejected(c *check) {
	s := c.started(limits(shortDelivery))
	tried := 0
	for _, f := range []Fault{NotLeader, MuteOnProduce} {
		if err := c.b.Set(f); err != nil {
			if cannot(f, err) == nil {
				c.fatalf("harness: Set(%v): %v", f, err)
			}
			continue
		}
		tried++
		b := c.batch(100, nil)
		s.produce(b)
		b.wantReported()
		if n, _ := b.failed(); n != len(b.records) {
			c.errorf("%v: %d of %d records were acknowledged by a broker that stores nothing", f, len(b.records)-n, len(b.records))
		}
		b.wantNotRejected()
		c.heal()
	}
	if tried == 0 {
		panic(skipCase{"neither NotLeader nor MuteOnProduce can be made"})
	}
}

// acknowledgedIsStored has faults come and go under load.
func acknowledgedIsStored(c *check) {
	seed := time.Now().UnixNano()
	rnd := rand.New(rand.NewSource(seed))
	c.fact("seed", "%d", seed)
	s := c.started(limits(time.Second))
	faults := c.available([]Fault{ClosesConnections, NotLeader, TimeoutAfterStore, Refused, Mute, Stalled, MuteOnProduce})
	rnd.Shuffle(len(faults), func(i, k int) { faults[i], faults[k] = faults[k], faults[i] })
	var all []*batch
	produce := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
			b := c.batch(50, func(i int) spec {
				if i%2 == 0 {
					return spec{key: string(rune('a' + rnd.Intn(8)))}
				}
				return spec{}
			})
			all = append(all, b)
			s.produce(b)
		}
	}
	for i, f := range faults {
		produce(100 * time.Millisecond)
		c.set(f)
		if i < 2 { // longer than the records have time
			produce(s.limits.DeliveryTimeout + 200*time.Millisecond)
		} else {
			produce(time.Duration(50+rnd.Intn(200)) * time.Millisecond)
		}
		c.heal()
	}
	produce(100 * time.Millisecond)
	acked, records := 0, 0
	for _, b := range all {
		b.wantReported()
		b.wantNotRejected()
		n, _ := b.failed()
		records += len(b.records)
		acked += len(b.records) - n
	}
	s.warm() // what it still had on its way is in the topic then as well
	sum := c.compare(c.b.Topic())
	c.fact("acknowledged", "%d of %d", acked, records)
	c.fact("stored", "%d distinct, %d more than once", sum.stored, sum.duplicates)
}

// available are the faults that the harness can make.
func (c *check) available(faults []Fault) []Fault {
	var can []Fault
	for _, f := range faults {
		err := c.b.Set(f)
		switch {
		case err == nil:
			can = append(can, f)
			c.heal()
		case cannot(f, err) == nil:
			c.fatalf("harness: Set(%v): %v", f, err)
		}
	}
	if len(can) == 0 {
		panic(skipCase{"the harness can make no fault"})
	}
	return can
}

// memoryAfterTimeout looks at what a client sends, when it can again, of records
// that it has given up.
func memoryAfterTimeout(c *check) {
	s := c.started(limits(time.Second))
	for _, f := range c.available([]Fault{MuteOnProduce, Refused, NotLeader, Stalled}) {
		c.set(f)
		b := c.batch(500, func(i int) spec { return spec{key: string(rune('a' + i%16)), size: 2000} })
		s.produce(b)
		b.wantReported()
		c.heal()
		s.warm()
	}
	c.compare(c.b.Topic())
}

func retryCases() []*contractCase {
	var all []*contractCase
	for _, f := range []Fault{Refused, ClosesConnections, TimeoutAfterStore, NotLeader} {
		f := f
		all = append(all, &contractCase{name: "RetriedAfter" + f.String(), sentence: sentenceRetry, run: func(c *check) { retriedAfter(c, f) }})
	}
	return all
}

// retriedAfter has a fault that ends long before the records run out of time.
func retriedAfter(c *check, f Fault) {
	const outage = time.Second
	s := c.started(limits(longDelivery))
	c.set(f)
	var all []*batch
	for i := 0; i < 10; i++ {
		b := c.batch(50, nil)
		all = append(all, b)
		s.produce(b)
	}
	<-time.After(outage)
	for _, b := range all {
		if n, err := b.failed(); n > 0 {
			c.fatalf("%d records failed after %v, although they have %v: %v", n, outage, longDelivery, err)
		}
	}
	c.heal()
	healed := time.Now()
	for _, b := range all {
		b.wantAcked()
	}
	c.fact("delivered after the fault's end", "%v", time.Since(healed).Round(time.Millisecond))
	sum := c.compare(c.b.Topic())
	c.fact("duplicates", "%d of %d", sum.duplicates, sum.stored)
}
