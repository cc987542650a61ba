package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/examples/client"
)

// settings are what a run of the demo is made with.
type settings struct {
	client  string // name of the Kafka client; empty: the default
	kafka   string // as in KAFKA_BROKERS; empty: an embedded broker
	out     io.Writer
	inPlace bool          // out is a terminal: the progress line is overwritten
	entries int           // of each goroutine
	pace    time.Duration // in which they are logged
	outage  time.Duration // of the embedded broker, at most until the sink is shut down
}

// demo is one run: the sink's surroundings, and what it is checked against.
type demo struct {
	settings
	brokers  []string
	embedded *broker // nil with a Kafka of the user's
	topic    string
	dir      string // of the fallback
	options  *zapkafka.Options
	work     *workload
	progress *progress
	syncer   *zapkafka.KafkaSyncer // once it runs
	fallback *zapkafka.Fallback    // likewise
	trouble  []string              // what went wrong beside the balance
}

// run is the whole demo. It reports whether the balance is as it should be; an
// error says why there is none.
func run(ctx context.Context, s settings) (well bool, err error) {
	d, err := prepare(ctx, s)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.end(well || d.syncer == nil)) }()
	if err := d.log(ctx); err != nil {
		return false, err
	}
	b := d.verify()
	for _, line := range b.problems {
		fmt.Fprintln(d.out, "PROBLEM:", line)
	}
	well = b.well()
	if !well {
		fmt.Fprintln(d.out, "the fallback is kept in", d.dir)
	}
	fmt.Fprintln(d.out, b.whereabouts())
	fmt.Fprintln(d.out, b)
	return well, nil
}

// prepare gets a broker, a topic and a directory.
func prepare(ctx context.Context, s settings) (_ *demo, err error) {
	// A client that there is not is said first; one that is never started needs
	// no Close.
	if _, err := client.New(s.client, []string{"localhost"}); err != nil {
		return nil, err
	}
	d := &demo{settings: s, work: newWorkload(s.entries, s.pace)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.end(true))
		}
	}()
	if s.kafka == "" {
		if d.embedded, err = startBroker(); err != nil {
			return nil, fmt.Errorf("start the embedded broker: %w", err)
		}
		d.brokers = d.embedded.addrs()
	} else if d.brokers, err = splitBrokers(s.kafka); err != nil {
		return nil, err
	}
	d.topic = fmt.Sprintf("quickstart-%s-%06x", time.Now().UTC().Format("20060102-150405"), rand.N(1<<24))
	if err := createTopic(ctx, d.brokers, d.topic); err != nil {
		return nil, err
	}
	if d.dir, err = os.MkdirTemp("", "zapkafka-quickstart-"); err != nil {
		return nil, fmt.Errorf("a directory for the fallback: %w", err)
	}
	d.progress = newProgress(s.out, s.inPlace)
	d.options = &zapkafka.Options{
		// A small queue, so that an outage of seconds overflows to the disk.
		BufferBytes:  8 << 20,
		ErrorHandler: d.progress.note,
	}
	what := "an embedded broker, which will be stopped on the way"
	if d.embedded == nil {
		what = "Kafka at " + strings.Join(d.brokers, ", ")
	}
	fmt.Fprintf(s.out, "%d goroutines log %d entries each to topic %s of %s\n", goroutines, s.entries, d.topic, what)
	return d, nil
}

// log runs the service, and disturbs the embedded broker meanwhile. After it
// the broker is up.
func (d *demo) log(ctx context.Context) error {
	over, stop := context.WithCancel(context.Background())
	defer stop()
	var group sync.WaitGroup
	if d.embedded != nil {
		group.Go(func() {
			if err := d.embedded.outage(over, d.pace*3/8, d.outage); err != nil {
				d.trouble = append(d.trouble, err.Error())
			}
		})
	}
	err := logToKafka(ctx, d)
	stop()
	group.Wait()
	d.progress.stop()
	if err != nil && d.syncer == nil {
		return err
	}
	if err != nil {
		d.trouble = append(d.trouble, err.Error())
	}
	if ctx.Err() != nil {
		fmt.Fprintln(d.out, "interrupted: checking what was logged so far")
	}
	return nil
}

// running is told of the syncer and its fallback as soon as there is one.
func (d *demo) running(s *zapkafka.KafkaSyncer, f *zapkafka.Fallback) {
	d.syncer, d.fallback = s, f
	state := func(zapkafka.Stats) string { return d.embedded.state() }
	if d.embedded == nil {
		state = (&answers{}).state
	}
	d.progress.start(s.Stats, state)
}

// readTime is how long the topic may take to be read back.
const readTime = 15 * time.Second

// verify looks every entry up. An interrupt does not end it: it is bounded.
func (d *demo) verify() *balance {
	l := newLedger()
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	if err := readTopic(ctx, d.brokers, d.topic, l.inTopic); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("the brokers had %v for it", readTime)
		}
		l.problem("the topic could not be read to its end: %v", err)
	}
	if err := readFallback(d.dir, l.onFile); err != nil {
		l.problem("the fallback could not be read: %v", err)
	}
	l.problems = append(l.problems, d.trouble...)
	return l.check(d.syncer.Stats(), d.fallback.Stats(), d.work.ids())
}

// end frees what prepare took. The fallback stays if all is not well.
func (d *demo) end(well bool) error {
	if d.embedded != nil {
		d.embedded.close()
	}
	if d.dir == "" || !well {
		return nil
	}
	return os.RemoveAll(d.dir)
}

// splitBrokers takes KAFKA_BROKERS apart.
func splitBrokers(list string) ([]string, error) {
	var brokers []string
	for b := range strings.SplitSeq(list, ",") {
		if b = strings.TrimSpace(b); b != "" {
			brokers = append(brokers, b)
		}
	}
	if brokers == nil {
		return nil, fmt.Errorf("KAFKA_BROKERS is %q, which names no broker: give host:port, or leave it empty for the embedded broker", list)
	}
	return brokers, nil
}
