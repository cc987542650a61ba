package trial

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/rivals"
)

// Runner runs cases.
type Runner struct {
	Program string   // this program: it runs itself as child and as broker
	Brokers []string // of a real Kafka; none: cases on it fail
	Script  string   // scripts/kafka.sh, for those that stop the broker
	Dir     string   // for what children write; on the disk that files are to be measured on
	Say     func(format string, args ...any)
}

// floodLimit is what a flood, of either kind, may take before its delivery is waited for.
const floodLimit = 2 * time.Minute

// limit is when a child is killed that should have ended by itself long before.
func (c Case) limit() time.Duration {
	most := c.Duration
	if c.counted() {
		most = floodLimit
	}
	return openLimit + closeDeadline + 4*beyond + most + 2*c.Drain
}

// Run runs a case once.
func (r *Runner) Run(c Case) (Run, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return Run{}, fmt.Errorf("case %s: %w", c.Name(), err)
	}
	b, err := r.broker(c)
	if err != nil {
		return Run{}, err
	}
	defer b.End()
	dir, err := os.MkdirTemp(r.Dir, "bench-")
	if err != nil {
		return Run{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := r.start(order{Case: c, Brokers: b.Addrs, Topic: b.Topic, Dir: dir})
	if err != nil {
		return Run{}, err
	}
	defer p.end()
	return p.watch(b)
}

// process is a child at work.
type process struct {
	order    order
	cmd      *exec.Cmd
	in       io.WriteCloser
	messages chan message
	began    time.Time
	average  float64 // load of the machine before
	said     tail
}

func (r *Runner) start(o order) (*process, error) {
	p := &process{order: o, messages: make(chan message), average: loadAverage()}
	p.cmd = exec.Command(r.Program, "-child")
	rival, _ := rivals.Find(o.Case.Rival)
	if rival.External != "" {
		p.cmd = exec.Command(rival.External, strings.Join(o.Brokers, ","), o.Topic, fmt.Sprint(o.Case.Goroutines), fmt.Sprint(externalWarm),
			fmt.Sprint(o.Case.Entries))
		ownGroup(p.cmd)
	}
	p.cmd.Env = os.Environ()
	if n := o.Case.Procs; n > 0 {
		p.cmd.Env = append(p.cmd.Env, fmt.Sprintf("GOMAXPROCS=%d", n))
	}
	p.cmd.Stderr = &p.said
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out)
	if rival.External != "" {
		return p, nil
	}
	return p, json.NewEncoder(p.in).Encode(o)
}

// externalWarm is how many entries a JVM needs to become as fast as it will.
const externalWarm = 500_000

func (p *process) read(out io.Reader) {
	defer close(p.messages)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(line, &m) == nil { // some client may print, too
			p.messages <- m
		}
	}
}

// end ends the child if it has not ended. Its standard input, which ends with it,
// is what it would wait for.
func (p *process) end() {
	killGroup(p.cmd)
	for range p.messages { // up to the end of its output
	}
	_ = p.cmd.Wait()
	_ = p.in.Close()
}

// watch follows a child through its phases, and does to the broker what belongs to
// them.
func (p *process) watch(b *Broker) (Run, error) {
	c := p.order.Case
	limit := time.NewTimer(c.limit())
	defer limit.Stop()
	var last message
	before := int64(0)
	stopped := false
	// Whatever happens, the broker does not stay stopped.
	goOn := func() error {
		if !stopped {
			return nil
		}
		stopped = false
		return b.on()
	}
	finish := func(run Run) (Run, error) {
		run.At, run.LoadAverage, run.Delivered = p.began.UTC().Truncate(time.Second), p.average, -1
		if err := goOn(); err != nil {
			return run, err
		}
		if rival, _ := rivals.Find(c.Rival); !rival.Kafka || c.absent() {
			if c.absent() {
				run.Delivered = 0
			}
			return run, nil
		}
		after, err := b.rest(0, time.Second)
		if err != nil {
			return run, fmt.Errorf("entries in the topic: %w", err)
		}
		run.Delivered = after - before
		return run, settle(c, run)
	}
	for {
		select {
		case m, ok := <-p.messages:
			if !ok {
				last.Run.Ended = fmt.Sprintf("the process ended in phase %q: %s", last.Phase, p.said.String())
				return finish(last.Run)
			}
			last = m
			var err error
			switch m.Phase {
			case warmed:
				want := int64(c.Goroutines)
				if external(c) {
					want = 0 // the warm-up's are many more: what counts is that no more come
				}
				if before, err = b.rest(want, time.Second); err == nil && c.stops() && b.stop != nil {
					stopped = true
					err = b.stop()
				}
			case loaded:
				err = goOn()
			case done:
				return finish(m.Run)
			}
			if err == nil {
				_, err = io.WriteString(p.in, "go\n")
			}
			if err != nil {
				return last.Run, errors.Join(err, goOn())
			}
		case <-limit.C:
			last.Run.Ended = fmt.Sprintf("killed after %v, in phase %q", c.limit(), last.Phase)
			return finish(last.Run)
		}
	}
}

// settle holds what the sink says against what the broker has: everything that it
// calls delivered is there.
func settle(c Case, run Run) error {
	if !rivals.IsOwn(c.Rival) || run.Ended != "" || run.Delivered < 0 {
		return nil
	}
	if claimed := run.Count.Acked + run.Count.Replayed; uint64(run.Delivered) < claimed {
		return fmt.Errorf("%s: %d entries are in the topic, but the sink says %d acknowledged and %d replayed",
			c.Name(), run.Delivered, run.Count.Acked, run.Count.Replayed)
	}
	return nil
}

// RunAll runs all cases so many times, the first run of all before the second of
// any, so that what the machine does meanwhile is spread over them, and writes the
// results into dir. It goes on after a case that failed, and reports all errors.
func (r *Runner) RunAll(cases []Case, times int, dir string) ([]*Result, error) {
	var errs []error
	results := make([]*Result, len(cases))
	machine, versions, commit := ThisMachine(), versions(), commit()
	for i := range cases {
		c := cases[i].withDefaults()
		rival, _ := rivals.Find(c.Rival)
		results[i] = &Result{Case: c, Source: rival.Source, Machine: machine, Versions: versions, Commit: commit}
		if c.Broker == Kafka && r.Script != "" {
			results[i].Versions = withKafka(versions, kafkaVersion(r.Script))
		}
	}
	for range times {
		for _, result := range results {
			run, err := r.Run(result.Case)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", result.Case.Name(), err))
				r.Say("%s: %v", result.Case.Name(), err)
				continue
			}
			result.Runs = append(result.Runs, run)
			r.Say("%s", lineFor(result.Case, run))
			if dir != "" {
				errs = append(errs, result.Write(dir))
			}
		}
	}
	results = slices.DeleteFunc(results, func(r *Result) bool { return len(r.Runs) == 0 })
	return results, errors.Join(errs...)
}

func withKafka(all map[string]string, version string) map[string]string {
	more := map[string]string{"kafka": version}
	for name, v := range all {
		more[name] = v
	}
	return more
}

// lineFor is a run as a line of Go's benchmarks, which benchstat reads.
func lineFor(c Case, run Run) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Benchmark/%s %d %.2f allocs/op %.0f B/op %.0f entries/s %.4f delivered/op %.3f cpu-s/M %d MiB-peak",
		c.Name(), run.Logged, run.AllocsCall, run.BytesCall, run.PerSecond(), run.Share(), run.CPUPerMillion().Seconds(), run.PeakResident>>20)
	if c.Kind == Flood {
		fmt.Fprintf(&b, " %.1f ns/op", run.NsCall())
	}
	if l := run.Latency; l != nil {
		fmt.Fprintf(&b, " %d ns-p50 %d ns-p99 %d ns-p99.9 %d ns-max", l.P50, l.P99, l.P999, l.Max)
	}
	if run.Ended != "" {
		fmt.Fprintf(&b, "\n# %s: %s", c.Name(), run.Ended)
	}
	return b.String()
}

// tail keeps the last of what a child says on standard error.
type tail struct {
	mu  sync.Mutex
	all []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, p...)
	if n := len(t.all) - 4096; n > 4096 {
		t.all = append(t.all[:0], t.all[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.all))
}
