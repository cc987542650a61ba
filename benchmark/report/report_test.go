package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/benchmark/load"
	"github.com/zapkafka/zapkafka/benchmark/rivals"
	"github.com/zapkafka/zapkafka/benchmark/trial"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// sarama's metrics have one for the process, which never ends.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// The pages and plots are what the results say.
func TestPages(t *testing.T) {
	changed, err := Update("..", false)
	if err != nil {
		t.Fatal(err)
	}
	if len(changed) > 0 {
		t.Errorf("%s are not what the files in results say: in benchmark/, go run ./cmd/tables", strings.Join(changed, ", "))
	}
}

// some are results of every kind.
func some() []*trial.Result {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	result := func(c trial.Case, runs ...trial.Run) *trial.Result {
		for i := range runs {
			runs[i].At = at
		}
		return &trial.Result{Case: c, Source: "the test", Commit: "abc1234", Runs: runs, Machine: trial.Machine{Cores: 2, CPU: "some CPU"},
			Versions: map[string]string{"go": "go1.26.8", "kafka": "4.3.1"}}
	}
	flood := trial.Case{Kind: trial.Flood, Rival: "zapkafka-franz", Broker: trial.Kafka, Fault: trial.Healthy, Form: trial.Zap5, Goroutines: 10, Partitions: 4, Entries: 1000}
	other := flood
	other.Rival = "sarama-input"
	small, line := flood, flood
	small.Form, small.Size, small.Broker = trial.Line, trial.ClassicSize, trial.Discard
	small.Rival = "published-kafkago"
	line.Form, line.Size, line.Broker = trial.Line, 200, trial.Discard
	large := line
	large.Size = 10_000
	steady := trial.Case{Kind: trial.Steady, Rival: "sarama-input", Broker: trial.Kafka, Fault: trial.Stopped, Form: trial.Zap5, Goroutines: 10, Partitions: 4, Rate: 50_000}
	full := line
	full.Kind, full.Entries, full.Duration = trial.Bound, 0, time.Minute
	soak := steady
	soak.Rate = 20_000
	idle := flood
	idle.Kind = trial.Idle
	capacity := line
	capacity.Kind = trial.Capacity
	run := func(took time.Duration) trial.Run {
		return trial.Run{Logged: 1000, Calling: took / 2, Took: took, Delivered: 1000, CPU: time.Millisecond, PeakResident: 40 << 20}
	}
	return []*trial.Result{
		result(flood, run(time.Millisecond), run(3*time.Millisecond), run(2*time.Millisecond)),
		result(other, trial.Run{Logged: 1000, Took: time.Second, Delivered: 500, Ended: "delivery: a|b\nmore"}),
		result(small, run(time.Millisecond)), result(line, run(time.Millisecond)), result(large, run(time.Millisecond)),
		result(steady, trial.Run{Logged: 77_000, Delivered: 77_000, Close: 3 * time.Second,
			Latency: &load.Latency{Calls: 77_000, P50: 2 * time.Microsecond, Max: 17500 * time.Millisecond, Stuck: 3, Corrected: load.Quantiles{P999: 16 * time.Second}}}),
		result(full, trial.Run{Live: 3 << 20, LiveBefore: 1 << 20, PeakResident: 82 << 20, Delivered: -1}),
		result(soak, trial.Run{Samples: []trial.Sample{{At: time.Minute, Resident: 40 << 20}, {At: 5 * time.Minute}, {At: 10 * time.Minute, Resident: 41 << 20, Goroutines: 9}}}),
		result(capacity, run(4*time.Millisecond)),
		result(idle, trial.Run{Live: 2 << 20, Goroutines: 12}),
	}
}

// Figures are in their tables.
func TestBlocks(t *testing.T) {
	blocks, plots := Blocks(some())
	for _, want := range []struct{ block, text string }{
		{"calls", "Apache Kafka, zap with five fields, 10 goroutines (entries: 1,000, runs: 1 to 3)"},
		{"calls", "| `zapkafka-franz` | 1,000 | 0.0 | 0 | 500,000 | 1 | 1.00 | 40 MiB |  |"}, // the median, of 2 ms
		{"calls", "| `sarama-input` | 0 | 0.0 | 0 | 500 | 0.5000 | 0.00 | 0 MiB | delivery: a/b |"},
		{"calls", "| `zapkafka-franz` | 250,000 | 1 | 1.00 | 40 MiB | 0 |  |"},
		{"classic", "| `published-kafkago` | 10 in parallel | 1,208 | 703 | 5 | 500 |"},
		{"faults", "| `sarama-input` | 2.0 µs | 0 ns | 0 ns | 0 ns | 17.50 s | 0 ns | 16.00 s | 3 | 77,000 | 1 |"},
		{"growth", "| `zapkafka-franz` | 10,000 | 500 |"},
		{"memory", "| `zapkafka-franz` | 200 | 2 MiB | -62 MiB | 82 MiB | 18 MiB |"},
		{"memory", "| `zapkafka-franz` | 2,048 KiB | 12 |"},
		{"memory", "| `sarama-input` | 20,000 | 10m0s | 41 MiB | 0 KiB | 9 |"},
		{"summary", "| `sarama-input` | 500 | 0.5000 | 0.00 | 0 MiB | 17.50 s | 16.00 s |"},
		{"machines", "2026-01-02, commit abc1234: 2 cores (some CPU)"},
		{"plots-above", "](benchmark/plots/speed.svg)\n"},
		{"machines", "Apache Kafka 4.3.1"},
		{"set-ups", "- `published-kafkago`: the test."},
	} {
		if !strings.Contains(blocks[want.block], want.text) {
			t.Errorf("%s has no %q:\n%s", want.block, want.text, blocks[want.block])
		}
	}
	for name, text := range plots {
		decoder := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is no XML: %v\n%s", name, err, text)
			}
		}
	}
	if !strings.Contains(plots["speed.svg"], ">500,000<") || !strings.Contains(plots["latency-stopped.svg"], ">16.00 s<") {
		t.Errorf("figures are missing in the plots: %v", plots)
	}
	for name, text := range func() map[string]string { b, _ := Blocks(nil); return b }() {
		if text != none {
			t.Errorf("%s of no results is %q", name, text)
		}
	}
}

// With several runs of a case each figure is the median of those that ended as they
// should, and what logged nothing has no figures and no bar.
func TestMedians(t *testing.T) {
	var all []*trial.Result
	for _, r := range some() {
		switch {
		case r.Case.Kind == trial.Steady && r.Case.Fault == trial.Stopped && r.Case.Rate == trial.DefaultRate:
			timed := func(ms time.Duration, ended string) trial.Run {
				ms *= time.Millisecond
				return trial.Run{Logged: int(ms), Delivered: int64(ms), Close: ms, Ended: ended,
					Latency: &load.Latency{P50: ms, Max: 2 * ms, Corrected: load.Quantiles{P999: 3 * ms}}}
			}
			r.Runs = []trial.Run{{Ended: "opening"}, timed(90, "too late"), timed(70, ""), timed(20, ""), timed(30, "")}
		case r.Case.Kind == trial.Flood && r.Case.Rival == "sarama-input":
			r.Runs = []trial.Run{{Ended: "opening", Delivered: -1, CPU: time.Second}}
		}
		all = append(all, r)
	}
	external := *all[0]
	external.Case.Rival = "logback"
	blocks, plots := Blocks(append(all, &external))
	for _, want := range []struct{ block, text string }{
		{"faults", "| `sarama-input` | 30 ms | 0 ns | 0 ns | 0 ns | 60 ms | 0 ns | 90 ms | 0 | 30,000,000 | 1 | 0 | 0 | 0 MiB | 30 ms | opening |"},
		{"summary", "| `sarama-input` |  |  |  |  | 60 ms | 90 ms |"},
		{"calls", "| `sarama-input` |  |  |  |  |  |  |  | opening |"},
		{"calls", "| `logback` | 1,000 |  |  | 500,000 |"},
	} {
		if !strings.Contains(blocks[want.block], want.text) {
			t.Errorf("%s has no %q:\n%s", want.block, want.text, blocks[want.block])
		}
	}
	if !strings.Contains(plots["latency-stopped.svg"], ">90 ms<") {
		t.Errorf("the plot has not the median: %s", plots["latency-stopped.svg"])
	}
	if strings.Contains(plots["cpu.svg"], "sarama-input") {
		t.Errorf("what logged nothing has a bar: %s", plots["cpu.svg"])
	}
}

// Only what stands between the marks changes.
func TestFill(t *testing.T) {
	page := "# Title\n<!-- made by benchmark/cmd/tables: calls -->\nold\n<!-- end -->\nby hand\n"
	got, err := Fill(page, map[string]string{"calls": "new\n"})
	if want := strings.Replace(page, "old", "new", 1); err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{strings.Replace(page, ": calls", ": others", 1), strings.Replace(page, "<!-- end -->", "", 1)} {
		if _, err := Fill(bad, map[string]string{"calls": "new\n"}); err == nil {
			t.Errorf("%q was filled", bad)
		}
	}
}

// A page that is not up to date is found, written, and found no more; a plot of
// which nothing is known any more goes.
func TestUpdate(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "benchmark")
	if err := os.MkdirAll(filepath.Join(dir, "plots"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		filepath.Join(dir, "README.md"):          "<!-- made by benchmark/cmd/tables: calls -->\n<!-- end -->\n",
		filepath.Join(root, "README.md"):         "<!-- made by benchmark/cmd/tables: summary -->\n<!-- end -->\n",
		filepath.Join(dir, "plots", "other.svg"): "<svg/>",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range some() {
		if err := r.Write(filepath.Join(dir, Results)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		write bool
		some  bool
	}{{false, true}, {true, true}, {false, false}} {
		changed, err := Update(dir, want.write)
		if err != nil || len(changed) > 0 != want.some {
			t.Errorf("write=%v: %v, %v", want.write, changed, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "plots", "other.svg")); err == nil {
		t.Error("a plot without results is still there")
	}
}

// Every rival has its place in the tables.
func TestOrder(t *testing.T) {
	for i, r := range rivals.All() {
		if order(r.Name) != i {
			t.Errorf("%s stands at %d, want %d: two have that name", r.Name, order(r.Name), i)
		}
	}
}
