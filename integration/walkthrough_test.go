//go:build unix

package integration

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/walkthrough"
)

var update = flag.Bool("update", false, "write what the commands of README.md's walk-through print into it")

const heading = "## A walk-through"

// The commands of README.md's walk-through print what stands there. They are run as a
// new user would, from an empty directory beside the clone, on a Kafka of their own.
func TestWalkthrough(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	steps, err := walkthrough.Steps(page, heading)
	if err != nil {
		t.Fatal(err)
	}
	// The quick start ends with a Sync, which gives Kafka a second. On a busy machine
	// that can be too short for a Kafka that has just started: the entry is on file
	// then, as it should, but the walk is another one.
	for again, tries := true, 3; again && tries > 0; tries-- {
		again = false // also if the walk ends in t.Fatal
		t.Run("walk", func(t *testing.T) { again = walk(t, page, steps, tries > 1) })
	}
}

// walk does the steps. It reports true, if that is allowed, when the entry of the quick
// start came to be on file.
func walk(t *testing.T, page string, steps []walkthrough.Step, mayRepeat bool) (again bool) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(root, filepath.Join(dir, "zapkafka")); err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(dir, "app")
	if err := os.Mkdir(app, 0o700); err != nil {
		t.Fatal(err)
	}
	port := harness.FreePort(t)
	env := []string{fmt.Sprintf("KAFKA_PORT=%d", port), "KAFKA_DIR=" + filepath.Join(root, ".kafka")}
	harness.Own(t, env...) // gone at the end, whatever happened to it
	kafka, service := strconv.Itoa(port), freePort(t)
	here := strings.NewReplacer("localhost:9092", "localhost:"+kafka, "localhost:8080", "localhost:"+service)
	there := strings.NewReplacer("127.0.0.1:"+kafka, "127.0.0.1:9092", "127.0.0.1:"+service, "127.0.0.1:8080",
		"localhost:"+kafka, "localhost:9092", "localhost:"+service, "localhost:8080", dir, "..")
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(here.Replace(quickStart(t, page))), 0o600); err != nil {
		t.Fatal(err)
	}

	printed, err := shell(app, here.Replace(walkthrough.Script(steps)), env...)
	ran := walkthrough.Ran(steps, there.Replace(printed))
	if late, _ := filepath.Glob(filepath.Join(app, "kafka-fallback", "*.log")); len(late) > 0 && mayRepeat {
		t.Log("Kafka has not taken the entry of the quick start within the time of its Sync: once more from the beginning")
		return true
	}
	if err != nil || len(ran) != len(steps) {
		said, _ := os.ReadFile(filepath.Join(app, "service.err")) // if it came so far
		t.Fatalf("%v after %d of %d steps:\n%s\nservice.err:\n%s", err, len(ran), len(steps), there.Replace(printed), said)
	}
	if *update {
		write(t, page, ran)
	} else {
		compare(t, steps, ran)
	}
	return false
}

func compare(t *testing.T, steps, ran []walkthrough.Step) {
	t.Helper()
	for i, s := range steps {
		if walkthrough.Shape(ran[i].Output) != walkthrough.Shape(s.Output) {
			t.Errorf("$ %s\nprints\n%sREADME.md says\n%s(go test -run TestWalkthrough -update writes it there)", s.Command, ran[i].Output, s.Output)
		}
	}
	// What was on file came to Kafka by the replay, all of it and once.
	last := len(ran) - 3
	sheets, found := ran[last].Output, strings.TrimSpace(ran[last+1].Output)
	stored := storedAndReplayed.FindStringSubmatch(sheets)
	if len(stored) != 3 || stored[2] != stored[1] || found != stored[1] {
		t.Errorf("%s replayed records are in the topic, but the service says\n%s", found, sheets)
	}
}

var storedAndReplayed = regexp.MustCompile(`stored=(\d+) replayed=(\d+)`)

func write(t *testing.T, page string, ran []walkthrough.Step) {
	t.Helper()
	page, err := walkthrough.Update(page, heading, ran)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("..", "README.md"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
}

// quickStart is the program that README.md tells to save as main.go.
func quickStart(t *testing.T, page string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, "\n## Quick start\n")
	_, rest, _ = strings.Cut(rest, "```go\n")
	program, _, _ := strings.Cut(rest, "```\n")
	if !strings.HasPrefix(program, "package main\n") {
		t.Fatalf("README.md's quick start is not a program, but:\n%.100s", program)
	}
	return program
}

// shell runs the script with bash in the directory, without the variables of this
// Kafka, and returns what it printed.
func shell(dir, script string, env ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KAFKA_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	// What it started goes with it. A Kafka is in a group of its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	return printed.String(), cmp.Or(ctx.Err(), err)
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody has connected
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
