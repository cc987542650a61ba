// Package zapconfig_test compares the programs beside it.
package zapconfig_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Three lines of the stock program change for Kafka, imports aside.
func TestThreeLinesChange(t *testing.T) {
	for _, c := range []struct {
		program     string
		new, others int // lines that come in, and of the stock program those that change
	}{
		{"core", 2, 1},
		{"url", 3, 0},
	} {
		before, after := code(t, "stock"), code(t, c.program)
		gone, come := without(before, after), without(after, before)
		if len(gone) != c.others || len(come) != c.new+c.others {
			t.Errorf("%s: gone\n%s\ncome\n%s\nwant %d lines changed and %d new ones",
				c.program, strings.Join(gone, "\n"), strings.Join(come, "\n"), c.others, c.new)
		}
		// What is common to both is in the same order.
		if kept := without(after, come); !slices.Equal(kept, without(before, gone)) {
			t.Errorf("%s: the lines that stay are in another order:\n%s", c.program, strings.Join(kept, "\n"))
		}
	}
}

// code returns the lines of a program from its first function on.
func code(t *testing.T, program string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(program, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, functions, ok := strings.Cut(string(text), "\nfunc main()")
	if !ok {
		t.Fatalf("%s has no func main", program)
	}
	return strings.Split(functions, "\n")
}

// without returns the lines that are not among the others.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
}
