package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/internal/spool"
	"github.com/zapkafka/zapkafka/producer/franz"
)

type replayCommand struct {
	kafkaFlags
	Topic    string        `placeholder:"TOPIC" help:"Topic of the entries on file that do not say where they belong."`
	Rate     int           `default:"50000" placeholder:"N" help:"Entries a second; what the last two seconds have left of it may come on top. Default: 50000."`
	StampNow bool          `help:"Give the records the present time, for topics whose retention is short; not that of the log call."`
	Idle     time.Duration `default:"1m" placeholder:"DURATION" help:"Give up when Kafka has taken nothing for so long; 0: never. Default: 1m."`
	Timeout  time.Duration `default:"0" placeholder:"DURATION" help:"Give up after so long in all; 0: never. Default: 0."`
	DryRun   bool          `help:"Only say what would be sent; nothing is opened for writing, and no broker is asked."`
	JSON     bool          `name:"json" help:"Print the result as JSON."`
	Dirs     []string      `arg:"" name:"dir" help:"Fallback directories; what dead owners left in their subdirectories is sent too."`
}

func (*replayCommand) Help() string {
	return `A service replays its directory by itself. This is for what a service left
behind that does not run any more, or that was told not to (Replay.Rate: -1).
A directory with a living owner is refused.

  zapkafka replay --dry-run /var/lib/app/kafka-fallback
  zapkafka replay --brokers kafka-1:9092,kafka-2:9092 --topic app-logs /var/lib/app/kafka-fallback
  KAFKA_PASSWORD=... zapkafka replay --brokers kafka-1:9093 --tls --sasl scram-sha-512 --sasl-user app \
      --topic app-logs /var/lib/app/kafka-fallback

Entries go to the topic that they were logged for, with their keys, headers and
times, and get a header "replayed". What Kafka has acknowledged is taken off the
file; what it refuses for good goes to rejected.jsonl, what cannot be read to
quarantine.jsonl. Ctrl-C or SIGTERM ends it in good order: what was not sent
stays on file, and another run goes on there. An entry that was under way then
may be in the topic twice.

The exit status is 0 if all is in Kafka, 1 if not, 2 for a wrong call.`
}

// Validate is called by kong.
func (r *replayCommand) Validate() error {
	switch {
	case r.Rate <= 0:
		return fmt.Errorf("--rate is %d, but must be 1 or more", r.Rate)
	case r.Idle < 0 || r.Timeout < 0:
		return errors.New("--idle and --timeout must not be negative: 0 is never")
	}
	return nil
}

// sent is what became of the entries of one directory. It is what --json
// prints.
type sent struct {
	Dir         string  `json:"dir"`
	Found       uint64  `json:"found"`
	Replayed    uint64  `json:"replayed"`
	Rejected    uint64  `json:"rejected"`
	Quarantined uint64  `json:"quarantined"`
	Evicted     uint64  `json:"evicted"` // their files were removed by somebody meanwhile
	OnFile      uint64  `json:"on_file"`
	Uncounted   int     `json:"uncounted_files"` // of whose entries nothing is known
	Seconds     float64 `json:"seconds"`
	Error       string  `json:"error,omitempty"` // why not all of it was sent
}

func (s *sent) whole() bool { return s.Error == "" && s.Found == s.Replayed && s.Uncounted == 0 }

func (r *replayCommand) Run(ctx context.Context, c *console) error {
	if r.DryRun {
		return r.dryRun(c)
	}
	opts, err := r.options()
	if err != nil {
		return err
	}
	if r.Topic == "" {
		return badUsage("no topic: name one with --topic, for entries on file that do not say where they belong")
	}
	if _, err := franz.New(r.Brokers, opts...); err != nil { // started nowhere, it needs no Close
		return usageError{err}
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("--timeout of %v is over", r.Timeout))
		defer cancel()
	}
	results := []*sent{}
	for _, dir := range r.Dirs {
		s := &sent{Dir: dir}
		begin := time.Now()
		if err := r.send(ctx, c, s); err != nil {
			s.Error = saying(err)
		}
		s.Seconds = time.Since(begin).Round(time.Millisecond).Seconds()
		results = append(results, s)
	}
	return r.conclude(c, results)
}

func (r *replayCommand) conclude(c *console, results []*sent) error {
	whole := true
	for _, s := range results {
		whole = whole && s.whole()
		if !r.JSON {
			s.print(c)
		}
		if s.Error != "" {
			c.note("zapkafka: %s: %s", s.Dir, s.Error)
		}
	}
	var err error
	if r.JSON {
		err = c.sayJSON(map[string]any{"whole": whole, "directories": results})
	}
	if !whole {
		err = errors.Join(err, errSaid)
	}
	return err
}

func (s *sent) print(c *console) {
	if s.Found == 0 && s.Uncounted == 0 && s.Error == "" {
		c.say("%s: nothing to send", s.Dir)
		return
	}
	if s.Found > 0 {
		c.say("%s: sent %s of %s, in %.1f s", s.Dir, grouped(s.Replayed), count(s.Found, "entry", "entries"), s.Seconds)
	}
	for _, rest := range []struct {
		n           uint64
		what, where string
	}{
		{s.Rejected, "refused by Kafka for good", ", see " + filepath.Join(s.Dir, "rejected.jsonl")},
		{s.Quarantined, "damaged", ", see " + filepath.Join(s.Dir, "quarantine.jsonl")},
		{s.Evicted, "gone, as somebody removed the file", ""},
		{s.OnFile, "still on file", ", for another run"},
	} {
		if rest.n > 0 {
			c.say("%s: %s: %s%s", s.Dir, rest.what, count(rest.n, "entry", "entries"), rest.where)
		}
	}
	if s.Uncounted > 0 {
		c.say("%s: not read: %s", s.Dir, count(s.Uncounted, "file", "files"))
	}
}

// send sends what is in one directory. An error says why not all of it was.
func (r *replayCommand) send(ctx context.Context, c *console, s *sent) (err error) {
	if ctx.Err() != nil {
		return why(ctx)
	}
	fallback, err := openUnowned(s.Dir)
	if err != nil {
		return err
	}
	defer func() {
		st := fallback.Stats()
		s.Found, s.Replayed, s.Rejected, s.Quarantined = st.Inherited, st.Replayed, st.Rejected, st.Quarantined
		s.Evicted, s.OnFile, s.Uncounted = st.Evicted, st.OnFile, st.Uncounted
		err = errors.Join(err, fallback.Close())
	}()
	opts, err := r.options()
	if err != nil {
		return err
	}
	producer, err := franz.New(r.Brokers, opts...)
	if err != nil {
		return err
	}
	p := newProgress(c, s.Dir)
	syncer, err := zapkafka.NewKafkaSyncer(producer, r.Topic, fallback, &zapkafka.Options{
		Replay:       zapkafka.ReplayOptions{Rate: r.Rate, StampNow: r.StampNow},
		ErrorHandler: p.note,
	})
	if err != nil {
		return err
	}
	err = r.wait(ctx, s.Dir, fallback, syncer, p)
	// What was not acknowledged by now stays on file; a client that is slow to
	// end changes nothing of that.
	if err := syncer.Close(); err != nil {
		p.note(err)
	}
	p.show(fallback.Stats(), zapkafka.Healthy)
	p.end()
	return err
}

// openUnowned opens the directory if it is one and no living process owns it.
func openUnowned(dir string) (*zapkafka.Fallback, error) {
	if err := checkFallback(dir); err != nil { // OpenFallback would make it one
		return nil, err
	}
	if o, err := spool.FindOwner(dir); err != nil {
		return nil, err
	} else if o.State == spool.OwnerAlive {
		return nil, fmt.Errorf("%s owns the directory and replays it by itself; to replay it from here, end that process first",
			owner{State: o.State.String(), PID: o.PID})
	}
	fallback, err := zapkafka.OpenFallback(dir, &zapkafka.FallbackOptions{MaxBytes: -1})
	if err != nil {
		return nil, err
	}
	if fallback.Dir() != dir {
		err := errors.New("a living process owns the directory and replays it by itself; to replay it from here, end that process first")
		return nil, errors.Join(err, fallback.Close())
	}
	return fallback, nil
}

const (
	// lookEvery is how often a replay is looked at.
	lookEvery = 50 * time.Millisecond
	// adoptTime is how long it may take the replay to find what dead owners left.
	adoptTime = 3 * time.Second
)

// wait returns when all is sent, with an error when that is not to be expected
// any more.
func (r *replayCommand) wait(ctx context.Context, dir string, f *zapkafka.Fallback, s *zapkafka.KafkaSyncer, p *progress) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var done uint64
	moved, empty := time.Now(), time.Time{}
	for {
		st := f.Stats()
		state, _ := s.State()
		p.show(st, state)
		now := time.Now()
		if n := st.Replayed + st.Rejected + st.Quarantined + st.Evicted; n != done {
			done, moved = n, now
		}
		switch {
		case st.OnFile > 0 || st.Uncounted > 0:
			empty = time.Time{}
		case empty.IsZero():
			empty = now
		}
		if !empty.IsZero() {
			left := abandoned(dir)
			if left == "" {
				return nil
			}
			if now.Sub(empty) >= adoptTime {
				return fmt.Errorf("what is in %s could not be taken over", left)
			}
		}
		if r.Idle > 0 && now.Sub(moved) >= r.Idle {
			return fmt.Errorf("Kafka has taken nothing for %v (--idle)", r.Idle) //nolint:staticcheck // a name
		}
		select {
		case <-ctx.Done():
			return why(ctx)
		case <-tick.C:
		}
	}
}

// abandoned names a subdirectory of a further owner in which there are segments,
// and which no other living process is known to own. One that our replay has
// just taken over is among them: it was perhaps not when OnFile was read.
func abandoned(dir string) string {
	dirs, err := spool.Directories(dir)
	if err != nil {
		return ""
	}
	for _, sub := range dirs[1:] {
		if l, err := spool.List(sub); err == nil && len(l.Segments) > 0 && (l.Owner.State != spool.OwnerAlive || l.Owner.PID == os.Getpid()) {
			return sub
		}
	}
	return ""
}

// why says why ctx has ended.
func why(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return errors.New("interrupted")
}

// wouldSend is what --dry-run --json prints.
type wouldSend struct {
	Dir    string       `json:"dir"`
	Owner  owner        `json:"owner"`
	Left   int64        `json:"left"`
	Topics []*topicSize `json:"topics"`
}

func (r *replayCommand) dryRun(c *console) error {
	found, err := examineAll(r.Dirs)
	would := []wouldSend{}
	for _, d := range found {
		would = append(would, wouldSend{Dir: d.Dir, Owner: d.Owner, Left: d.Left, Topics: d.perTopic.list(r.Topic)})
	}
	if r.JSON {
		return errors.Join(c.sayJSON(map[string]any{"directories": would}), err)
	}
	for n, d := range would {
		if len(d.Topics) == 0 {
			c.say("%s: nothing to send", d.Dir)
		}
		for _, t := range d.Topics {
			where := "topic " + t.Topic
			if t.Topic == "" {
				where = "the topic of --topic"
			}
			c.say("%s: %s, %s, to %s", d.Dir, count(t.Entries, "entry", "entries"), size(t.Bytes), where)
		}
		if damaged := len(found[n].Damaged); damaged > 0 {
			c.say("%s: %s; zapkafka verify names them", d.Dir, count(damaged, "damaged part", "damaged parts"))
		}
		if found[n].alive() {
			c.say("%s: nothing of it from here: %s owns it, and replays it by itself", d.Dir, d.Owner)
		}
	}
	return err
}

// list gives entries without a topic to byDefault.
func (t topicSizes) list(byDefault string) []*topicSize {
	byTopic := topicSizes{}
	for _, s := range t {
		topic := s.Topic
		if topic == "" {
			topic = byDefault
		}
		sum := byTopic[topic]
		if sum == nil {
			sum = &topicSize{Topic: topic}
			byTopic[topic] = sum
		}
		sum.Entries += s.Entries
		sum.Bytes += s.Bytes
	}
	all := []*topicSize{}
	for _, s := range byTopic {
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Topic < all[j].Topic })
	return all
}
