package trial

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/benchmark/rivals"
)

// The flags with which a Runner runs this program.
var (
	childFlag  = flag.Bool("child", false, "run one case as told on standard input (for this program itself)")
	brokerFlag = flag.Int("discard-broker", 0, "be a broker with so many partitions (for this program itself)")
)

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	switch {
	case *childFlag:
		err = Child(os.Stdin, os.Stdout)
	case *brokerFlag > 0:
		err = DiscardBroker(*brokerFlag, os.Stdin, os.Stdout)
	default:
		goleak.VerifyTestMain(m,
			// sarama's metrics have one for the process, which never ends.
			goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runner(t *testing.T) *Runner {
	return &Runner{Program: os.Args[0], Dir: t.TempDir(), Say: t.Logf}
}

// Every kind of case, in a process of its own, on brokers that are well, stopped
// and away (mute: TestRunStuck). Most of the time is that of the Close in an outage.
func TestRun(t *testing.T) {
	const name = "zapkafka-franz-fast-replay"
	for _, test := range []struct {
		name  string
		c     Case
		share float64
	}{
		{"flood", Case{Kind: Flood, Rival: name, Broker: Discard, Form: Line, Entries: 5000}, 1},
		{"flood of a rival", Case{Kind: Flood, Rival: "franz-raw", Broker: Discard, Entries: 5000, Procs: 1, Partitions: 1}, 1},
		{"capacity", Case{Kind: Capacity, Rival: "zapkafka-franz", Broker: Discard, Form: Line, Entries: 200_000}, 1},
		{"steady", Case{Kind: Steady, Rival: name, Broker: Discard, Rate: 2000, Duration: 300 * time.Millisecond}, 1},
		{"full speed", Case{Kind: Steady, Rival: name, Broker: Discard, Rate: FullSpeed, Duration: 50 * time.Millisecond}, 1},
		{"stopped", Case{Kind: Steady, Rival: name, Broker: Discard, Fault: Stopped, Rate: 2000, Duration: 300 * time.Millisecond}, 1},
		{"slow disk", Case{Kind: Flood, Rival: "lock-file", Broker: None, Fault: SlowDisk, Form: Line, Entries: slowDisk / 4 / 200}, 0},
		{"refused", Case{Kind: Steady, Rival: name, Broker: Kafka, Fault: Refused, Rate: 2000, Duration: 300 * time.Millisecond}, 0},
		{"bound", Case{Kind: Bound, Rival: name, Broker: Discard, Form: Line, Size: 1000, Duration: 10 * time.Millisecond}, 1},
		{"idle", Case{Kind: Idle, Rival: name, Broker: Discard, Duration: 10 * time.Millisecond}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run, err := runner(t).Run(test.c)
			if err != nil {
				t.Fatal(err)
			}
			if run.Ended != "" {
				t.Errorf("it did not end as it should: %s", run.Ended)
			}
			if test.c.Kind != Idle && run.Logged == 0 {
				t.Error("nothing was logged")
			}
			if got := run.Share(); got != test.share {
				t.Errorf("%v of %d was delivered, want %v", got, run.Logged, test.share)
			}
			if rivals.IsOwn(test.c.Rival) && test.c.Kind != Idle {
				if run.Count.Sheet != rivals.Balanced {
					t.Errorf("the sheet is %q", run.Count.Sheet)
				}
				if test.c.Kind == Capacity && run.Count.Filed > 0 {
					t.Errorf("%d of %d went to the fallback, want none where the load waits", run.Count.Filed, run.Logged)
				}
				if test.c.Fault == Refused && run.Count.Filed != uint64(run.Logged) {
					t.Errorf("%d of %d are on file", run.Count.Filed, run.Logged)
				}
			}
			if test.c.Fault == SlowDisk && run.Calling < 200*time.Millisecond {
				t.Errorf("a quarter of what the disk takes in a second took %v", run.Calling)
			}
			if test.c.Kind == Steady && (run.Latency == nil || run.Latency.Calls != int64(run.Logged) || run.Latency.Max == 0) {
				t.Errorf("latency %+v of %d calls", run.Latency, run.Logged)
			}
		})
	}
}

// A rival that cannot be opened, and one that keeps a log call for ever, are
// results, too.
func TestRunStuck(t *testing.T) {
	run, err := runner(t).Run(Case{Kind: Flood, Rival: "sarama-input", Broker: Kafka, Fault: Refused, Entries: 10})
	if err != nil || !strings.Contains(run.Ended, "opening") {
		t.Errorf("%+v, %v: want that it could not be opened", run, err)
	}
	c := Case{Kind: Steady, Rival: "kafkago-async", Broker: Kafka, Fault: Mute, Rate: 2000, Duration: 200 * time.Millisecond, Drain: 50 * time.Millisecond}
	run, err = runner(t).Run(c)
	if err != nil || !strings.Contains(run.Ended, "had not returned") || run.Latency == nil || run.Latency.Stuck == 0 {
		t.Errorf("%+v, %v: want log calls that have not returned", run, err)
	}
}

// What is wrong with a case is said before anything runs.
func TestCheckCase(t *testing.T) {
	good := Case{Kind: Flood, Rival: "nothing", Broker: None, Entries: 1}
	for name, change := range map[string]func(*Case){
		"kind": func(c *Case) { c.Kind = "x" }, "broker": func(c *Case) { c.Broker = "x" }, "fault": func(c *Case) { c.Fault = "x" },
		"form": func(c *Case) { c.Form = "x" }, "flood of": func(c *Case) { c.Entries = 0 },
		"capacity of": func(c *Case) { c.Kind, c.Entries = Capacity, 0 }, "take a time": func(c *Case) { c.Kind = Steady },
	} {
		c := good
		change(&c)
		if _, err := runner(t).Run(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := runner(t).Run(good); err != nil {
		t.Error(err)
	}
}

// The sets consist of cases that can be run, each with a name of its own.
func TestSets(t *testing.T) {
	for _, name := range SetNames() {
		set, err := Choose(name, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		names := make(map[string]bool)
		for _, c := range set.Cases {
			if err := c.check(); err != nil {
				t.Errorf("%s: %s: %v", name, c.Name(), err)
			}
			if names[c.Name()] {
				t.Errorf("%s has %s twice", name, c.Name())
			}
			names[c.Name()] = true
		}
		if set.Times < 1 || set.About() <= 0 {
			t.Errorf("%s: %d times, %v", name, set.Times, set.About())
		}
	}
	if _, err := Choose("short", "no such case", 1); err == nil {
		t.Error("a set without cases was chosen")
	}
}

// Sets that have a case in common, and so its results, run it alike.
func TestSetsAgree(t *testing.T) {
	seen := make(map[string]Case)
	for _, name := range []string{"classic", "calls", "faults", "growth", "memory"} {
		set, err := Choose(name, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range set.Cases {
			if other, ok := seen[c.Name()]; ok && other != c {
				t.Errorf("%s: %+v in the set %s, and elsewhere %+v", c.Name(), c, name, other)
			}
			seen[c.Name()] = c
		}
	}
}

// Entries have the size that is asked for, are one line, and differ.
func TestLines(t *testing.T) {
	for _, size := range []int{50, 200, 500_000} {
		lines := linesOf(size)
		seen := make(map[string]bool)
		for _, line := range lines {
			if len(line) != size || bytes.IndexByte(line, '\n') != size-1 {
				t.Fatalf("%d bytes, newline at %d: want %d bytes and one newline at the end", len(line), bytes.IndexByte(line, '\n'), size)
			}
			seen[string(line)] = true
		}
		if len(seen) != len(lines) || len(lines) < 4 {
			t.Errorf("%d of %d entries of %d bytes differ", len(seen), len(lines), size)
		}
	}
}

func TestMedian(t *testing.T) {
	r := &Result{}
	for _, n := range []int{1, 9, 3} {
		r.Runs = append(r.Runs, Run{Logged: n})
	}
	logged := func(run Run) float64 { return float64(run.Logged) }
	if got := r.Median(logged); got != 3 {
		t.Errorf("the median is %v, want 3", got)
	}
	r.Runs[1].Ended = "not"
	if got := r.Median(logged); got != 2 {
		t.Errorf("without the run that failed it is %v, want 2", got)
	}
}

// The check finds each of the mistakes that it is there for.
func TestCheck(t *testing.T) {
	results := func() []*Result {
		set, err := Choose("ci", "", 1)
		if err != nil {
			t.Fatal(err)
		}
		var all []*Result
		for _, c := range set.Cases {
			run := Run{Logged: 100, Calling: 100, Took: 200, Delivered: 100, CPU: time.Second}
			if c.Rival == "lock-file" {
				run.Calling = 1000
			}
			all = append(all, &Result{Case: c, Runs: []Run{run}})
		}
		return all
	}
	if err := Check(results()); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Run){
		"is delivered": func(r *Run) { r.Delivered = 99 }, "allocates": func(r *Run) { r.AllocsCall = 1 }, "time of a call": func(r *Run) { r.Calling = 10_000 },
		"CPU time": func(r *Run) { r.CPU = time.Minute }, "the sheet": func(r *Run) { r.Ended = "the sheet" },
	} {
		all := results()
		for _, r := range all {
			if rivals.IsOwn(r.Case.Rival) {
				change(&r.Runs[0])
			}
		}
		if err := Check(all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := Check(nil); err == nil {
		t.Error("no results at all are good")
	}
}
