package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

type demoCommand struct {
	Rate   int           `default:"2000" placeholder:"N" help:"Entries that are logged in a second. Default: 2000."`
	Outage time.Duration `default:"4s" placeholder:"DURATION" help:"How long the broker is away. Default: 4s."`
}

func (*demoCommand) Help() string {
	return `Nothing is needed: the broker is part of this program, and a directory for the
fallback is made for the time of the demo. It logs, takes the broker away, shows
the fallback filling, brings the broker back, and shows the replay emptying it.
At the end every entry is looked for in the topic.

  zapkafka demo
  zapkafka demo --rate 20000 --outage 10s

The exit status is 1 if an entry is lost or missing.`
}

// Validate is called by kong.
func (d *demoCommand) Validate() error {
	switch {
	case d.Rate < 10 || d.Rate > 100_000:
		return fmt.Errorf("--rate is %d, but must be from 10 to 100000", d.Rate)
	case d.Outage < 0:
		return fmt.Errorf("--outage is %v, but must not be negative", d.Outage)
	}
	return nil
}

const (
	demoTopic = "demo"
	// calm is how long the demo logs before the outage and after it.
	calm = 2 * time.Second
	// emptyTime is how long the replay may take.
	emptyTime = 30 * time.Second
)

// demo is one run.
type demo struct {
	c        *console
	broker   *broker
	syncer   *zapkafka.KafkaSyncer
	fallback *zapkafka.Fallback
	begin    time.Time
	logged   int
}

func (d *demoCommand) Run(ctx context.Context, c *console) (err error) {
	ctx, stop := untilSignal(ctx)
	defer stop()
	b, err := startBroker(demoTopic)
	if err != nil {
		return fmt.Errorf("start the broker: %w", err)
	}
	defer b.close()
	dir, err := os.MkdirTemp("", "zapkafka-demo-")
	if err != nil {
		return fmt.Errorf("a directory for the fallback: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.say("A broker in this program listens on %s; the fallback is %s.", b.addrs()[0], dir)
	run := &demo{c: c, broker: b}
	if err := run.log(ctx, d, dir); err != nil {
		return err
	}
	return run.conclude()
}

// log is the story. It is what a program does with the library, and what
// happens to the broker meanwhile.
func (d *demo) log(ctx context.Context, how *demoCommand, dir string) (err error) {
	producer, err := franz.New(d.broker.addrs())
	if err != nil {
		return err
	}
	if d.fallback, err = zapkafka.OpenFallback(dir, nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.fallback.Close()) }()
	d.syncer, err = zapkafka.NewKafkaSyncer(producer, demoTopic, d.fallback, &zapkafka.Options{
		OutageAfter:   time.Second, // in five seconds, by default
		OnStateChange: func(s zapkafka.State, _ time.Time) { d.tell("the sink is now: %v", s) },
		ErrorHandler:  func(error) {}, // it is the outage that we make
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.syncer.Close()) }()
	logger := zapkafka.New(d.syncer, zap.InfoLevel)

	d.begin = time.Now()
	d.tell("logging %s a second", count(how.Rate, "entry", "entries"))
	work, ended := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.logged = logEvenly(work, logger, how.Rate)
	}()
	d.watch(ctx, calm)
	d.broker.leave()
	d.tell("the broker goes away; log calls do not notice")
	d.watch(ctx, how.Outage)
	d.broker.comeBack()
	d.tell("the broker is back")
	d.watch(ctx, calm)
	ended()
	<-done
	d.tell("logging ends, after %s; what is on file goes to Kafka", count(d.logged, "entry", "entries"))
	d.untilEmpty(ctx)
	return nil
}

// logEvenly logs until ctx is done and returns how many entries.
func logEvenly(ctx context.Context, logger *zapkafka.Logger, rate int) (n int) {
	const beat = 10 * time.Millisecond
	tick := time.NewTicker(beat)
	defer tick.Stop()
	begin := time.Now()
	for {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); n < due; n++ {
			logger.Info("order placed", zap.Int("id", n), zap.String("currency", "EUR"))
		}
	}
}

// watch tells how it is every half second, for a time.
func (d *demo) watch(ctx context.Context, length time.Duration) {
	end := time.NewTimer(length)
	defer end.Stop()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-tick.C:
			d.tellStats()
		}
	}
}

func (d *demo) untilEmpty(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, emptyTime)
	defer cancel()
	// What is still with the producer could go to the fallback yet.
	for ctx.Err() == nil && (d.fallback.Stats().OnFile > 0 || d.syncer.Stats().PendingEntries > 0) {
		d.watch(ctx, 100*time.Millisecond)
	}
	d.tellStats()
}

func (d *demo) tellStats() {
	s, f := d.syncer.Stats(), d.fallback.Stats()
	d.tell("accepted %7s  acked %7s  waiting %6s  on file %6s  replayed %6s",
		grouped(s.Accepted), grouped(s.Acked), grouped(s.PendingEntries), grouped(f.OnFile), grouped(f.Replayed))
}

func (d *demo) tell(format string, args ...any) {
	d.c.say("%5.1fs  %s", time.Since(d.begin).Seconds(), fmt.Sprintf(format, args...))
}

// conclude looks for every entry and prints the balance.
func (d *demo) conclude() error {
	found, err := d.inTopic()
	if err != nil {
		return fmt.Errorf("read the topic back: %w", err)
	}
	twice, distinct := 0, 0
	for _, n := range found {
		distinct++
		twice += n - 1
	}
	s, f := d.syncer.Stats(), d.fallback.Stats()
	// What was not replayed, because of Ctrl-C, was still on file.
	missing := d.logged - distinct - int(f.OnFile) - int(s.Lost.Total())
	d.c.say("In the topic: %s, %s of them by way of the fallback, %s twice.",
		count(distinct, "entry", "entries"), grouped(f.Replayed), grouped(twice))
	d.c.say("accepted=%d acked=%d fallback=%d replayed=%d onfile=%d lost=%d missing=%d",
		s.Accepted, s.Acked, s.FellBack.Total(), f.Replayed, f.OnFile, s.Lost.Total(), missing)
	if missing > 0 || s.Lost.Total() > 0 || uint64(d.logged) != s.Accepted {
		return errors.New("not all entries are where they should be: this is a bug, please report it")
	}
	return nil
}

// inTopic reads the topic and returns how often each id is there.
func (d *demo) inTopic() (map[int]int, error) {
	found := map[int]int{}
	reader := &topicReader{brokers: d.broker.addrs(), topic: demoTopic, from: place{beginning: true}, trouble: func(error) {}}
	err := reader.read(context.Background(), func(r *kgo.Record) error {
		var e struct {
			ID *int `json:"id"`
		}
		if err := json.Unmarshal(r.Value, &e); err != nil || e.ID == nil {
			return fmt.Errorf("an entry cannot be read: %.200q", r.Value)
		}
		found[*e.ID]++
		return nil
	})
	return found, err
}
