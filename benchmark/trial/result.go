package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/load"
	"github.com/zapkafka/zapkafka/benchmark/rivals"
)

// Result is what came of a case: a file of its own.
type Result struct {
	Case     Case
	Source   string // of the rival's set-up
	Machine  Machine
	Versions map[string]string // of Go, Kafka and the clients
	Commit   string            // with a + for changes that are not committed
	Runs     []Run             // of one call of the command
}

// Run is one run of a case.
type Run struct {
	At          time.Time
	LoadAverage float64 // of the machine, over a minute, before

	// Ended is empty if the process did all that it should, and else says what did
	// not come to an end, or failed.
	Ended string `json:",omitempty"`

	Open    time.Duration // how long opening took
	Logged  int           // log calls that returned
	Calling time.Duration // how long it took to make them
	Took    time.Duration // until whatever was logged was delivered or given up
	Close   time.Duration // how long closing took

	Count     rivals.Count
	Delivered int64 // by the offsets of the broker, duplicates included; -1: nobody counted

	CPU          time.Duration // of the process, user and system, from the first call until Took
	AllocsCall   float64       // a log call, with whatever goes on beside it
	BytesCall    float64
	PeakResident uint64 // VmHWM from the first call
	Live         uint64 `json:",omitempty"` // Idle: the heap at the end; Bound: the most that was held, inside and outside of the heap
	LiveBefore   uint64 `json:",omitempty"` // Bound: what the idle program holds
	Goroutines   int    // at the end of the load

	Latency *load.Latency `json:",omitempty"` // Steady
	Samples []Sample      `json:",omitempty"` // Steady, of a minute or more
}

// Sample is how the process was at a moment.
type Sample struct {
	At             time.Duration // since the load began
	Resident, Live uint64        // bytes
	Goroutines     int
}

// NsCall is the time for all calls by their number, in nanoseconds, as Go's
// benchmarks have it: with several goroutines the calls of all count.
func (r Run) NsCall() float64 {
	if r.Logged == 0 {
		return 0
	}
	return float64(r.Calling.Nanoseconds()) / float64(r.Logged)
}

// PerSecond is how many entries a second were delivered, each once, or for a rival that
// knows files alone were filed.
func (r Run) PerSecond() float64 {
	if r.Took <= 0 {
		return 0
	}
	n := float64(min(r.Delivered, int64(r.Logged))) // what came twice counts once
	switch {
	case r.Delivered >= 0:
	case r.Count.Sheet != "": // the sink without a broker
		n = float64(r.Count.Acked + r.Count.Replayed)
	default:
		n = float64(r.Count.Filed)
	}
	return n / r.Took.Seconds()
}

// Share is the part of what was logged that was delivered; above 1 if some of it
// was delivered twice.
func (r Run) Share() float64 {
	if r.Logged == 0 || r.Delivered < 0 {
		return 0
	}
	return float64(r.Delivered) / float64(r.Logged)
}

// CPUPerMillion is the CPU time of the process for a million entries that were
// logged, from the call until they were delivered or given up.
func (r Run) CPUPerMillion() time.Duration {
	if r.Logged == 0 {
		return 0
	}
	return time.Duration(float64(r.CPU) / float64(r.Logged) * 1e6)
}

// Median returns the median of a figure of the runs that ended as they should, or
// of all if none did.
func (r *Result) Median(figure func(Run) float64) float64 {
	var values []float64
	for _, run := range r.Runs {
		if run.Ended == "" {
			values = append(values, figure(run))
		}
	}
	if len(values) == 0 {
		for _, run := range r.Runs {
			values = append(values, figure(run))
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// Write puts the result into its file in dir, in place of an older one.
func (r *Result) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.Case.Name()+".json"), append(text, '\n'), 0o644)
}

// Read reads all results of a directory, in the order of their names.
func Read(dir string) ([]*Result, error) {
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
		if err == nil && r.Case.Name()+".json" != filepath.Base(name) {
			err = fmt.Errorf("it holds the result of %s", r.Case.Name())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		all = append(all, r)
	}
	return all, errors.Join(errs...)
}
