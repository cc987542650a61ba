package chaos

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zapkafka/zapkafka/integration/adaptors"
	"github.com/zapkafka/zapkafka/integration/harness"
)

// scenario is something that happens to a program which logs.
type scenario struct {
	name string
	run  func(*trial)
	// brokers is how many the Kafka has: 1 or 3.
	brokers int
	// everybody: in the short form, too, it is run with every client.
	everybody bool
	// measured: what calls take and what memory is held are checked, so the
	// program has no race detector.
	measured bool
	// cannot says why clients cannot run it.
	cannot map[string]string
}

// scenarios are all there are, in the order of the table.
var scenarios = []scenario{
	{name: "killed", run: killed, brokers: 1, everybody: true},
	{name: "frozen", run: frozen, brokers: 1, everybody: true},
	{name: "down-at-start", run: downAtStart, brokers: 1, everybody: true},
	{name: "rolling", run: rolling, brokers: 3},
	{name: "sick-partition", run: sickPartition, brokers: 3},
	{name: "recreated", run: recreated, brokers: 1},
	{name: "batch-limit", run: batchLimit, brokers: 1},
	{name: "too-large", run: tooLarge, brokers: 1},
	{name: "disk-full", run: diskFull, brokers: 1},
	{name: "disk-stalled", run: diskStalled, brokers: 1},
	{name: "three-processes", run: threeProcesses, brokers: 1},
	{name: "killed-replaying", run: killedReplaying, brokers: 1},
	{name: "refuse", run: refuse, brokers: 3},
	{name: "mute", run: mute, brokers: 3},
	{name: "stall", run: stall, brokers: 3},
	{name: "cut", run: cut, brokers: 3},
	{name: "slow", run: slow, brokers: 3},
	{name: "latency", run: latency, brokers: 3},
	{name: "outage60", run: outage60, brokers: 1, measured: true},
	{name: "call-times", run: callTimes, brokers: 1, measured: true},
	{name: "soak", run: soak, brokers: 1, measured: true},
}

// lane is a Kafka and the scenarios that are run on it one after the other.
type lane struct {
	name    string
	port    int // above the first
	brokers int
	clients func(name string) bool
}

// lanes are the Kafkas: in the short form the first is beside the others.
func lanes() [][]lane {
	everyone := func(string) bool { return true }
	if !*short {
		return [][]lane{{{"one", 0, 1, everyone}, {"three", 100, 3, everyone}}}
	}
	franz := func(name string) bool { return name == "franz" }
	others := func(name string) bool { return !franz(name) }
	return [][]lane{{{"one", 0, 1, franz}}, {{"three", 100, 3, everyone}, {"others", 20, 1, others}}}
}

// TestChaos runs the scenarios: one after the other, or two at a time in the
// short form. Figures need a machine to themselves.
func TestChaos(t *testing.T) {
	if os.Getenv("KAFKA_SCRIPT") == "" {
		t.Skip("KAFKA_SCRIPT is not set: the chaos scenarios start Kafkas of their own with scripts/kafka.sh; `make chaos` and `make chaos-short` run them")
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		t.Fatalf("-chaos.scenario: %v", err)
	}
	plain := programs.build(t, false)
	raced := plain
	if *short && os.Getenv("CHAOS_RACE") != "" {
		raced = programs.build(t, true)
	}
	for i, beside := range lanes() {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			if *short {
				t.Parallel()
			}
			for _, l := range beside {
				t.Run(l.name, func(t *testing.T) { l.run(t, wanted, plain, raced) })
			}
		})
	}
}

// run runs all that is wanted of the lane.
func (l lane) run(t *testing.T, wanted *regexp.Regexp, plain, raced string) {
	var k *harness.Kafka // started when it is needed
	for _, s := range scenarios {
		if s.brokers != l.brokers || !wanted.MatchString(s.name) {
			continue
		}
		for _, client := range clientsFor(t, s) {
			if !l.clients(client.Name) {
				continue
			}
			if k == nil {
				k = harness.Own(t, fmt.Sprintf("KAFKA_PORT=%d", *port+l.port), fmt.Sprintf("KAFKA_NODES=%d", l.brokers), "KAFKA_PROXIED=yes")
			}
			program := raced
			if s.measured || client.Races != "" {
				program = plain
			}
			t.Run(s.name+"/"+client.Name, func(t *testing.T) { try(t, s, client, k, program) })
		}
	}
}

// clientsFor are the clients that a scenario is run with.
func clientsFor(t *testing.T, s scenario) []adaptors.Adaptor {
	t.Helper()
	all := adaptors.All()
	names := strings.FieldsFunc(*clients, func(c rune) bool { return c == ',' })
	for _, name := range names {
		if !slices.ContainsFunc(all, func(a adaptors.Adaptor) bool { return a.Name == name }) {
			t.Fatalf("-chaos.clients: this build has no %s", name)
		}
	}
	if len(names) == 0 && *short && !s.everybody {
		names = []string{"franz"}
	}
	return slices.DeleteFunc(all, func(a adaptors.Adaptor) bool {
		if len(names) > 0 && !slices.Contains(names, a.Name) {
			return true
		}
		if why := s.cannot[a.Name]; why != "" {
			t.Logf("%s is not run with %s: %s", s.name, a.Name, why)
			return true
		}
		return false
	})
}

// try runs a scenario with a client.
func try(t *testing.T, s scenario, client adaptors.Adaptor, k *harness.Kafka, program string) {
	x := newTrial(t, s, client, k, program)
	defer x.end()
	k.Start(t)
	s.run(x)
}
