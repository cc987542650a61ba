package producertest

import (
	"fmt"
	"strings"
	"time"
)

// Status is what became of a case.
type Status int

// The outcomes of a case.
const (
	// Passed: the sentence was kept.
	Passed Status = iota + 1
	// Failed: it was not.
	Failed
	// Unsupported: it was not, and the harness says why it cannot be
	// ([Harness.Unsupported]).
	Unsupported
	// Skipped: the harness cannot make a fault that the case needs.
	Skipped
)

var statusNames = map[Status]string{Passed: "pass", Failed: "FAIL", Unsupported: "unsupported", Skipped: "skipped"}

// String returns the status in one word.
func (s Status) String() string {
	if name := statusNames[s]; name != "" {
		return name
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// Result is the outcome of a case.
type Result struct {
	// Case is the name of the case, which is also that of its subtest.
	Case string
	// Sentence is the part of the contract that was checked, as it is written at
	// [zapkafka.Producer].
	Sentence string
	// Status is the outcome.
	Status Status
	// Reason says why the case is unsupported or was skipped.
	Reason string
	// Failures say what went wrong; also of an unsupported case.
	Failures []string
	// Facts are what was measured on the way.
	Facts []Fact
	// Took is how long the case took.
	Took time.Duration
}

// Fact is something that a case has measured: it is not promised by the
// contract, but worth a line in a comparison of clients.
type Fact struct {
	// Name says what was measured.
	Name string
	// Value is the figure, with its unit.
	Value string
}

// String returns the result in one line.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-34s %-11s %5.1fs", r.Case, r.Status, r.Took.Seconds())
	if r.Reason != "" {
		fmt.Fprintf(&b, "  %s", r.Reason)
	}
	for i, f := range r.Facts {
		sep := ";"
		if i == 0 {
			sep = " "
		}
		fmt.Fprintf(&b, "%s %s: %s", sep, f.Name, f.Value)
	}
	return b.String()
}
