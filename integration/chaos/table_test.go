package chaos

import (
	"os"
	"testing"
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
