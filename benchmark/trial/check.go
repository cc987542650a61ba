package trial

import (
	"errors"
	"fmt"
)

// Check holds the figures of the set ci against each other, with margins so wide
// that a busy machine does not fail it: what it finds is a mistake that makes
// something several times slower, allocate, or lose.
func Check(results []*Result) error {
	const sink, alone = "zapkafka-franz-fast-replay", "zapkafka-alone-fast-replay"
	find := func(form, rival string) *Result {
		for _, r := range results {
			if r.Case.Form == form && r.Case.Rival == rival {
				return r
			}
		}
		return &Result{}
	}
	var errs []error
	for _, r := range results {
		for _, run := range r.Runs {
			if run.Ended != "" {
				errs = append(errs, fmt.Errorf("%s: %s", r.Case.Name(), run.Ended))
			}
		}
		if r.Case.Rival != sink {
			continue
		}
		if share := r.Median(Run.Share); share != 1 {
			errs = append(errs, fmt.Errorf("%s: %v of what was logged is delivered, want all, once", r.Case.Name(), share))
		}
	}
	// What goes on beside the calls is in the allocations of a run.
	const mostAllocs = 0.05
	for _, name := range []string{sink, alone} {
		if n := find(Line, name).Median(allocs); n > mostAllocs {
			errs = append(errs, fmt.Errorf("%s: a Write allocates %.3f times, want 0 (at most %v with all that goes on beside)", name, n, mostAllocs))
		}
	}
	for _, limit := range []struct {
		form, ours, other string
		most              float64 // of the other's
		what              string
		figure            func(Run) float64
	}{
		{Line, alone, "buffered-file", 5, "time of a call", Run.NsCall},
		{Line, sink, "lock-file", 1, "time of a call", Run.NsCall},
		{Zap5, sink, "lock-file", 3, "time of a call", Run.NsCall},
		{Line, sink, "franz-raw", 4, "CPU time", cpu},
		{Zap5, sink, "lock-file", 3, "CPU time", cpu},
	} {
		ours, theirs := least(find(limit.form, limit.ours), limit.figure), least(find(limit.form, limit.other), limit.figure)
		if theirs == 0 || ours == 0 {
			errs = append(errs, fmt.Errorf("%s, %s: nothing measured of %s or %s", limit.what, limit.form, limit.ours, limit.other))
			continue
		}
		if ratio := ours / theirs; ratio > limit.most {
			errs = append(errs, fmt.Errorf("%s, %s: that of %s is %.2f times that of %s, want %v at most", limit.what, limit.form, limit.ours, ratio, limit.other, limit.most))
		}
	}
	return errors.Join(errs...)
}

// least is the least of a figure that the runs have: what else the machine does
// only adds to it.
func least(r *Result, figure func(Run) float64) float64 {
	found := 0.0
	for i, run := range r.Runs {
		if v := figure(run); i == 0 || v < found {
			found = v
		}
	}
	return found
}

func allocs(r Run) float64 { return r.AllocsCall }
func cpu(r Run) float64    { return r.CPUPerMillion().Seconds() }
