package producertest

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// atOnce is how many cases run side by side. They wait more than they work, so
// it does not depend on the number of processors as -parallel does.
const atOnce = 10

// Run runs each case of the suite as a subtest with the case's name, logs a line
// for each, and returns when all have ended. The results are in the order of the
// suite; cases that -run leaves out are not among them.
//
// A harness with a name in Unsupported that no case has fails the test: the case
// that was meant would go unnoticed.
func Run(t *testing.T, h Harness) []Result {
	t.Helper()
	if h.NewBroker == nil || h.NewProducer == nil {
		t.Fatal("producertest: Harness.NewBroker and Harness.NewProducer are required")
	}
	all := cases()
	if unknown := unknownCases(h.Unsupported, all); len(unknown) > 0 {
		t.Fatalf("producertest: Harness.Unsupported names cases that do not exist: %s; those that do: %s",
			strings.Join(unknown, ", "), strings.Join(caseNames(all), ", "))
	}
	r := &runner{t: t, h: h, results: make([]*Result, len(all))}
	r.runAlone(all)
	r.runTogether(all)
	return r.log()
}

// runner collects the results of one Run.
type runner struct {
	t *testing.T
	h Harness

	mu      sync.Mutex
	results []*Result
}

// runAlone runs the cases that look at the whole process, one after another and
// before all others.
func (r *runner) runAlone(all []*contractCase) {
	for i, cs := range all {
		if cs.alone {
			r.run(i, cs)
		}
	}
}

// runTogether calls t.Run from several goroutines, which it allows, rather than
// to use t.Parallel: that would run the cases after Run has returned, when the
// caller may have closed what they need.
func (r *runner) runTogether(all []*contractCase) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	if r.h.OneAtATime {
		slots = make(chan struct{}, 1)
	}
	for i, cs := range all {
		if cs.alone {
			continue
		}
		i, cs := i, cs
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			r.run(i, cs)
		}()
	}
	wg.Wait()
}

func (r *runner) run(i int, cs *contractCase) {
	r.t.Run(cs.name, func(t *testing.T) {
		// What stands here if the harness ends the test by itself.
		res := Result{Case: cs.name, Sentence: cs.sentence, Status: Failed, Failures: []string{"the harness ended the case"}}
		defer func() { r.add(i, res) }()
		res = runCase(t, r.h, cs)
		for _, f := range res.Failures {
			if res.Status == Failed {
				t.Errorf("%s\nThe contract says: %q", f, cs.sentence)
			} else {
				t.Logf("unsupported: %s\nThe contract says: %q", f, cs.sentence)
			}
		}
		if res.Status == Skipped {
			t.Skip(res.Reason)
		}
	})
}

func (r *runner) add(i int, res Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[i] = &res
	if r.h.Report != nil {
		r.h.Report(res)
	}
}

func (r *runner) log() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	var results []Result
	var b strings.Builder
	for _, res := range r.results {
		if res != nil {
			results = append(results, *res)
			fmt.Fprintf(&b, "\n%s", res)
		}
	}
	r.t.Log(b.String())
	return results
}

// contractCase is a case of the suite.
type contractCase struct {
	name     string
	sentence string // as in the contract; a test looks it up there
	alone    bool   // runs while no other case does
	run      func(c *check)
}

// cases are all cases of the suite, those that wait for the longest first.
func cases() []*contractCase {
	var all []*contractCase
	for _, some := range [][]*contractCase{
		goroutineCases(), faultCases(), retryCases(), closeCases(), recordCases(), produceCases(), startCases(),
	} {
		all = append(all, some...)
	}
	return all
}

func caseNames(all []*contractCase) []string {
	names := make([]string, len(all))
	for i, cs := range all {
		names[i] = cs.name
	}
	return names
}

func unknownCases(named map[string]string, all []*contractCase) []string {
	known := make(map[string]bool)
	for _, cs := range all {
		known[cs.name] = true
	}
	var unknown []string
	for name := range named {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	sort.Strings(unknown)
	return unknown
}

// Both end a case early, by way of a panic.
type (
	stopCase struct{}
	skipCase struct{ reason string }
)

// runCase runs one case and fails nothing: t is for the harness alone.
func runCase(t testing.TB, h Harness, cs *contractCase) Result {
	begin := time.Now()
	c := &check{t: t, h: h, news: make(chan struct{}, 1)}
	skipped := ""
	guarded := func(f func()) {
		defer func() {
			switch v := recover().(type) {
			case nil, stopCase:
			case skipCase:
				skipped = v.reason
			default:
				c.errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		f()
	}
	c.b = h.NewBroker(t)
	defer c.b.Close()
	guarded(func() { cs.run(c) })
	guarded(c.finish)

	c.mu.Lock()
	defer c.mu.Unlock()
	res := Result{Case: cs.name, Sentence: cs.sentence, Status: Passed, Failures: c.failures, Facts: c.facts, Took: time.Since(begin)}
	reason, unsupported := h.Unsupported[cs.name]
	switch {
	case len(res.Failures) > 0 && unsupported:
		res.Status, res.Reason = Unsupported, reason
	case len(res.Failures) > 0:
		res.Status = Failed
	case skipped != "":
		res.Status, res.Reason = Skipped, skipped
	case unsupported:
		res.Reason = "kept, though the harness lists it as unsupported"
	}
	return res
}

// cannot turns the error of a Set into the end of the case; nil if it is none for
// that.
func cannot(f Fault, err error) any {
	if !errors.Is(err, ErrNoFault) {
		return nil
	}
	return skipCase{fmt.Sprintf("needs the fault %v: %v", f, err)}
}
