package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/load"
	"github.com/zapkafka/zapkafka/benchmark/rivals"
	"github.com/zapkafka/zapkafka/benchmark/trial"
)

// order is that of the rivals in every table.
func order(name string) int {
	i := slices.IndexFunc(rivals.All(), func(r rivals.Rival) bool { return r.Name == name })
	if i < 0 {
		return 1 << 20 // of another build
	}
	return i
}

func byRival(results []*trial.Result) []*trial.Result {
	results = slices.Clone(results)
	slices.SortStableFunc(results, func(a, b *trial.Result) int {
		return cmp.Or(cmp.Compare(order(a.Case.Rival), order(b.Case.Rival)), strings.Compare(a.Case.Name(), b.Case.Name()))
	})
	return results
}

// Figures as people read them.

func thousands(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func duration(ns float64) string {
	d := time.Duration(ns)
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d >= 10*time.Microsecond:
		return fmt.Sprintf("%.0f µs", d.Seconds()*1e6)
	case d >= time.Microsecond:
		return fmt.Sprintf("%.1f µs", d.Seconds()*1e6)
	}
	return fmt.Sprintf("%d ns", d.Nanoseconds())
}

func mebibytes(v float64) string { return fmt.Sprintf("%.0f MiB", v/(1<<20)) }

// share is the delivered part; nothing where there is no Kafka.
func share(r *trial.Result) string {
	if r.Case.Broker == trial.None {
		return ""
	}
	v := r.Median(trial.Run.Share)
	switch {
	case v > 1.00005:
		return fmt.Sprintf("1 + %.4f twice", v-1)
	case v == 1:
		return "1"
	case v > 0.9999:
		return "over 0.9999"
	}
	return fmt.Sprintf("%.4f", v)
}

// remark says what did not come to an end, of the first run that has something.
func remark(r *trial.Result) string {
	for _, run := range r.Runs {
		if run.Ended != "" {
			line, _, _ := strings.Cut(run.Ended, "\n")
			return strings.ReplaceAll(line, "|", "/")
		}
	}
	return ""
}

// logged says whether anything was: what logged nothing has no figures.
func logged(r *trial.Result) bool {
	return r.Median(func(run trial.Run) float64 { return float64(run.Logged) }) > 0
}

// latency is the median of what calls took, of the runs that ended as they should or
// of all if none did; it is "" where none was timed.
func latency(r *trial.Result, of func(load.Latency) time.Duration) string {
	if v, ok := latencyOf(r, of); ok {
		return duration(v)
	}
	return ""
}

func latencyOf(r *trial.Result, of func(load.Latency) time.Duration) (float64, bool) {
	timed := &trial.Result{Runs: slices.DeleteFunc(slices.Clone(r.Runs), func(run trial.Run) bool { return run.Latency == nil })}
	return timed.Median(func(run trial.Run) float64 { return float64(of(*run.Latency)) }), len(timed.Runs) > 0
}

func longestCall(l load.Latency) time.Duration   { return l.Max }
func correctedP999(l load.Latency) time.Duration { return l.Corrected.P999 }

// figures are those of figureNames.
func figures(r *trial.Result) []string {
	if !logged(r) {
		return append(make([]string, len(figureNames)-1), remark(r))
	}
	allocs, bytes := fmt.Sprintf("%.1f", r.Median(allocations.of)),
		thousands(r.Median(func(run trial.Run) float64 { return run.BytesCall }))
	if rival, _ := rivals.Find(r.Case.Rival); rival.External != "" {
		allocs, bytes = "", "" // nobody counts them there
	}
	return []string{
		thousands(r.Median(trial.Run.NsCall)), allocs, bytes,
		thousands(r.Median(trial.Run.PerSecond)), share(r), fmt.Sprintf("%.2f", r.Median(cpu.of)),
		mebibytes(r.Median(resident.of)), remark(r),
	}
}

var figureNames = []string{"ns a call", "allocations", "bytes", "entries/s to the last acknowledgement", "delivered share", "CPU s a million",
	"peak resident", "remark"}

// isClassic says whether a case is one of the field's best-known comparison.
func isClassic(c trial.Case) bool {
	return c.Kind == trial.Flood && c.Form == trial.Line && c.Size == trial.ClassicSize
}

// isCall says whether a case is one of the log call at full speed, others alike.
func isCall(c trial.Case) bool {
	return c.Kind == trial.Flood && !isClassic(c) && (c.Form != trial.Line || c.Size == 200) && c.Partitions == 4 && c.Procs == 0
}

// calls has a table for each broker, form and number of goroutines. Rivals without
// Kafka are in those of every broker.
func calls(results []*trial.Result) string {
	var b strings.Builder
	for _, broker := range []string{trial.Kafka, trial.Discard} {
		for _, form := range []string{trial.Zap5, trial.ZapCaller, trial.Line} {
			for _, g := range []int{1, 10, 100} {
				found := where(results, func(c trial.Case) bool {
					return isCall(c) && c.Form == form && c.Goroutines == g && (c.Broker == broker || c.Broker == trial.None)
				})
				if !slices.ContainsFunc(found, func(r *trial.Result) bool { return r.Case.Broker == broker }) {
					continue
				}
				var rows [][]string
				for _, r := range byRival(found) {
					rows = append(rows, append([]string{"`" + r.Case.Rival + "`"}, figures(r)...))
				}
				fmt.Fprintf(&b, "%s, %s, %d goroutines (%s):\n\n%s\n", brokerName(broker), formName(form), g, extent(found),
					table(append([]string{""}, figureNames...), rows))
			}
		}
	}
	b.WriteString(capacity(results))
	return cmp.Or(b.String(), none)
}

// capacity is how much each rival delivers if nobody logs more than it can. The time
// of a call is not in it: most of that is waiting.
func capacity(results []*trial.Result) string {
	found := byRival(where(results, func(c trial.Case) bool { return c.Kind == trial.Capacity }))
	if len(found) == 0 {
		return ""
	}
	var rows [][]string
	for _, r := range found {
		filed := ""
		if logged(r) {
			filed = thousands(r.Median(func(run trial.Run) float64 { return float64(run.Count.Filed) }))
		}
		rows = append(rows, slices.Concat([]string{"`" + r.Case.Rival + "`"}, figures(r)[3:7], []string{filed, remark(r)}))
	}
	return fmt.Sprintf("Capacity: a broker that discards, %s, 10 goroutines that wait (%s):\n\n%s\n", formName(trial.Line), extent(found),
		table(slices.Concat([]string{""}, figureNames[3:7], []string{"to the fallback", "remark"}), rows))
}

// extent says how much the results are made of.
func extent(results []*trial.Result) string {
	least, most, fewest, many := 1<<62, 0, 1<<62, 0
	for _, r := range results {
		least, most = min(least, r.Case.Entries), max(most, r.Case.Entries)
		fewest, many = min(fewest, len(r.Runs)), max(many, len(r.Runs))
	}
	span := func(from, to int) string {
		if from == to {
			return thousands(float64(to))
		}
		return thousands(float64(from)) + " to " + thousands(float64(to))
	}
	return fmt.Sprintf("entries: %s, runs: %s", span(least, most), span(fewest, many))
}

func brokerName(broker string) string {
	if broker == trial.Kafka {
		return "Apache Kafka"
	}
	return "A broker that discards"
}

func formName(form string) string {
	switch form {
	case trial.Zap5:
		return "zap with five fields"
	case trial.ZapCaller:
		return "zap with five fields and the caller"
	}
	return "an encoded line of 200 bytes"
}

// thePublished are the figures of the field's best-known comparison, on its machine
// of four cores: ns a call, sequential and in parallel, and allocations.
// Source: see rivals/published.go.
var thePublished = map[string][3]string{
	"published-sarama": {"2,267", "1,913", "1"}, "published-shopify": {"2,267", "1,913", "1"},
	"published-kafkago": {"1,208", "703", "5"}, "published-confluent": {"3,154", "1,863", "10"},
}

func classic(results []*trial.Result) string {
	var b strings.Builder
	for _, broker := range []string{trial.Kafka, trial.Discard} {
		found := where(results, func(c trial.Case) bool { return isClassic(c) && c.Broker == broker })
		if len(found) == 0 {
			continue
		}
		var rows [][]string
		for _, r := range byRival(found) {
			own := []string{"", "", ""}
			if p, ok := thePublished[r.Case.Rival]; ok {
				own = []string{p[0], p[1], p[2]}
			}
			form := "one after another"
			if r.Case.Goroutines > 1 {
				form = fmt.Sprintf("%d in parallel", r.Case.Goroutines)
			}
			rows = append(rows, slices.Concat([]string{"`" + r.Case.Rival + "`", form}, own, figures(r)))
		}
		header := slices.Concat([]string{"", "calls", "published: ns, sequential", "parallel", "allocations"}, figureNames)
		fmt.Fprintf(&b, "%s (%s):\n\n%s\n", brokerName(broker), extent(found), table(header, rows))
	}
	return cmp.Or(b.String(), none)
}

func faults(results []*trial.Result) string {
	var b strings.Builder
	for _, fault := range []struct {
		name, title string
		rate        int
	}{
		{trial.Healthy, "The broker is well", trial.DefaultRate},
		{trial.Stopped, "The broker is stopped (SIGSTOP) for all of the load, and goes on after it", trial.DefaultRate},
		{trial.SlowDisk, "The same, and files take 4 MiB a second", trial.DefaultRate},
		{trial.Refused, "Nobody listens, from before the start", trial.DefaultRate},
		{trial.Mute, "Connections are accepted and nothing is answered, from before the start", trial.DefaultRate},
		{trial.Healthy, "As fast as it goes, the broker is well", trial.FullSpeed},
		{trial.Stopped, "As fast as it goes, the broker is stopped", trial.FullSpeed},
	} {
		var rows [][]string
		var shortest, longest time.Duration
		for _, r := range byRival(where(results, func(c trial.Case) bool {
			return c.Kind == trial.Steady && c.Fault == fault.name && c.Rate == fault.rate
		})) {
			if len(r.Runs) == 0 {
				continue
			}
			of := func(figure func(trial.Run) float64) string { return thousands(r.Median(figure)) }
			longest = max(longest, r.Case.Duration)
			if shortest == 0 || r.Case.Duration < shortest {
				shortest = r.Case.Duration
			}
			row := []string{"`" + r.Case.Rival + "`"}
			for _, quantile := range []func(load.Latency) time.Duration{
				func(l load.Latency) time.Duration { return l.P50 }, func(l load.Latency) time.Duration { return l.P99 },
				func(l load.Latency) time.Duration { return l.P999 }, func(l load.Latency) time.Duration { return l.P9999 },
				longestCall, func(l load.Latency) time.Duration { return l.Corrected.P50 }, correctedP999,
			} {
				row = append(row, latency(r, quantile))
			}
			stuck := ""
			if v, ok := latencyOf(r, func(l load.Latency) time.Duration { return time.Duration(l.Stuck) }); ok {
				stuck = thousands(v)
			}
			row = append(row, stuck, of(func(run trial.Run) float64 { return float64(run.Logged) }), share(r),
				of(func(run trial.Run) float64 {
					return float64(run.Count.Filed - min(run.Count.Filed, run.Count.Replayed))
				}),
				of(func(run trial.Run) float64 { return float64(run.Count.Failed + run.Count.Refused) }),
				mebibytes(r.Median(resident.of)),
				duration(r.Median(func(run trial.Run) float64 { return float64(run.Close) })), remark(r))
			rows = append(rows, row)
		}
		if len(rows) > 0 {
			long := shortest.String()
			if longest != shortest {
				long += " to " + longest.String()
			}
			fmt.Fprintf(&b, "%s; %s:\n\n%s\n", fault.title, long, table([]string{"", "p50", "p99", "p99.9", "p99.99", "longest", "p50 corrected",
				"p99.9 corrected", "calls stuck", "calls", "delivered share", "on file", "given up", "peak resident", "Close", "remark"}, rows))
		}
	}
	return cmp.Or(b.String(), none)
}

func growth(results []*trial.Result) string {
	var b strings.Builder
	base := func(c trial.Case) bool {
		return c.Kind == trial.Flood && c.Form == trial.Line && !isClassic(c) && c.Broker != trial.Kafka
	}
	for _, direction := range []struct {
		name  string
		value func(trial.Case) int
	}{
		{"bytes an entry", func(c trial.Case) int { return c.Size }},
		{"goroutines", func(c trial.Case) int { return c.Goroutines }},
		{"partitions", func(c trial.Case) int { return c.Partitions }},
		{"GOMAXPROCS", func(c trial.Case) int { return c.Procs }},
	} {
		found := where(results, func(c trial.Case) bool {
			d := trial.Case{Size: 200, Goroutines: 10, Partitions: 4}
			others := 0
			for _, pair := range [][2]int{{c.Size, d.Size}, {c.Goroutines, d.Goroutines}, {c.Partitions, d.Partitions}, {c.Procs, 0}} {
				if pair[0] != pair[1] {
					others++
				}
			}
			d2 := direction.value(c) != direction.value(d)
			return base(c) && (others == 0 && direction.name != "GOMAXPROCS" || others == 1 && d2)
		})
		values := make(map[int]bool)
		for _, r := range found {
			values[direction.value(r.Case)] = true
		}
		if len(values) < 2 {
			continue
		}
		found = slices.DeleteFunc(byRival(found), func(r *trial.Result) bool {
			return !slices.ContainsFunc(found, func(o *trial.Result) bool {
				return o.Case.Rival == r.Case.Rival && direction.value(o.Case) != direction.value(r.Case)
			})
		})
		slices.SortStableFunc(found, func(a, b *trial.Result) int {
			return cmp.Or(cmp.Compare(order(a.Case.Rival), order(b.Case.Rival)), cmp.Compare(direction.value(a.Case), direction.value(b.Case)))
		})
		var rows [][]string
		for _, r := range found {
			rows = append(rows, append([]string{"`" + r.Case.Rival + "`", thousands(float64(direction.value(r.Case)))}, figures(r)...))
		}
		fmt.Fprintf(&b, "By %s:\n\n%s\n", direction.name, table(append([]string{"", direction.name}, figureNames...), rows))
	}
	return cmp.Or(b.String(), none)
}

// bound is the sink's default BufferBytes.
const bound = 64 << 20

func memory(results []*trial.Result) string {
	var b strings.Builder
	var rows [][]string
	for _, r := range byRival(where(results, func(c trial.Case) bool { return c.Kind == trial.Bound })) {
		held, peak := r.Median(heldByTheLog.of), r.Median(resident.of)
		rows = append(rows, []string{"`" + r.Case.Rival + "`", thousands(float64(r.Case.Size)), mebibytes(held), mebibytes(held - bound),
			mebibytes(peak), mebibytes(peak - bound), remark(r)})
	}
	if len(rows) > 0 {
		fmt.Fprintf(&b, "The broker stopped, as many entries as it goes:\n\n%s\n", table([]string{"", "bytes an entry", "held by the log",
			"above the bound of 64 MiB", "resident", "above the bound", "remark"}, rows))
	}
	rows = nil
	for _, r := range byRival(where(results, func(c trial.Case) bool { return c.Kind == trial.Idle })) {
		rows = append(rows, []string{"`" + r.Case.Rival + "`",
			thousands(r.Median(func(run trial.Run) float64 { return float64(run.Live) / 1024 })) + " KiB",
			thousands(r.Median(func(run trial.Run) float64 { return float64(run.Goroutines) })), remark(r)})
	}
	if len(rows) > 0 {
		fmt.Fprintf(&b, "Idle, five seconds after a few entries; the live heap is that of the whole program:\n\n%s\n",
			table([]string{"", "live heap", "goroutines", "remark"}, rows))
	}
	rows = nil
	for _, r := range byRival(where(results, func(c trial.Case) bool { return c.Kind == trial.Steady })) {
		for _, run := range r.Runs {
			for i, s := range run.Samples {
				if i != 0 && i != len(run.Samples)/2 && i != len(run.Samples)-1 {
					continue
				}
				rows = append(rows, []string{"`" + r.Case.Rival + "`", thousands(float64(r.Case.Rate)), s.At.Round(time.Second).String(),
					mebibytes(float64(s.Resident)), thousands(float64(s.Live)/1024) + " KiB", thousands(float64(s.Goroutines))})
			}
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(&b, "A long run:\n\n%s\n", table([]string{"", "entries a second", "after", "resident", "live heap", "goroutines"}, rows))
	}
	return cmp.Or(b.String(), none)
}

// summary is the short table for the first page: on Apache Kafka, zap with five
// fields from ten goroutines, at full speed, and the longest call of an outage.
func summary(results []*trial.Result) string {
	var rows [][]string
	for _, r := range byRival(where(results, func(c trial.Case) bool {
		return isCall(c) && c.Form == trial.Zap5 && c.Goroutines == 10 && (c.Broker == trial.Kafka || c.Broker == trial.None)
	})) {
		row := append([]string{"`" + r.Case.Rival + "`"}, figures(r)[3:7]...)
		outage := where(results, func(c trial.Case) bool {
			return c.Kind == trial.Steady && c.Fault == trial.Stopped && c.Rival == r.Case.Rival && c.Rate == trial.DefaultRate
		})
		longest, corrected := "", ""
		if len(outage) > 0 {
			longest, corrected = latency(outage[0], longestCall), latency(outage[0], correctedP999)
		}
		rows = append(rows, append(row, longest, corrected))
	}
	return table([]string{"", "entries/s delivered", "delivered share", "CPU s a million", "peak resident", "longest call, broker stopped",
		"p99.9 of what was due then"}, rows)
}
