package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/zapkafka/zapkafka/benchmark/rivals"
	"github.com/zapkafka/zapkafka/benchmark/trial"
)

// goal is a figure that is to be reached.
type goal struct {
	what      string
	must, aim float64
	more      bool // more is better
	show      func(float64) string
	measure   func(index) finding
}

// finding is what the results say of a goal.
type finding struct {
	value  float64
	behind string // the cases and their figures, or why there is no value
	ok     bool
}

func notMeasured(why ...string) finding { return finding{behind: strings.Join(why, ", ")} }

// index has results by the names of their cases.
type index map[string]*trial.Result

// with completes a case as its set does.
func with(c trial.Case, rival string) trial.Case {
	c.Rival = rival
	if c.Fault == "" {
		c.Fault = trial.Healthy
	}
	if c.Form == trial.Line && c.Size == 0 {
		c.Size = 200
	}
	c.Goroutines, c.Partitions = 10, 4
	return c
}

// figure is one of a case, and how people read it.
type figure struct {
	of   func(trial.Run) float64
	show func(float64) string
}

var (
	nsCall = figure{trial.Run.NsCall, func(v float64) string { return thousands(v) + " ns" }}
	speed  = figure{trial.Run.PerSecond, func(v float64) string { return thousands(v) + "/s" }}
	cpu    = figure{func(run trial.Run) float64 { return run.CPUPerMillion().Seconds() }, func(v float64) string { return fmt.Sprintf("%.2f s", v) }}
	p999   = figure{func(run trial.Run) float64 {
		if run.Latency == nil {
			return 0
		}
		return float64(run.Latency.P999)
	}, duration}
	allocations  = figure{func(run trial.Run) float64 { return run.AllocsCall }, func(v float64) string { return fmt.Sprintf("%.3f", v) }}
	live         = figure{func(run trial.Run) float64 { return float64(run.Live) }, mebibytesExactly}
	heldByTheLog = figure{func(run trial.Run) float64 { return float64(run.Live) - float64(run.LiveBefore) }, mebibytesExactly}
	resident     = figure{func(run trial.Run) float64 { return float64(run.PeakResident) }, mebibytesExactly}
)

// mebibytesExactly shows parts of one, too: the goals are as small.
func mebibytesExactly(v float64) string { return fmt.Sprintf("%.2f MiB", v/(1<<20)) }

func ratio(v float64) string {
	if v >= 100 {
		return thousands(v)
	}
	return fmt.Sprintf("%.3f", v)
}

// short is a limit as it was set.
func short(show func(float64) string, v float64) string {
	number, unit, _ := strings.Cut(show(v), " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return strings.TrimSpace(number + " " + unit)
}

// quoted is a case with its figure, and what is to be known of its runs.
func (f figure) quoted(r *trial.Result) string {
	text := "`" + r.Case.Name() + "` " + f.show(r.Median(f.of))
	if failed := slices.DeleteFunc(slices.Clone(r.Runs), func(run trial.Run) bool { return run.Ended == "" }); len(failed) > 0 {
		text += fmt.Sprintf(" (%d of %d runs did not end as they should: %s)", len(failed), len(r.Runs), remark(r))
	}
	return text
}

// find looks up cases of this sink's and others', and says which of them there are
// not. A figure of this sink's counts only if a run ended as it should: one that
// lost something or never came to an end has reached nothing.
func (x index) find(cases ...trial.Case) (found []*trial.Result, missing []string) {
	for _, c := range cases {
		r := x[c.Name()]
		switch {
		case r == nil || len(r.Runs) == 0:
			missing = append(missing, "there is no `"+c.Name()+"`")
		case rivals.IsOwn(c.Rival) && !slices.ContainsFunc(r.Runs, func(run trial.Run) bool { return run.Ended == "" }):
			missing = append(missing, "`"+c.Name()+"`: "+remark(r))
		default:
			found = append(found, r)
		}
	}
	return found, missing
}

// unlike says what two results do not have in common that a comparison needs.
func unlike(a, b *trial.Result) string {
	var not []string
	if a.Case.Entries != b.Case.Entries {
		not = append(not, fmt.Sprintf("%s and %s entries", thousands(float64(a.Case.Entries)), thousands(float64(b.Case.Entries))))
	}
	if a.Case.Duration != b.Case.Duration {
		not = append(not, fmt.Sprintf("%v and %v", a.Case.Duration, b.Case.Duration))
	}
	if a.Commit != b.Commit {
		not = append(not, fmt.Sprintf("commits %s and %s", a.Commit, b.Commit))
	}
	if a.Machine != b.Machine {
		not = append(not, "two machines")
	}
	if len(not) == 0 {
		return ""
	}
	return " (not alike: " + strings.Join(not, ", ") + ")"
}

// over is the ratio of the medians of a figure that two cases have.
func (f figure) over(one, other trial.Case) func(index) finding {
	return func(x index) finding {
		found, missing := x.find(one, other)
		if len(missing) > 0 {
			return notMeasured(missing...)
		}
		a, b := found[0], found[1]
		v, w := a.Median(f.of), b.Median(f.of)
		behind := f.quoted(a) + " / " + f.quoted(b) + unlike(a, b)
		if v <= 0 || w <= 0 {
			return notMeasured(behind)
		}
		return finding{v / w, behind, true}
	}
}

// overBest is that of a case and the best of all rivals in the same,
// franz-go by itself apart. One that came to no good end counts with what it
// delivered: it is not to the sink's advantage to leave it out.
func (f figure) overBest(one trial.Case) func(index) finding {
	return func(x index) finding {
		var best *trial.Result
		n := 0
		for _, name := range slices.Sorted(maps.Keys(x)) {
			r := x[name]
			c := one
			c.Rival = r.Case.Rival
			if c.Name() != name || rivals.IsOwn(c.Rival) || c.Rival == raw || len(r.Runs) == 0 {
				continue
			}
			n++
			if best == nil || r.Median(f.of) > best.Median(f.of) {
				best = r
			}
		}
		if best == nil {
			_, missing := x.find(one)
			return notMeasured(append(missing, "there is no other rival's")...)
		}
		found := f.over(one, best.Case)(x)
		found.behind += fmt.Sprintf(", the best of %d", n)
		return found
	}
}

// above is by how much the largest figure of some cases is above a bound.
func (f figure) above(bound float64, cases ...trial.Case) func(index) finding {
	return func(x index) finding {
		found, missing := x.find(cases...)
		if len(missing) > 0 {
			return notMeasured(missing...)
		}
		most, behind := math.Inf(-1), []string{}
		for _, r := range found {
			most = max(most, r.Median(f.of)-bound)
			behind = append(behind, f.quoted(r)+unlike(found[0], r))
		}
		return finding{most, fmt.Sprintf("the most of %s, above %s", strings.Join(behind, ", "), short(mebibytesExactly, bound)), true}
	}
}

// by is the figure of a case.
func (f figure) by(c trial.Case) func(index) finding {
	return func(x index) finding {
		found, missing := x.find(c)
		if len(missing) > 0 {
			return notMeasured(missing...)
		}
		return finding{found[0].Median(f.of), f.quoted(found[0]), true}
	}
}

// less is the difference of a figure that two cases have.
func (f figure) less(one, other trial.Case) func(index) finding {
	return func(x index) finding {
		found, missing := x.find(one, other)
		if len(missing) > 0 {
			return notMeasured(missing...)
		}
		a, b := found[0], found[1]
		return finding{a.Median(f.of) - b.Median(f.of), f.quoted(a) + " - " + f.quoted(b) + unlike(a, b), true}
	}
}

const (
	sink  = "zapkafka-franz"
	alone = "zapkafka-alone-fast-replay"
	raw   = "franz-raw"
)

// theGoals are what the comparison is held to.
func theGoals() []goal {
	write := trial.Case{Kind: trial.Flood, Broker: trial.None, Form: trial.Line}
	capacity := trial.Case{Kind: trial.Capacity, Broker: trial.Discard, Form: trial.Line}
	zap5 := trial.Case{Kind: trial.Flood, Broker: trial.Kafka, Form: trial.Zap5}
	steady := trial.Case{Kind: trial.Steady, Broker: trial.Kafka, Form: trial.Zap5, Rate: trial.DefaultRate}
	stopped := steady
	stopped.Fault = trial.Stopped
	idle := trial.Case{Kind: trial.Idle, Broker: trial.Kafka, Form: trial.Zap5}
	file := zap5
	file.Broker = trial.None

	goals := []goal{
		{"time of a `Write` of 200 bytes, beside BufferedWriteSyncer to a file", 1, 0.5, false, ratio,
			nsCall.over(with(write, alone), with(write, "buffered-file"))},
		{"how many times faster a `Write` is than `zapcore.Lock(file)`", 8, 20, true, ratio,
			nsCall.over(with(write, "lock-file"), with(write, alone))},
		{"allocations of a `Write`, with all that goes on beside: up to 0.005 are 0", 0, 0, false, allocations.show, allocations.by(with(write, alone))},
	}
	for _, client := range []struct {
		name, own, raw string
		must, aim      float64
	}{
		{"franz-go", sink, raw, 0.9, 1},
		{"kafka-go", "zapkafka-kafkago", "kafkago-async", 1.2, 1.5},
		{"sarama (IBM)", "zapkafka-ibmsarama", "sarama-input", 1, 1.1},
		{"sarama (Shopify)", "zapkafka-shopifysarama", "shopify-input", 1, 1.1},
		{"confluent", "zapkafka-confluent", "confluent", 1, 1.2},
	} {
		goals = append(goals, goal{"delivered entries/s, capacity, beside the raw client: " + client.name, client.must, client.aim, true, ratio,
			speed.over(with(capacity, client.own), with(capacity, client.raw))})
	}
	var full []trial.Case
	for _, size := range []int{50, 200, 1000} {
		full = append(full, with(trial.Case{Kind: trial.Bound, Broker: trial.Kafka, Fault: trial.Stopped, Form: trial.Line, Size: size}, sink))
	}
	const mib = 1 << 20
	return append(goals,
		goal{"delivered entries/s on Kafka, beside the best rival but `franz-raw`", 1, 1.5, true, ratio, speed.overBest(with(zap5, sink))},
		goal{"CPU for a million entries on Kafka, beside `franz-raw`", 0.8, 0.65, false, ratio, cpu.over(with(zap5, sink), with(zap5, raw))},
		goal{"CPU for a million entries on Kafka, beside `zapcore.Lock(file)`", 0.6, 0.45, false, ratio, cpu.over(with(zap5, sink), with(file, "lock-file"))},
		goal{"delivered entries/s on Kafka, beside `franz-raw`", 1.1, 1.5, true, ratio, speed.over(with(zap5, sink), with(zap5, raw))},
		goal{"CPU for a million entries on Kafka, beside `logback`", 1.0 / 3, 1.0 / 4, false, ratio, cpu.over(with(zap5, sink), with(zap5, "logback"))},
		goal{"delivered entries/s on Kafka, beside `logback`", 3, 4, true, ratio, speed.over(with(zap5, sink), with(zap5, "logback"))},
		goal{"p99.9 of a call at 50,000 entries/s, the broker stopped, beside the same on a healthy one", 2, 1, false, ratio,
			p999.over(with(stopped, sink), with(steady, sink))},
		goal{"held above the bound, heap and all else, the broker stopped, full speed", 4 * mib, mib, false, mebibytesExactly, heldByTheLog.above(bound, full...)},
		goal{"resident above the bound, the same", 48 * mib, 16 * mib, false, mebibytesExactly, resident.above(bound, full...)},
		goal{"idle: live heap without the client's own", 2 * mib, mib / 2, false, mebibytesExactly, live.less(with(idle, sink), with(idle, raw))},
	)
}

// beside is how much of a figure whose goal is 0 may be of what goes on beside.
const beside = 0.005

// verdict says whether a value reaches a goal.
func (g goal) verdict(value float64) string {
	reaches := func(limit float64) bool {
		switch {
		case g.more:
			return value >= limit
		case limit == 0:
			return value <= beside
		}
		return value <= limit
	}
	switch {
	case reaches(g.aim):
		return "aim reached"
	case reaches(g.must):
		return "reached"
	}
	if g.must == 0 {
		return "missed by " + g.show(value)
	}
	const least = 0.1 // of what is shown
	by := math.Abs(value-g.must) / g.must * 100
	if by < least {
		return fmt.Sprintf("missed by less than %v %%", least)
	}
	return fmt.Sprintf("missed by %.1f %%", by)
}

// goals has a row for each goal, measured or not.
func goals(results []*trial.Result) string {
	if len(results) == 0 {
		return none
	}
	x := make(index, len(results))
	for _, r := range results {
		x[r.Case.Name()] = r
	}
	var rows [][]string
	for _, g := range theGoals() {
		side := "at most "
		if g.more {
			side = "at least "
		}
		measured, verdict := "not measured", ""
		found := g.measure(x)
		if found.ok {
			measured, verdict = g.show(found.value), g.verdict(found.value)
		}
		rows = append(rows, []string{g.what, measured, side + short(g.show, g.must), side + short(g.show, g.aim), verdict, found.behind})
	}
	return table([]string{"what", "measured", "must", "aim", "goal", "behind it"}, rows)
}
