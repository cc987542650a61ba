package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inTempDir makes a directory of the test's the one for temporary files.
func inTempDir(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // its name on Windows
}

func TestDemo(t *testing.T) {
	inTempDir(t)
	out, errs := want(t, exitWell, []string{"demo", "--rate", "500", "--outage", "2500ms"},
		"the broker goes away", "the sink is now: fallback only", "the broker is back", " 0 twice.")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	balance := regexp.MustCompile(`^accepted=(\d+) acked=\d+ fallback=[1-9]\d* replayed=[1-9]\d* onfile=0 lost=0 missing=0$`)
	if last := lines[len(lines)-1]; !balance.MatchString(last) || errs != "" {
		t.Errorf("last line %q\n%s", last, errs)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestDemoInterrupted ends it in the outage: nothing is missing then either.
func TestDemoInterrupted(t *testing.T) {
	inTempDir(t)
	o, e := &text{}, &text{}
	ctx, interrupt := context.WithCancel(t.Context())
	code := make(chan int)
	go func() { code <- run(ctx, []string{"demo", "--outage", "1h"}, newConsole(console{out: o, err: e})) }()
	waitUntil(t, "the fallback fills", func() bool { return regexp.MustCompile(`on file +[1-9]`).MatchString(o.String()) })
	interrupt()
	if got := <-code; got != exitWell || !strings.Contains(o.String(), " lost=0 missing=0\n") {
		t.Errorf("exit code %d\n%s%s", got, o, e)
	}
}
