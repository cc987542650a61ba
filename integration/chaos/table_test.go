package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// RESULTS.md is what the results say.
func TestResults(t *testing.T) {
	const name = "RESULTS.md"
	results, err := readResults("results")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, s := range scenarios {
		order = append(order, s.name)
	}
	want := table(results, order)
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != want {
		t.Errorf("%s is not what the files in results say (%v): in integration/, go test ./chaos -run TestResults -update", name, err)
	}
}

// A result that was written is read again as it was, and has its row.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	written := []*Result{
		{Scenario: "second", Client: "franz", Passed: true, Accepted: 11, Commit: "abc1234", Figures: []Figure{{"time", "3s"}}, Versions: map[string]string{"go": "go1.26"}},
		{Scenario: "first", Client: "kafkago", Missing: 7, MaxCall: 3 * time.Second},
		{Scenario: "first", Client: "franz", Passed: true},
		{Scenario: "no more", Client: "franz"},
	}
	for _, r := range written {
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	read, err := readResults(dir)
	if err != nil || len(read) != len(written) {
		t.Fatalf("%d results, %v", len(read), err)
	}
	text := table(read, []string{"first", "second"})
	from := 0
	for _, want := range []string{
		"| first | franz | 0 ", "| passed |",
		"| first | kafkago | 0 ", "| 7 | 0 | 3s ", "| **failed** |",
		"| second | franz | 11 ", "| passed | abc1234 |",
		"| no more | franz |",
		"- second, franz: time 3s\n",
		"cores, go go1.26: second\n",
	} {
		at := strings.Index(text[from:], want)
		if at < 0 {
			t.Fatalf("no %q in its place in\n%s", want, text)
		}
		from += at
	}

	if err := os.Rename(filepath.Join(dir, "first.franz.json"), filepath.Join(dir, "first.other.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(dir); err == nil {
		t.Error("a result under another's name was taken")
	}
}
