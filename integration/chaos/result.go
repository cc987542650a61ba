package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Result is what came of one scenario with one client.
type Result struct {
	Scenario, Client string
	Passed           bool
	Date             time.Time
	Commit           string // with a + for changes that are not committed
	Cores            int
	Versions         map[string]string // of Kafka, Go and the client
	Took             time.Duration     // all of it

	// The sink's sheet.
	Accepted, Acked, FellBack, Shed, Lost uint64
	// The fallback's sheet, without what was stored.
	Inherited, Replayed, Rejected, Quarantined, Evicted, OnFile uint64
	// What was found: Missing is nowhere and not counted as lost, Duplicate is in
	// the topic more than once.
	Missing, Duplicate int
	// Unknown is how many entries a process that was killed took with it.
	Unknown int

	MaxCall, P999 time.Duration
	Resident      uint64 // the most that was seen, in bytes
	Live          uint64 // heap after the load, in bytes
	Goroutines    int    // after the load

	// Figures are what this scenario is about beside all that.
	Figures []Figure `json:",omitempty"`
	// Samples are what was seen on the way, where that is of interest.
	Samples []Sample `json:",omitempty"`
}

// Figure is a number with its unit, as people read it.
type Figure struct{ Name, Value string }

// Sample is how the process was at a moment.
type Sample struct {
	At             time.Duration // since the load began
	State          string
	Resident, Live uint64
	Goroutines     int
	OnFile         uint64
}

// header names what Line prints.
const header = "scenario        client         accepted    acked  fallback  shed  lost  inherited  replayed  rejected  quarantined  evicted  missing  duplicate    maxcall      p99.9    rss"

// Line is the result in one line under the header.
func (r *Result) Line() string {
	line := fmt.Sprintf("%-15s %-13s %9d %8d  %8d  %4d  %4d  %9d  %8d  %8d  %11d  %7d  %7d  %9d %10v %10v  %3d M",
		r.Scenario, r.Client, r.Accepted, r.Acked, r.FellBack, r.Shed, r.Lost, r.Inherited, r.Replayed, r.Rejected, r.Quarantined, r.Evicted,
		r.Missing, r.Duplicate, r.MaxCall.Round(time.Microsecond), r.P999.Round(time.Microsecond), r.Resident>>20)
	if !r.Passed {
		line += "  FAILED"
	}
	return line
}

// figures lists them in one line.
func (r *Result) figures() string {
	var all []string
	for _, f := range r.Figures {
		all = append(all, f.Name+" "+f.Value)
	}
	return strings.Join(all, "; ")
}

// name is that of the result's file.
func (r *Result) name() string { return r.Scenario + "." + r.Client + ".json" }

// write puts the result into its file, in place of an older one.
func (r *Result) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.name()), append(text, '\n'), 0o644)
}

// readResults reads all files of the directory.
func readResults(dir string) ([]*Result, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*Result
	var errs []error
	for _, name := range names {
		text, err := os.ReadFile(name)
		r := &Result{}
		if err == nil {
			err = json.Unmarshal(text, r)
		}
		if err == nil && r.name() != filepath.Base(name) {
			err = fmt.Errorf("it holds the result of %s with %s", r.Scenario, r.Client)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		all = append(all, r)
	}
	return all, errors.Join(errs...)
}
