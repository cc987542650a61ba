// Package report makes tables and plots of what the benchmarks have left in files.
package report

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/trial"
)

// The block of a page that is made, with the name of what is in it. What stands
// around is written by people.
const (
	begin = "<!-- made by benchmark/cmd/tables: %s -->\n"
	end   = "<!-- end -->\n"
)

// Blocks are the parts of pages that are made, by name, and plots the files by
// name.
func Blocks(results []*trial.Result) (blocks, plots map[string]string) {
	blocks = map[string]string{
		"calls": calls(results), "classic": classic(results), "faults": faults(results), "growth": growth(results),
		"memory": memory(results), "machines": machines(results), "set-ups": setUps(results), "summary": summary(results), "goals": goals(results),
	}
	plots = make(map[string]string)
	all := plotsOf(results)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(all[name].bars) == 0 {
			continue
		}
		file := name + ".svg"
		plots[file] = all[name].svg()
		// From the page of this module, and from that of the repository.
		for block, dir := range map[string]string{"plots": plotDir, "plots-above": "benchmark/" + plotDir} {
			blocks[block] += fmt.Sprintf("![%s](%s/%s)\n", all[name].title, dir, file)
		}
	}
	for _, block := range []string{"plots", "plots-above"} {
		blocks[block] = cmp.Or(blocks[block], none)
	}
	return blocks, plots
}

// Fill puts the blocks into a page, and says which of those that the page asks for
// there are not.
func Fill(page string, blocks map[string]string) (string, error) {
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(page, strings.SplitN(begin, "%s", 2)[0])
		if !ok {
			out.WriteString(page)
			return out.String(), nil
		}
		name, rest, ok := strings.Cut(after, " -->\n")
		_, tail, closed := strings.Cut(rest, end)
		text, known := blocks[name]
		if !ok || !closed || !known {
			return "", fmt.Errorf("block %q: there is none of that name, or it has no end", name)
		}
		out.WriteString(before)
		fmt.Fprintf(&out, begin, name)
		out.WriteString(text)
		out.WriteString(end)
		page = tail
	}
}

// Pages are the pages with blocks, from the directory of this module.
var Pages = []string{"README.md", filepath.Join("..", "README.md")}

const (
	// Results is the directory of the results, from that of this module.
	Results = "results"
	plotDir = "plots"
)

// Update makes pages and plots anew, below the directory of this module, and
// returns the names of files that were not as they are now. With write it writes
// them.
func Update(dir string, write bool) (changed []string, err error) {
	results, err := trial.Read(filepath.Join(dir, Results))
	if err != nil {
		return nil, err
	}
	blocks, files := Blocks(results)
	want := make(map[string]string)
	for _, page := range Pages {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			return nil, err
		}
		if want[page], err = Fill(string(text), blocks); err != nil {
			return nil, fmt.Errorf("%s: %w", page, err)
		}
	}
	for name, text := range files {
		want[filepath.Join(plotDir, name)] = text
	}
	old, err := filepath.Glob(filepath.Join(dir, plotDir, "*.svg"))
	if err != nil {
		return nil, err
	}
	for _, name := range old {
		if _, ok := files[filepath.Base(name)]; !ok {
			changed = append(changed, name)
			if write {
				err = cmp.Or(err, os.Remove(name))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		path := filepath.Join(dir, name)
		if have, errRead := os.ReadFile(path); errRead == nil && string(have) == want[name] {
			continue
		}
		changed = append(changed, name)
		if write && err == nil {
			if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
				err = os.WriteFile(path, []byte(want[name]), 0o644)
			}
		}
	}
	return changed, err
}

// none is what stands where nothing was measured.
const none = "Nothing has been measured yet.\n"

// table is one in Markdown; empty rows make it none.
func table(header []string, rows [][]string) string {
	if len(rows) == 0 {
		return none
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|---|%s\n", strings.Join(header, " | "), strings.Repeat("--:|", len(header)-1))
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// where chooses results.
func where(results []*trial.Result, match func(trial.Case) bool) []*trial.Result {
	var found []*trial.Result
	for _, r := range results {
		if match(r.Case) {
			found = append(found, r)
		}
	}
	return found
}

// machines lists what was measured when, on what, with which versions: results
// that have all of it in common are one line.
func machines(results []*trial.Result) string {
	if len(results) == 0 {
		return none
	}
	on := make(map[string]int)
	busy := make(map[string]float64)
	for _, r := range results {
		var versions []string
		for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
			if name != "kafka" {
				versions = append(versions, strings.TrimPrefix(name, "github.com/")+" "+r.Versions[name])
			}
		}
		kafka := ""
		if v := r.Versions["kafka"]; v != "" && r.Case.Broker == trial.Kafka {
			kafka = ", Apache Kafka " + v + " on the same machine"
		}
		line := fmt.Sprintf("%s, commit %s: %d cores (%s), %d GiB, %s%s; %s", r.Runs[0].At.UTC().Format(time.DateOnly), r.Commit,
			r.Machine.Cores, r.Machine.CPU, r.Machine.Memory>>30, r.Machine.System, kafka, strings.Join(versions, ", "))
		on[line]++
		for _, run := range r.Runs {
			busy[line] = max(busy[line], run.LoadAverage)
		}
	}
	var b strings.Builder
	for _, line := range slices.Sorted(maps.Keys(on)) {
		fmt.Fprintf(&b, "- %s (%d cases; load average before a run up to %.1f)\n", line, on[line], busy[line])
	}
	return b.String()
}

// setUps says of each rival that was measured where its set-up is from.
func setUps(results []*trial.Result) string {
	if len(results) == 0 {
		return none
	}
	source := make(map[string]string)
	for _, r := range results {
		source[r.Case.Rival] = r.Source
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(source)) {
		fmt.Fprintf(&b, "- `%s`: %s.\n", name, source[name])
	}
	return b.String()
}
