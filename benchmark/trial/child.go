package trial

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka/benchmark/load"
	"github.com/zapkafka/zapkafka/benchmark/rivals"
	steady "github.com/zapkafka/zapkafka/integration/load"
	"github.com/zapkafka/zapkafka/integration/memory"
)

// order is what a child is told on its standard input, on one line.
type order struct {
	Case       Case
	Brokers    []string
	Topic, Dir string
}

// Phases of a child.
const (
	warmed = "warm"   // it is connected, and waits for a line to go on
	loaded = "loaded" // the load is over, some calls may not have returned
	done   = "done"
)

// message is what a child says on its standard output, a line at a time. The Run
// is what is known by then.
type message struct {
	Phase string
	Run   Run
}

const (
	openLimit     = 15 * time.Second
	closeDeadline = 5 * time.Second
	// beyond is how long a call that was given a deadline may take above it, before
	// nobody waits for it any more.
	beyond = 2 * time.Second
	// slowDisk is what SlowDisk lets through, in bytes a second.
	slowDisk = 4 << 20
)

// Child runs one case as it is told on in, and says on out what came of it. The
// process ends after it: what a rival leaves running is not waited for.
func Child(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	c := &child{order: o, lines: lines, out: json.NewEncoder(out)}
	if err := c.measure(); err != nil {
		c.run.Ended = err.Error()
	}
	return c.say(done)
}

type child struct {
	order
	lines *bufio.Reader
	out   *json.Encoder
	rival rivals.Rival
	sink  rivals.Sink
	call  load.Call
	run   Run
}

func (c *child) say(phase string) error { return c.out.Encode(message{phase, c.run}) }

// hear waits until the parent has done what it does in this phase.
func (c *child) hear(phase string) error {
	if err := c.say(phase); err != nil {
		return err
	}
	_, err := c.lines.ReadBytes('\n')
	return err
}

// limited runs a step that was given a deadline, and does not wait for ever if it
// knows none.
func limited(what string, limit time.Duration, step func(context.Context) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	begin := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- step(ctx) }()
	select {
	case err := <-ended:
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
		}
		return time.Since(begin), err
	case <-time.After(limit + beyond):
		return time.Since(begin), fmt.Errorf("%s did not return within %v", what, limit+beyond)
	}
}

func (c *child) measure() error {
	if err := c.open(); err != nil {
		return err
	}
	if !c.Case.absent() {
		load.Flood(c.Case.Goroutines, c.Case.Goroutines, c.call)
		c.settle()
	}
	if err := c.hear(warmed); err != nil {
		return err
	}
	var err error
	switch c.Case.Kind {
	case Flood, Capacity:
		err = c.flood()
	case Steady:
		err = c.steady()
	case Bound:
		err = c.bound()
	case Idle:
		c.idle()
	}
	return err
}

// settle waits for the outcome of the warm-up, where the rival can tell: a broker
// that is stopped when it has stored the entries, and not answered, would have them
// acknowledged after the counting has begun.
func (c *child) settle() {
	p, ok := c.sink.(rivals.Pending)
	if !ok {
		return
	}
	for limit := time.Now().Add(openLimit); p.Pending() > 0 && time.Now().Before(limit); {
		<-time.After(time.Millisecond)
	}
}

func (c *child) open() error {
	var ok bool
	if c.rival, ok = rivals.Find(c.Case.Rival); !ok {
		return fmt.Errorf("there is no rival %q in this build", c.Case.Rival)
	}
	setup := rivals.Setup{Brokers: c.Brokers, Topic: c.Topic, Dir: c.Dir}
	if c.Case.Fault == SlowDisk {
		setup.Disk = newSlowDisk(slowDisk)
	}
	var err error
	c.run.Open, err = limited("opening", openLimit, func(context.Context) error {
		var err error
		c.sink, err = c.rival.Open(setup)
		return err
	})
	if err != nil {
		return err
	}
	c.call = callFor(c.Case, c.sink)
	return nil
}

// callFor returns a log call of the case's form. No two entries that follow each
// other are alike: some clients compress.
func callFor(c Case, sink rivals.Sink) load.Call {
	if c.Form == Line {
		lines := linesOf(c.Size)
		return func(worker, seq int) { _, _ = sink.Write(lines[(worker+seq)%len(lines)]) } // the rival counts its errors
	}
	var options []zap.Option
	if c.Form == ZapCaller {
		options = append(options, zap.AddCaller())
	}
	logger, orders := rivals.Logger(sink, options...), ordersOf(1<<10)
	return func(worker, seq int) {
		logger.Info("order placed", zap.String("order", orders[(worker+seq)%len(orders)]), zap.Int("customer", 482113+worker), zap.Int("number", seq),
			zap.Float64("total", float64(seq%9973)/100), zap.Duration("took", time.Duration(seq%7919)*time.Microsecond))
	}
}

// from notes how things are before the first call, and returns what the calls
// since have cost.
func (c *child) from() (calls func(logged int), all func()) {
	var before, after runtime.MemStats
	memory.ResetHighWater()
	runtime.ReadMemStats(&before)
	cpu, begin := cpuTime(), time.Now()
	calls = func(logged int) {
		c.run.Calling = time.Since(begin)
		runtime.ReadMemStats(&after)
		c.run.Logged, c.run.Goroutines = logged, runtime.NumGoroutine()
		if logged > 0 {
			c.run.AllocsCall = float64(after.Mallocs-before.Mallocs) / float64(logged)
			c.run.BytesCall = float64(after.TotalAlloc-before.TotalAlloc) / float64(logged)
		}
	}
	all = func() {
		c.run.Took, c.run.CPU = time.Since(begin), cpuTime()-cpu
		c.run.PeakResident = memory.Status("VmHWM")
	}
	return calls, all
}

// capacityPending is how many entries a Capacity leaves pending: enough for every
// client to send at its best, and of 200 bytes so few that the sink's memory does
// not fill up and spill to its fallback. With 60,000 it did before kafka-go, of
// which the sink reckons that it takes a kilobyte for each: a fifth to two fifths
// of the entries were replayed, at 50,000 a second. With 40,000 nothing was.
const capacityPending = 30_000

func (c *child) flood() error {
	call := c.call
	if p, ok := c.sink.(rivals.Pending); ok && c.Case.Kind == Capacity {
		call = load.Capacity{Pending: p.Pending, Most: capacityPending}.HoldUp(call)
	}
	base := c.sink.Count()
	calls, all := c.from()
	load.Flood(c.Case.Goroutines, c.Case.Entries, call)
	calls(c.Case.Entries)
	return c.finish(all, base)
}

func (c *child) steady() error {
	base := c.sink.Count()
	calls, all := c.from()
	s := load.StartSteady(c.Case.Goroutines, c.Case.Rate, c.Case.Duration, c.call)
	c.sample(c.Case.Duration)
	calls(s.Calls())
	if err := c.hear(loaded); err != nil { // the broker goes on now, if it was stopped
		return err
	}
	latency := s.Wait(c.Case.Drain)
	c.run.Latency, c.run.Logged = &latency, s.Calls()
	if latency.Stuck > 0 {
		all()
		c.run.Count = since(c.sink.Count(), base)
		// Closing a client into which goroutines still send is another matter.
		return fmt.Errorf("%d log calls had not returned %v after the load", latency.Stuck, c.Case.Drain)
	}
	return c.finish(all, base)
}

// samples is how often a load is looked at that takes a minute or more.
const samples = 20

// sample waits for the end of a load.
func (c *child) sample(duration time.Duration) {
	if duration < time.Minute {
		<-time.After(duration)
		return
	}
	for begin, n := time.Now(), 1; n <= samples; n++ {
		<-time.After(time.Until(begin.Add(duration * time.Duration(n) / samples)))
		c.run.Samples = append(c.run.Samples, Sample{
			At: time.Since(begin), Resident: memory.Status("VmRSS"), Live: memory.Read(memory.LiveMetric), Goroutines: runtime.NumGoroutine(),
		})
	}
}

// held is what the process holds when garbage is gone and free memory is the system's
// again, in bytes. The live heap alone would not do: the sink has its entries
// outside of it, as have clients in C. Where the system does not tell, it is the live
// heap.
func held() uint64 {
	live := memory.Live()
	debug.FreeOSMemory()
	if n := memory.Status("RssAnon"); n > 0 {
		return n
	}
	return live
}

// lookEvery is how often what is held is looked at.
const lookEvery = 2 * time.Second

// bound logs at full speed, and in the second half stops everything now and then to
// look at what is held. Not before: what is given back for that would be missing
// in the resident memory at its highest, which is to be that of a load that nobody
// looks at.
func (c *child) bound() error {
	c.run.LiveBefore = held()
	base := c.sink.Count()
	calls, all := c.from()
	s := steady.New(zap.New(callCore{c.call}), steady.Plan{Workers: c.Case.Goroutines}).Start()
	half := c.Case.Duration / 2
	<-time.After(half)
	for begin := time.Now(); time.Since(begin) < half; {
		<-time.After(min(lookEvery, half))
		s.Hold(func() { c.run.Live = max(c.run.Live, held()) })
	}
	n := s.Stop().Total()
	calls(n)
	if err := c.hear(loaded); err != nil {
		return err
	}
	return c.finish(all, base)
}

func (c *child) idle() {
	_, all := c.from()
	<-time.After(c.Case.Duration)
	all()
	c.run.Live, c.run.Goroutines = memory.Live(), runtime.NumGoroutine()
	runtime.KeepAlive(c.sink)
}

// finish waits until everything is delivered, and closes. Where Kafka has been
// away all the time it only closes, as a program does that is told to end; and so it
// does where the files are too full to wait for their replay.
func (c *child) finish(all func(), base rivals.Count) error {
	var err error
	if !c.Case.absent() && c.Case.Kind != Bound {
		_, err = limited("delivery", c.Case.Drain, c.sink.Drain)
	}
	all()
	closed, errClose := limited("closing", closeDeadline, c.sink.Close)
	c.run.Close, c.run.Count = closed, since(c.sink.Count(), base)
	if c.rival.File {
		// Known at the end only, and with those from before.
		c.run.Count.Filed -= min(c.run.Count.Filed, uint64(c.Case.Goroutines))
	}
	if c.run.Count.Sheet != "" && c.run.Count.Sheet != rivals.Balanced {
		err = errors.Join(err, fmt.Errorf("the balance sheet: %s", c.run.Count.Sheet))
	}
	return errors.Join(err, errClose)
}

// since takes the warm-up out of the counts.
func since(c, base rivals.Count) rivals.Count {
	c.Acked -= min(c.Acked, base.Acked)
	c.Failed -= min(c.Failed, base.Failed)
	c.Refused -= min(c.Refused, base.Refused)
	return c
}
