package report

import (
	"strings"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/load"
	"github.com/zapkafka/zapkafka/benchmark/rivals"
	"github.com/zapkafka/zapkafka/benchmark/trial"
)

// reaching are made-up results of every case of the goals, in which each figure of
// the sink's is just what must be reached, or better.
func reaching() map[string]*trial.Result {
	all := make(map[string]*trial.Result)
	add := func(c trial.Case, rival string, runs ...trial.Run) {
		c = with(c, rival)
		all[c.Name()] = &trial.Result{Case: c, Commit: "abc1234", Runs: runs}
	}
	write := trial.Case{Kind: trial.Flood, Broker: trial.None, Form: trial.Line, Entries: 1000}
	for rival, ns := range map[string]time.Duration{alone: 100, "buffered-file": 150, "lock-file": 2500} {
		add(write, rival, trial.Run{Logged: 1000, Calling: ns * 1000, AllocsCall: 0.004})
	}
	// delivers has three runs, of which the median is what is asked for.
	delivers := func(perSecond int64, cpu float64) []trial.Run {
		run := func(n int64) trial.Run {
			return trial.Run{Logged: 1e8, Delivered: n, Took: time.Second, CPU: time.Duration(100 * cpu * float64(time.Second))}
		}
		return []trial.Run{run(1), run(perSecond), run(10 * perSecond)}
	}
	capacity := trial.Case{Kind: trial.Capacity, Broker: trial.Discard, Form: trial.Line, Entries: 1000}
	for _, client := range [][2]string{{sink, raw}, {"zapkafka-kafkago", "kafkago-async"}, {"zapkafka-ibmsarama", "sarama-input"},
		{"zapkafka-shopifysarama", "shopify-input"}, {"zapkafka-confluent", "confluent"}} {
		add(capacity, client[0], delivers(1_200_000, 1)...)
		add(capacity, client[1], delivers(1_000_000, 1)...)
	}
	zap5 := trial.Case{Kind: trial.Flood, Broker: trial.Kafka, Form: trial.Zap5, Entries: 1000}
	add(zap5, sink, delivers(900_000, 1)...)
	add(zap5, raw, delivers(750_000, 2)...)
	add(zap5, "sarama-input", delivers(500_000, 2)...)
	add(zap5, "kafkago-async", delivers(600_000, 2)...)
	add(zap5, "logback", delivers(300_000, 4)...)
	add(zap5, "zapkafka-kafkago", delivers(2_000_000, 4)...) // which is no other rival
	zap5.Broker = trial.None
	add(zap5, "lock-file", delivers(0, 2)...)
	steady := trial.Case{Kind: trial.Steady, Broker: trial.Kafka, Form: trial.Zap5, Rate: trial.DefaultRate, Duration: time.Second}
	add(steady, sink, trial.Run{Latency: &load.Latency{P999: 20 * time.Microsecond}})
	steady.Fault = trial.Stopped
	add(steady, sink, trial.Run{Latency: &load.Latency{P999: 30 * time.Microsecond}})
	for size, above := range map[int]uint64{50: 2, 200: 3, 1000: 0} {
		full := trial.Case{Kind: trial.Bound, Broker: trial.Kafka, Fault: trial.Stopped, Form: trial.Line, Size: size}
		add(full, sink, trial.Run{Live: bound + (above+1)<<20, LiveBefore: 1 << 20, PeakResident: bound + 10*above<<20})
	}
	idle := trial.Case{Kind: trial.Idle, Broker: trial.Kafka, Form: trial.Zap5}
	add(idle, sink, trial.Run{Live: 1792 << 10})
	add(idle, raw, trial.Run{Live: 1 << 20})
	return all
}

// goalsOf is the table of some results, a line a goal.
func goalsOf(all map[string]*trial.Result) []string {
	var results []*trial.Result
	for _, r := range all {
		results = append(results, r)
	}
	return strings.Split(strings.TrimSpace(goals(results)), "\n")[2:]
}

// lineWith finds the one line that has a text, so that a test says which goal it
// means.
func lineWith(t *testing.T, lines []string, text string) string {
	t.Helper()
	found := ""
	for _, line := range lines {
		if strings.HasPrefix(line, "| "+text) {
			if found != "" {
				t.Fatalf("two lines begin with %q", text)
			}
			found = line
		}
	}
	if found == "" {
		t.Fatalf("no line begins with %q:\n%s", text, strings.Join(lines, "\n"))
	}
	return found
}

// expect checks that the line which begins with a key has its value.
func expect(t *testing.T, lines []string, wanted map[string]string) {
	t.Helper()
	for begin, want := range wanted {
		if line := lineWith(t, lines, begin); !strings.Contains(line, want) {
			t.Errorf("%s\nwant %s", line, want)
		}
	}
}

// Each goal has its ratio, its limits, and what is behind it.
func TestGoals(t *testing.T) {
	lines := goalsOf(reaching())
	if len(lines) != 18 {
		t.Errorf("%d goals, want 18:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	expect(t, lines, map[string]string{
		"time of a `Write`": "| 0.667 | at most 1 | at most 0.5 | reached | `flood.none.line.g10.zapkafka-alone-fast-replay` 100 ns / " +
			"`flood.none.line.g10.buffered-file` 150 ns |",
		"allocations of a `Write`": "| 0.004 | at most 0 | at most 0 | aim reached | `flood.none.line.g10.zapkafka-alone-fast-replay` 0.004 |",
		"how many times":           "| 25.000 | at least 8 | at least 20 | aim reached |",
		"delivered entries/s, capacity, beside the raw client: franz-go": "| 1.200 | at least 0.9 | at least 1 | aim reached | " +
			"`capacity.discard.line.g10.zapkafka-franz` 1,200,000/s / `capacity.discard.line.g10.franz-raw` 1,000,000/s |",
		"delivered entries/s, capacity, beside the raw client: kafka-go":         "| 1.200 | at least 1.2 | at least 1.5 | reached | ",
		"delivered entries/s, capacity, beside the raw client: sarama (IBM)":     "| 1.200 | at least 1 | at least 1.1 | aim reached | ",
		"delivered entries/s, capacity, beside the raw client: sarama (Shopify)": "| 1.200 | at least 1 | at least 1.1 | aim reached | ",
		"delivered entries/s, capacity, beside the raw client: confluent":        "| 1.200 | at least 1 | at least 1.2 | aim reached | ",
		"delivered entries/s on Kafka, beside the best": "| 1.500 | at least 1 | at least 1.5 | aim reached | `flood.kafka.zap5.g10.zapkafka-franz` 900,000/s / " +
			"`flood.kafka.zap5.g10.kafkago-async` 600,000/s, the best of 3 |",
		"CPU for a million entries on Kafka, beside `franz-raw`":   "| 0.500 | at most 0.8 | at most 0.65 | aim reached |",
		"CPU for a million entries on Kafka, beside `zapcore.Lock": "| 0.500 | at most 0.6 | at most 0.45 | reached | `flood.kafka.zap5.g10.zapkafka-franz` 1.00 s / `flood.none.zap5.g10.lock-file` 2.00 s |",
		"delivered entries/s on Kafka, beside `franz-raw`":         "| 1.200 | at least 1.1 | at least 1.5 | reached |",
		"CPU for a million entries on Kafka, beside `logback`":     "| 0.250 | at most 0.333 | at most 0.25 | aim reached |",
		"delivered entries/s on Kafka, beside `logback`":           "| 3.000 | at least 3 | at least 4 | reached |",
		"p99.9 of a call": "| 1.500 | at most 2 | at most 1 | reached | `steady.kafka.stopped.zap5.g10.zapkafka-franz` 30 µs / `steady.kafka.zap5.g10.zapkafka-franz` 20 µs |",
		"held above": "| 3.00 MiB | at most 4 MiB | at most 1 MiB | reached | the most of `bound.kafka.stopped.line.50b.g10.zapkafka-franz` 66.00 MiB, " +
			"`bound.kafka.stopped.line.g10.zapkafka-franz` 67.00 MiB, `bound.kafka.stopped.line.1000b.g10.zapkafka-franz` 64.00 MiB, above 64 MiB |",
		"resident above": "| 30.00 MiB | at most 48 MiB | at most 16 MiB | reached |",
		"idle: live":     "| 0.75 MiB | at most 2 MiB | at most 0.5 MiB | reached | `idle.kafka.zap5.g10.zapkafka-franz` 1.75 MiB - `idle.kafka.zap5.g10.franz-raw` 1.00 MiB |",
	})
}

// A goal that is missed says so, and by how much, whichever side is the good one.
func TestGoalsMissed(t *testing.T) {
	all := reaching()
	all["flood.kafka.zap5.g10.zapkafka-franz"].Runs = []trial.Run{{Logged: 1e6, Delivered: 450_000, Took: time.Second, CPU: 2 * time.Second}}
	all["bound.kafka.stopped.line.1000b.g10.zapkafka-franz"].Runs[0].Live = bound + 6<<20
	all["capacity.discard.line.g10.confluent"].Runs = []trial.Run{{Logged: 2e6, Delivered: 1_200_100, Took: time.Second}}
	all["flood.none.line.g10.zapkafka-alone-fast-replay"].Runs[0].AllocsCall = 0.0058
	lines := goalsOf(all)
	expect(t, lines, map[string]string{
		"allocations of a `Write`":                               "| 0.006 | at most 0 | at most 0 | missed by 0.006 |",
		"delivered entries/s on Kafka, beside the best":          "| 0.750 | at least 1 | at least 1.5 | missed by 25.0 % |",
		"CPU for a million entries on Kafka, beside `franz-raw`": "| 1.000 | at most 0.8 | at most 0.65 | missed by 25.0 % |",
		"held above": "| 5.00 MiB | at most 4 MiB | at most 1 MiB | missed by 25.0 % |",
		"delivered entries/s, capacity, beside the raw client: confluent": "| 1.000 | at least 1 | at least 1.2 | missed by less than 0.1 % |",
	})
}

// What stays below a bound is shown so, and results that are not alike say in what.
func TestGoalsBelow(t *testing.T) {
	all := reaching()
	for name, r := range all {
		if strings.HasPrefix(name, "bound.") {
			r.Runs[0].Live = bound - 2<<20
		}
	}
	all["bound.kafka.stopped.line.1000b.g10.zapkafka-franz"].Commit = "def5678"
	lines := goalsOf(all)
	expect(t, lines, map[string]string{"held above": "| -3.00 MiB | at most 4 MiB | at most 1 MiB | aim reached |"})
	expect(t, lines, map[string]string{"held above": "`bound.kafka.stopped.line.1000b.g10.zapkafka-franz` 61.00 MiB (not alike: commits abc1234 and def5678), above"})
}

// What there are no results of is not measured, and the line says which; so it is
// with a case of the sink's that came to no good end. Results that are not alike say
// in what.
func TestGoalsNotMeasured(t *testing.T) {
	all := reaching()
	delete(all, "bound.kafka.stopped.line.g10.zapkafka-franz")
	delete(all, "flood.kafka.zap5.g10.logback")
	all["idle.kafka.zap5.g10.zapkafka-franz"].Runs[0].Ended = "the balance sheet: 1 of 2"
	all["steady.kafka.zap5.g10.zapkafka-franz"].Runs[0].Latency = nil
	all["capacity.discard.line.g10.confluent"].Runs[0].Ended = "closing: too late"
	all["capacity.discard.line.g10.kafkago-async"].Case.Entries = 500
	all["capacity.discard.line.g10.kafkago-async"].Commit = "def5678"
	lines := goalsOf(all)
	expect(t, lines, map[string]string{
		"held above":     "| not measured | at most 4 MiB | at most 1 MiB |  | there is no `bound.kafka.stopped.line.g10.zapkafka-franz` |",
		"resident above": "| not measured |",
		"CPU for a million entries on Kafka, beside `logback`": "| not measured | at most 0.333 | at most 0.25 |  | there is no `flood.kafka.zap5.g10.logback` |",
		"delivered entries/s on Kafka, beside the best":        "the best of 2 |",
		"idle: live":      "| not measured | at most 2 MiB | at most 0.5 MiB |  | `idle.kafka.zap5.g10.zapkafka-franz`: the balance sheet: 1 of 2 |",
		"p99.9 of a call": "| not measured |",
		"delivered entries/s, capacity, beside the raw client: confluent": "(1 of 3 runs did not end as they should: closing: too late)",
		"delivered entries/s, capacity, beside the raw client: kafka-go":  "(not alike: 1,000 and 500 entries, commits abc1234 and def5678)",
	})
	only := map[string]*trial.Result{}
	const name = "flood.kafka.zap5.g10.zapkafka-franz"
	only[name] = all[name]
	for _, line := range goalsOf(only) {
		if !strings.Contains(line, "| not measured |") {
			t.Errorf("%s: want that it was not measured", line)
		}
	}
}

// The cases that the goals name are cases of the sets that the results come from.
func TestGoalsAreMeasured(t *testing.T) {
	measured := make(map[string]bool)
	for _, name := range []string{"calls", "faults", "memory"} {
		set, err := trial.Choose(name, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range set.Cases {
			measured[c.Name()] = true
		}
	}
	for name, r := range reaching() {
		if _, known := rivals.Find(r.Case.Rival); known && !measured[name] {
			t.Errorf("no set has the case %s", name)
		}
	}
}
