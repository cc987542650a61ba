package producertest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka"
)

func memoryHarness(b bug, release <-chan struct{}) Harness {
	return Harness{
		NewBroker: func(testing.TB) Broker { return newMemoryBroker() },
		NewProducer: func(_ testing.TB, broker Broker) zapkafka.Producer {
			return newClient(broker.(*memoryBroker), b, release)
		},
	}
}

func TestCorrectClientPasses(t *testing.T) {
	reported := 0
	h := memoryHarness("", nil)
	h.Report = func(Result) { reported++ }
	results := Run(t, h)
	if len(results) != len(cases()) || reported != len(results) {
		t.Errorf("%d results, %d reported, want %d", len(results), reported, len(cases()))
	}
	for _, r := range results {
		if r.Status != Passed {
			t.Errorf("%s", r)
		}
	}
}

// bugs are broken clients, and the cases that must find each.
var bugs = []struct {
	bug   bug
	found []string
}{
	{"reports twice", []string{"ReportedOnce"}},
	{"drops a record", []string{"ReportedWhenRefused", "ReportedWhenNotLeader"}},
	{"never times out", []string{
		"ReportedWhenRefusedFromTheStart", "ReportedWhenMute", "ReportedWhenMuteFromTheStart", "ReportedWhenMuteOnProduce",
		"ReportedWhenStalled", "ReportedWhenStalledFromTheStart", "ReportedWhenClosesConnections", "ReportedWhenTimeoutAfterStore",
	}},
	{"acknowledges at its deadline", []string{"AcknowledgedIsStored", "TimedOutIsNotRejected"}},
	{"rejects what is out of time", []string{"TimedOutIsNotRejected"}},
	{"sends after Done", []string{"MemoryAfterTimeout"}},
	{"acknowledges before it sends", []string{"MemoryAfterDone", "AcknowledgedIsStored"}},
	{"never retries", []string{"RetriedAfterRefused", "RetriedAfterClosesConnections", "RetriedAfterTimeoutAfterStore", "RetriedAfterNotLeader"}},
	{"writes to the record", []string{"RecordIsNotWritten"}},
	{"keeps the slice", []string{"SliceIsTheCallers"}},
	{"loses order", []string{"OrderOfAKey"}},
	{"loses the key", []string{"KeyArrives"}},
	{"loses the headers", []string{"HeadersArrive"}},
	{"loses the time", []string{"TimeArrives"}},
	{"refuses large values", []string{"LargestValue"}},
	{"does not say rejected", []string{"TooLarge"}},
	{"does not say too large", []string{"TooLarge"}},
	{"rejects what has no topic", []string{"UnknownTopic"}},
	{"acknowledges without a topic", []string{"UnknownTopic"}},
	{"says nothing of a topic", []string{"UnknownTopicIsReported"}},
	{"ignores the context in Produce", []string{"ProduceWithoutRoom"}},
	{"refuses what there is no room for", []string{"ProduceMoreThanThereIsRoomFor", "ProduceWithoutRoom"}},
	{"hides the context's error", []string{"ProduceWithDoneContext"}},
	{"gives up at the end of Produce's context", []string{"ContextEndsAfterProduce"}},
	{"blocks before Start", []string{"ProduceBeforeStart"}},
	{"panics after Close", []string{"ProduceAfterClose"}},
	{"acknowledges after Close", []string{"ProduceAfterClose"}},
	{"drops what comes beside Close", []string{"CloseBesideProduceAndFlush", "ProduceAfterClose"}},
	{"blocks in Flush", []string{"FlushWhenMute"}},
	{"gives up in Flush", []string{"FlushWhenMute"}},
	{"panics in Flush", []string{"FlushBesideProduce"}},
	{"Close never returns", []string{"CloseIdle", "CloseWithDoneContext"}},
	{"Close uses all of its time", []string{"CloseIdle", "CloseUnused"}},
	{"Close waits for everything", []string{
		"CloseWhenRefused", "CloseWhenRefusedFromTheStart", "CloseWhenMute", "CloseWhenMuteFromTheStart",
		"CloseWhenStalled", "CloseWhenStalledFromTheStart", "CloseWithDoneContext",
	}},
	{"Close does not end Produce", []string{"CloseEndsProduce"}},
	{"Close discards", []string{"CloseDelivers"}},
	{"Close forgets", []string{"CloseWhenMute"}},
	{"panics in a second Close", []string{"CloseTwice"}},
	{"waits without its own context", []string{"CloseWaitsForItsOwnContext"}},
	{"dials in Start", []string{"StartWhenRefused", "StartWhenMute"}},
	{"starts twice", []string{"StartTwice"}},
	{"takes any limits", []string{"StartChecksLimits"}},
	{"has negative overhead", []string{"Overhead"}},
	{"leaves a goroutine", []string{"GoroutinesAfterClose", "GoroutinesAfterCloseWhenMute"}},
	{"leaves a goroutine when Start fails", []string{"GoroutinesAfterFailedStart"}},
}

// TestBrokenClientsAreFound runs each broken client through the cases that must
// find it. All cases are in the table: one that fails for nobody checks nothing.
func TestBrokenClientsAreFound(t *testing.T) {
	byName := make(map[string]*contractCase)
	for _, cs := range cases() {
		byName[cs.name] = cs
	}
	defer func(gone, report time.Duration) { goneWithin, reportGrace = gone, report }(goneWithin, reportGrace)
	goneWithin, reportGrace = time.Second, 3*time.Second
	release := make(chan struct{})
	var wg sync.WaitGroup
	slots := make(chan struct{}, 40)
	needed := make(map[string]bool)
	for _, alone := range []bool{true, false} {
		for _, b := range bugs {
			for _, name := range b.found {
				b, cs := b.bug, byName[name]
				needed[name] = true
				if cs == nil {
					t.Fatalf("no case is named %q", name)
				}
				switch {
				case cs.alone != alone:
				case alone:
					wantFound(t, b, cs, release)
				default:
					wg.Add(1)
					slots <- struct{}{}
					go func() {
						defer wg.Done()
						defer func() { <-slots }()
						wantFound(t, b, cs, release)
					}()
				}
			}
		}
	}
	wg.Wait()
	close(release)
	for name := range byName {
		if !needed[name] {
			t.Errorf("no broken client is found by %s", name)
		}
	}
}

func wantFound(t *testing.T, b bug, cs *contractCase, release <-chan struct{}) {
	res := runCase(t, memoryHarness(b, release), cs)
	if res.Status != Failed {
		t.Errorf("a client that %q: %s does not find it", b, res)
		return
	}
	t.Logf("%-40s %-30s %4.1fs %s", b, cs.name, res.Took.Seconds(), firstLine(res.Failures[0]))
}

func firstLine(s string) string { return strings.SplitN(s, "\n", 2)[0] }

// The sentences of the cases are those of the contract.
func TestSentencesAreInTheContract(t *testing.T) {
	var contract strings.Builder
	for _, name := range []string{"../producer.go", "../record.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(strings.ReplaceAll(line, "\r", ""))
			if strings.HasPrefix(line, "//") {
				contract.WriteString(strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(line, "//")), "- ") + " ")
			}
		}
	}
	text := regexp.MustCompile(`\[([\w.]+)\]`).ReplaceAllString(contract.String(), "$1")
	for _, cs := range cases() {
		if !strings.Contains(text, cs.sentence) {
			t.Errorf("%s quotes what is not in the contract: %q", cs.name, cs.sentence)
		}
	}
}

func TestCaseNamesAreUnique(t *testing.T) {
	names := caseNames(cases())
	sort.Strings(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			t.Errorf("two cases are named %s", names[i])
		}
	}
}

// limitedBroker can make no fault.
type limitedBroker struct{ *memoryBroker }

func (limitedBroker) Set(f Fault) error { return fmt.Errorf("%v needs a network: %w", f, ErrNoFault) }

func TestFaultThatCannotBeMadeIsSkipped(t *testing.T) {
	h := memoryHarness("", nil)
	h.NewBroker = func(testing.TB) Broker { return limitedBroker{newMemoryBroker()} }
	h.NewProducer = func(_ testing.TB, b Broker) zapkafka.Producer {
		return newClient(b.(limitedBroker).memoryBroker, "", nil)
	}
	for _, cs := range cases() {
		switch cs.name {
		case "ReportedWhenMute", "RetriedAfterNotLeader", "AcknowledgedIsStored", "TimedOutIsNotRejected", "CloseWhenStalled":
			res := runCase(t, h, cs)
			if res.Status != Skipped || res.Reason == "" {
				t.Errorf("%s, failures %q, want skipped with a reason", res, res.Failures)
			}
		case "ReportedOnce":
			if res := runCase(t, h, cs); res.Status != Passed {
				t.Errorf("%s, failures %q, want passed", res, res.Failures)
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	const name = "TimeArrives"
	for b, want := range map[bug]Status{"loses the time": Unsupported, "": Passed} {
		h := memoryHarness(b, nil)
		h.Unsupported = map[string]string{name: "the client has its own clock"}
		for _, cs := range cases() {
			if cs.name != name {
				continue
			}
			res := runCase(t, h, cs)
			if res.Status != want || res.Reason == "" || (len(res.Failures) > 0) != (want == Unsupported) {
				t.Errorf("client that %q: %s, failures %q", b, res, res.Failures)
			}
		}
	}
}

// runFails is set in a process whose test of that kind is to fail.
const runFails = "PRODUCERTEST_RUN_FAILS"

// TestRunFails looks at what Run does to a test, in a process of its own.
func TestRunFails(t *testing.T) {
	switch os.Getenv(runFails) {
	case "broken":
		Run(t, memoryHarness("loses the key", nil))
		return
	case "unknown case":
		h := memoryHarness("", nil)
		h.Unsupported = map[string]string{"NoSuchCase": "a slip of the pen"}
		Run(t, h)
		return
	case "empty":
		Run(t, Harness{})
		return
	}
	for kind, want := range map[string][]string{
		"broken":       {"--- FAIL: TestRunFails/KeyArrives", "Key is the record's key", "--- PASS: TestRunFails/TimeArrives", "pass", "FAIL"},
		"unknown case": {"NoSuchCase", "KeyArrives"},
		"empty":        {"NewBroker", "required"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=TestRunFails/(Key|Time)Arrives", "-test.v")
		cmd.Env = append(os.Environ(), runFails+"="+kind)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: the test passed:\n%s", kind, out)
		}
		for _, text := range want {
			if !strings.Contains(string(out), text) {
				t.Errorf("%s: %q is not in the output:\n%s", kind, text, out)
			}
		}
	}
}
