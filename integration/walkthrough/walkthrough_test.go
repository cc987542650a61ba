package walkthrough

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const page = `# P
` + "```console\n$ none\n```" + `
## A walk
Text.
` + "```console\n$ echo one; echo two >&2\nold\n$ true\n```" + `
### More
` + "```go\n$ no\n```\n```console\n$ printf 'go: found x\\n3'\nold\n```" + `
## Another
` + "```console\n$ none\n```\n"

// What a shell prints for the steps of a section takes the place of what the page
// says, and is then the same.
func TestSteps(t *testing.T) {
	steps, err := Steps(page, "## A walk")
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{{"echo one; echo two >&2", "old\n"}, {"true", ""}, {`printf 'go: found x\n3'`, "old\n"}}
	if !reflect.DeepEqual(steps, want) {
		t.Fatalf("got %q, want %q", steps, want)
	}
	printed, err := exec.Command("bash", "-c", Script(steps)).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	ran := Ran(steps, string(printed))
	want[0].Output, want[2].Output = "one\ntwo\n", "3\n"
	if !reflect.DeepEqual(ran, want) {
		t.Fatalf("ran %q, want %q", ran, want)
	}
	updated, err := Update(page, "## A walk", ran)
	if err != nil {
		t.Fatal(err)
	}
	if wanted := strings.NewReplacer("&2\nold\n", "&2\none\ntwo\n", "3'\nold\n", "3'\n3\n").Replace(page); updated != wanted {
		t.Errorf("the page is\n%s\nwant\n%s", updated, wanted)
	}
	if _, err := Update(page, "## A walk", ran[1:]); err == nil {
		t.Error("the page was updated from steps that are not its own")
	}
}

// The first command that fails ends the script, what runs in the background too.
func TestFailure(t *testing.T) {
	steps := []Step{{"sleep 1000 &", ""}, {"(exit 3)", ""}, {"echo never", ""}}
	printed, err := exec.Command("bash", "-c", Script(steps)).CombinedOutput()
	if err == nil || err.Error() != "exit status 3" {
		t.Errorf("ended with %v, want exit status 3", err)
	}
	if ran := Ran(steps, string(printed)); len(ran) != 2 || ran[1].Output != "exit status 3\n" {
		t.Errorf("ran %q, want two steps, and the status of the second", ran)
	}
}

func TestPagesThatAreWrong(t *testing.T) {
	for name, page := range map[string]string{
		"no heading":  "# P\n",
		"no command":  "# P\n## A walk\n## B\n```console\n$ b\n```\n",
		"output only": "# P\n## A walk\n```console\nb\n```\n",
	} {
		if steps, err := Steps(page, "## A walk"); err == nil {
			t.Errorf("%s: %q", name, steps)
		}
	}
}

func TestShape(t *testing.T) {
	for text, want := range map[string]string{
		`lost=0 stored=234 at 2026-11-22T14:10:30.617Z`:              `lost=0 stored=N at TIME`,
		`"acked":39,"pending":0, "took": 0.0395`:                     `"acked":N,"pending":N, "took": N`,
		`"pending":20`:                                               `"pending":N`,
		"39 entries wait for Kafka, 12.1 KiB":                        "N entries wait for Kafka, SIZE",
		"0 entries wait for Kafka, 0 B\n":                            "0 entries wait for Kafka, 0 B\n",
		"x.log  39 \t 0 %  980 B":                                    "x.log N 0 % SIZE",
		`main.go:29 {"tenant": "tenant-0"} 10 20.50 0.00 [replayed]`: `main.go:N {"tenant": "tenant-N"} N N 0 [replayed]`,
	} {
		if got := Shape(text); got != want {
			t.Errorf("the shape of %q is %q, want %q", text, got, want)
		}
	}
}
