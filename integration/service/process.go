package service

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Plan says how the program is run.
type Plan struct {
	Program  string // path
	Progress string // file of the Progress
	Workers  int
	Args     []string // flags beside those above
}

// Process is the program at work.
type Process struct {
	Plan     Plan
	First    Answer // given when the sink was open
	progress *Progress
	cmd      *exec.Cmd
	in       io.WriteCloser
	answers  chan Answer // closed at the end of the process's output
	said     tail
	reading  sync.WaitGroup
	ended    bool
}

// Start starts the program and returns when it has opened its sink. It is killed
// at the end of the test if it runs then.
func Start(t testing.TB, plan Plan) *Process {
	t.Helper()
	progress, err := OpenProgress(plan.Progress)
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{Plan: plan, progress: progress, answers: make(chan Answer)}
	p.cmd = exec.Command(plan.Program, append([]string{"-progress", plan.Progress, "-workers", fmt.Sprint(plan.Workers)}, plan.Args...)...)
	p.cmd.Stderr = &p.said
	p.in, err = p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.reading.Go(func() { p.read(out) })
	t.Cleanup(func() {
		p.Kill()
		_ = progress.Close()
		if t.Failed() {
			t.Logf("the program said:\n%s", p.Said())
		}
	})
	p.First = p.await(t, "start")
	return p
}

// read passes answers on until the output ends.
func (p *Process) read(out io.Reader) {
	defer close(p.answers)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var a Answer
		if err := json.Unmarshal(line, &a); err != nil {
			a.Error = fmt.Sprintf("%v in the program's answer %q", err, line)
		}
		p.answers <- a
	}
}

// Patience is how long the program may take for a command.
const Patience = 90 * time.Second

func (p *Process) await(t testing.TB, command string) Answer {
	t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	select {
	case a, ok := <-p.answers:
		if !ok {
			t.Fatalf("the program ended at the command %s:\n%s", command, p.Said())
		}
		if a.Error != "" {
			t.Errorf("the program's answer to %s: %s", command, a.Error)
		}
		return a
	case <-timeout.C:
		t.Fatalf("the program did not answer to %s within %v", command, Patience)
	}
	panic("unreachable")
}

// Ask gives the program a command and returns its answer. One goroutine asks at
// a time.
func (p *Process) Ask(t testing.TB, command string) Answer {
	t.Helper()
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		t.Fatalf("command %s: %v\n%s", command, err, p.Said())
	}
	return p.await(t, command)
}

// Shutdown ends the program in good order and returns its last answer.
func (p *Process) Shutdown(t testing.TB) Answer {
	t.Helper()
	a := p.Ask(t, Shutdown)
	p.end()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the program's exit status is %d:\n%s", code, p.Said())
	}
	return a
}

// Kill ends it with SIGKILL, if it runs, and returns when it is gone.
func (p *Process) Kill() {
	if p.ended {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	p.end()
}

// end waits for the end of the process.
func (p *Process) end() {
	p.ended = true
	for range p.answers { // what nobody asked for, up to the end
	}
	p.reading.Wait()
	_ = p.cmd.Wait()
	_ = p.in.Close()
}

// Begun returns how many entries each worker has begun to log, and behind them how
// many the command Large did, the program being alive or not.
func (p *Process) Begun() []int {
	begun := make([]int, p.Plan.Workers+1)
	for i := range begun {
		begun[i] = int(atomic.LoadInt64(&p.progress.Begun()[i]))
	}
	return begun
}

// Logged is the sum of Begun.
func (p *Process) Logged() int {
	n := 0
	for _, b := range p.Begun() {
		n += b
	}
	return n
}

// Said returns the last of what the program wrote to standard error.
func (p *Process) Said() string { return p.said.String() }

// tail keeps the last of what is written to it.
type tail struct {
	mu  sync.Mutex
	all []byte
}

const tailBytes = 64 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, p...)
	if n := len(w.all) - tailBytes; n > tailBytes {
		w.all = append(w.all[:0], w.all[n:]...)
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.all))
}
