package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The program opens its sink with Kafka away, logs, obeys, and leaves what it has
// begun to log when it is killed.
func TestProcess(t *testing.T) {
	program := filepath.Join(t.TempDir(), "service")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/service").CombinedOutput(); err != nil {
		t.Fatalf("go build ../cmd/service: %v\n%s", err, out)
	}
	start := func() (*Process, string) {
		dir := t.TempDir()
		return Start(t, Plan{
			Program: program, Workers: 3, Progress: filepath.Join(t.TempDir(), "progress"),
			Args: []string{"-brokers", "127.0.0.1:1", "-fallback", dir, "-rate", "300", "-deadline", "1s"},
		}), dir
	}
	p, dir := start()
	for p.Logged() < 100 {
		p.Ask(t, Stats)
	}
	lap := p.Ask(t, Lap)
	if lap.Calls.Entries == 0 || lap.Mallocs == 0 {
		t.Errorf("a lap of %d calls and %d allocations", lap.Calls.Entries, lap.Mallocs)
	}
	p.Ask(t, Large+" 5000")
	stopped := p.Ask(t, Stop)
	last := p.Shutdown(t)
	begun := p.Begun()
	if n := p.Logged(); begun[3] != 1 || uint64(n) != last.Stats.Accepted || stopped.Calls.Entries != n-1 {
		t.Errorf("begun %v, %d calls, %d accepted: want as many of each, and one large", begun, stopped.Calls.Entries, last.Stats.Accepted)
	}
	if last.Stats.FellBack.Total() != last.Stats.Accepted || last.Dir != dir {
		t.Errorf("%d of %d are in the fallback %s, want all in %s", last.Stats.FellBack.Total(), last.Stats.Accepted, last.Dir, dir)
	}

	p, _ = start()
	for p.Logged() < 100 {
		p.Ask(t, Stats)
	}
	asked := p.Ask(t, Stats).Stats.Accepted
	p.Kill()
	if n := p.Logged(); uint64(n) < asked {
		t.Errorf("%d were begun when it was killed, but %d accepted before", n, asked)
	}
}

// What one mapping of the file has another has too.
func TestProgress(t *testing.T) {
	name := filepath.Join(t.TempDir(), "progress")
	var all []*Progress
	for range 2 {
		p, err := OpenProgress(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	all[0].Begun()[7] = 42
	if n := all[1].Begun()[7]; n != 42 {
		t.Errorf("%d, want 42", n)
	}
	for _, p := range all {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := OpenProgress(filepath.Join(name, "below")); err == nil || os.IsExist(err) {
		t.Errorf("a file below a file was opened: %v", err)
	}
}
