package chaos

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/integration/adaptors"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/service"
)

const workers = 10

// Entries a second. In the short form there are fewer, since the programs have
// the race detector and other scenarios run beside them.
const (
	fullRate     = 20_000
	shortRate    = 4_000
	measuredRate = 10_000 // in the short form, without the race detector
)

// trial is a scenario under way with a client.
type trial struct {
	*testing.T
	kafka   *harness.Kafka
	client  adaptors.Adaptor
	topic   string
	dir     string // of the fallback
	shared  string // directory of the progress files
	brokers []string
	program string
	rate    int // entries a second
	began   time.Time
	result  *Result
	started int // processes so far
}

func newTrial(t *testing.T, s scenario, client adaptors.Adaptor, k *harness.Kafka, program string) *trial {
	rate := fullRate
	switch {
	case *short && s.measured:
		rate = measuredRate
	case *short:
		rate = shortRate
	}
	return &trial{
		T: t, shared: inMemory(t), kafka: k, client: client, brokers: k.Brokers, program: program, rate: rate, dir: t.TempDir(), began: time.Now(),
		result: &Result{
			Scenario: s.name, Client: client.Name, Date: time.Now().UTC().Truncate(time.Second), Commit: commit(), Cores: runtime.NumCPU(),
			Versions: make(map[string]string),
		},
	}
}

// inMemory returns a directory of the test's, in memory where there is one. On a
// disk, a page of a mapped file that is being written back may hold up who stores
// to it for as long as the disk is busy, and what calls take would not be theirs.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "zapkafka-chaos-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// end prints the result, and keeps it.
func (x *trial) end() {
	r := x.result
	r.Passed, r.Took = !x.Failed() && !x.Skipped(), time.Since(x.began)
	if x.Skipped() {
		return
	}
	x.Logf("\n%s\n%s\n%s; took %v", header, r.Line(), r.figures(), r.Took.Round(time.Second))
	linesMu.Lock()
	lines = append(lines, r.Line())
	linesMu.Unlock()
	if *short {
		return
	}
	if err := r.write("results"); err != nil {
		x.Error(err)
	}
}

// figure notes something that the scenario is about.
func (x *trial) figure(name string, value any) {
	if d, ok := value.(time.Duration); ok {
		value = d.Round(10 * time.Microsecond)
		if d > time.Second {
			value = d.Round(10 * time.Millisecond)
		}
	}
	x.result.Figures = append(x.result.Figures, Figure{Name: name, Value: fmt.Sprint(value)})
}

// start starts the program with a load on the topic.
func (x *trial) start(args ...string) *service.Process {
	x.Helper()
	p := service.Start(x, service.Plan{
		Program: x.program, Workers: workers, Progress: filepath.Join(x.shared, fmt.Sprintf("progress-%d", x.started)),
		Args: append([]string{
			"-client", x.client.Name, "-brokers", strings.Join(x.brokers, ","), "-topic", x.topic,
			"-fallback", x.dir, "-rate", fmt.Sprint(x.rate),
		}, args...),
	})
	x.started++
	x.result.Versions["kafka"], x.result.Versions["go"] = kafkaVersion(), p.First.Versions["go"]
	for path, version := range p.First.Versions {
		if path == modules[x.client.Name] {
			x.result.Versions[path] = version
		}
	}
	return p
}

// makeTopic makes one with a name of its own.
func (x *trial) makeTopic(configs ...string) {
	x.Helper()
	x.topic = x.kafka.Topic(x, configs...)
}

// logged waits until as much was logged as is logged in so much time.
func (x *trial) logged(p *service.Process, d time.Duration) {
	x.Helper()
	until := p.Logged() + int(d.Seconds()*float64(x.rate))
	x.eventuallyWithin(d+harness.Patience, fmt.Sprintf("%v of logging", d), func() bool { return p.Logged() >= until })
}

// healthy starts the program on a topic of its own, and waits until so much has
// been logged on a good day.
func (x *trial) healthy(d time.Duration, args ...string) *service.Process {
	x.Helper()
	if x.topic == "" {
		x.makeTopic()
	}
	p := x.start(args...)
	x.acked(p, 100)
	x.logged(p, d)
	return p
}

// acked waits until Kafka has acknowledged n more.
func (x *trial) acked(p *service.Process, n uint64) {
	x.Helper()
	until := p.Ask(x, service.Stats).Stats.Acked + n
	x.asked(p, "Kafka acknowledges entries", func(a service.Answer) bool { return a.Stats.Acked >= until })
}

// outage waits until the sink has seen that Kafka is away, and entries are on
// file.
func (x *trial) outage(p *service.Process) {
	x.Helper()
	x.asked(p, "the state is fallback only, and entries are on file", func(a service.Answer) bool {
		return a.State == "fallback only" && a.Fallback.OnFile > 0
	})
}

// replayed waits until nothing is on file any more, with the load going on, and
// returns how long that took.
func (x *trial) replayed(p *service.Process) time.Duration {
	x.Helper()
	begin := time.Now()
	x.asked(p, "all that fell back is in Kafka", func(a service.Answer) bool {
		return a.State != "fallback only" && a.Fallback.OnFile == 0
	})
	return time.Since(begin)
}

// patience is how long a scenario waits for what has to happen. At the full rate a
// machine that runs three brokers as well has little left for the replay.
func patience() time.Duration { return long(10*time.Minute, 2*time.Minute) }

// asked waits until the program's stats are as they have to be.
func (x *trial) asked(p *service.Process, what string, is func(service.Answer) bool) service.Answer {
	x.Helper()
	deadline := time.NewTimer(patience())
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a := p.Ask(x, service.Stats)
		if is(a) {
			return a
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			x.Fatalf("not within %v: %s\n%+v\n%+v", patience(), what, a.Stats, a.Fallback)
		}
	}
}

// eventuallyWithin waits for something that has to happen.
func (x *trial) eventuallyWithin(d time.Duration, what string, happened func() bool) {
	x.Helper()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline.C:
			x.Fatalf("not within %v: %s", d, what)
		}
	}
}

var kafkaVersion = sync.OnceValue(func() string {
	text, err := exec.Command("sed", "-n", `s/.*<kafka.version>\(.*\)<.*/\1/p`, "../../scripts/kafka/pom.xml").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
})

// commit names the commit that is under test.
var commit = sync.OnceValue(func() string {
	head, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(head))
	changes, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(exclude)results", ":(exclude)RESULTS.md").Output()
	if err != nil || len(changes) > 0 {
		name += "+"
	}
	return name
})

// modules are the paths of the clients' modules.
var modules = map[string]string{
	"franz":         "github.com/twmb/franz-go",
	"kafkago":       "github.com/segmentio/kafka-go",
	"ibmsarama":     "github.com/IBM/sarama",
	"shopifysarama": "github.com/Shopify/sarama",
	"confluent":     "github.com/confluentinc/confluent-kafka-go/v2",
}

var (
	linesMu sync.Mutex
	lines   []string
)

// summary prints the lines of all results.
func summary(w io.Writer) {
	linesMu.Lock()
	defer linesMu.Unlock()
	if len(lines) > 0 {
		_, _ = fmt.Fprintln(w, header+"\n"+strings.Join(lines, "\n"))
	}
}
