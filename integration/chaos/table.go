package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const preface = `# Chaos: the last result of each scenario with each client

Made by ` + "`make chaos`" + ` from the files in [results](results), which have more; [doc.go](doc.go) says what is done and what the numbers mean.
Nothing here is written by hand. A row is about the commit that it names; a + is for changes that were not committed. Times of calls
are those of a machine that runs the brokers and the program, and depend on it.
`

// table is RESULTS.md: scenarios are its sections, in the order of their names
// in order.
func table(results []*Result, order []string) string {
	place := func(r *Result) int {
		if i := slices.Index(order, r.Scenario); i >= 0 {
			return i
		}
		return len(order)
	}
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b *Result) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Client, b.Client))
	})
	var b strings.Builder
	b.WriteString(preface)
	b.WriteString("\n| scenario | client | accepted | acked | fallback | shed | lost | inherited | replayed | rejected | quarantined | evicted" +
		" | missing | duplicate | longest call | p99.9 | resident | | commit |\n|---|---|" + strings.Repeat("--:|", 15) + "---|---|\n")
	for _, r := range results {
		verdict := "passed"
		if !r.Passed {
			verdict = "**failed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %v | %v | %d MiB | %s | %s |\n",
			r.Scenario, r.Client, r.Accepted, r.Acked, r.FellBack, r.Shed, r.Lost, r.Inherited, r.Replayed, r.Rejected, r.Quarantined, r.Evicted,
			r.Missing, r.Duplicate, r.MaxCall.Round(10*time.Microsecond), r.P999.Round(time.Microsecond), r.Resident>>20, verdict, r.Commit)
	}
	b.WriteString("\nWhat the scenarios are about beside that:\n\n")
	for _, r := range results {
		if len(r.Figures) > 0 {
			fmt.Fprintf(&b, "- %s, %s: %s\n", r.Scenario, r.Client, r.figures())
		}
	}
	b.WriteString("\nMachines and versions:\n\n")
	on := make(map[string][]string)
	for _, r := range results {
		var versions []string
		for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
			versions = append(versions, name+" "+r.Versions[name])
		}
		line := fmt.Sprintf("%s, %d cores, %s", r.Date.UTC().Format(time.DateOnly), r.Cores, strings.Join(versions, ", "))
		on[line] = append(on[line], r.Scenario)
	}
	for _, line := range slices.Sorted(maps.Keys(on)) {
		fmt.Fprintf(&b, "- %s: %s\n", line, strings.Join(on[line], ", "))
	}
	return b.String()
}
