package conformance

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/zapkafka/zapkafka/producertest"
)

// results collects what the suite says of each adaptor.
type results struct {
	mu    sync.Mutex
	names []string // adaptors, as they ran
	cases []string // as they ended first
	all   map[string]map[string]producertest.Result
}

var table = results{all: make(map[string]map[string]producertest.Result)}

func (r *results) add(adaptor string, res producertest.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.all[res.Case]
	if of == nil {
		of = make(map[string]producertest.Result)
		r.all[res.Case] = of
		r.cases = append(r.cases, res.Case)
	}
	known := false
	for _, name := range r.names {
		known = known || name == adaptor
	}
	if !known {
		r.names = append(r.names, adaptor)
	}
	of[adaptor] = res
}

// printTable prints a line for each case, and below what was measured and why
// something is not supported.
func printTable(w io.Writer) {
	table.mu.Lock()
	defer table.mu.Unlock()
	if len(table.cases) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%-34s", "case")
	for _, name := range table.names {
		fmt.Fprintf(w, " %-20s", name)
	}
	fmt.Fprintln(w)
	for _, cs := range table.cases {
		fmt.Fprintf(w, "%-34s", cs)
		for _, name := range table.names {
			status := "-"
			if r, ok := table.all[cs][name]; ok {
				status = r.Status.String()
			}
			fmt.Fprintf(w, " %-20s", status)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "\nmeasured:")
	for _, cs := range table.cases {
		for _, name := range table.names {
			if r, ok := table.all[cs][name]; ok && (len(r.Facts) > 0 || r.Reason != "") {
				fmt.Fprintf(w, "  %-34s %-20s %s\n", cs, name, remarks(r))
			}
		}
	}
}

func remarks(r producertest.Result) string {
	var parts []string
	if r.Reason != "" {
		parts = append(parts, r.Reason)
	}
	for _, f := range r.Facts {
		parts = append(parts, f.Name+": "+f.Value)
	}
	return strings.Join(parts, "; ")
}
