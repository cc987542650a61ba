package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/zapkafka/zapkafka"
)

// lineEvery is how often progress is told where there is no terminal.
const lineEvery = 5 * time.Second

// progress tells on standard error how far a replay is: a bar on a terminal, a
// line from time to time elsewhere.
type progress struct {
	w   io.Writer
	dir string
	bar *progressbar.ProgressBar // nil: lines

	mu    sync.Mutex // guards w, bar and what follows
	found uint64
	told  time.Time // a line, or the bar when it did not move
	moved uint64    // of the entries found
}

func newProgress(c *console, dir string) *progress {
	p := &progress{w: c.err, dir: dir, told: time.Now()}
	if c.errTerminal {
		p.bar = progressbar.NewOptions64(1,
			progressbar.OptionSetWriter(c.err), progressbar.OptionSetDescription(dir),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("entries"),
			progressbar.OptionSetWidth(20), progressbar.OptionSetPredictTime(false),
		)
	}
	return p
}

// show tells how far it is; state is how Kafka answers.
func (p *progress) show(s zapkafka.FallbackStats, state zapkafka.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	trouble := ""
	if state == zapkafka.FallbackOnly {
		trouble = "Kafka does not answer"
	}
	if p.bar != nil {
		p.showBarLocked(s, trouble)
		return
	}
	if now := time.Now(); now.Sub(p.told) >= lineEvery {
		p.told = now
		if trouble != "" {
			trouble = "; " + trouble
		}
		_, _ = fmt.Fprintf(p.w, "%s: sent %s of %s%s\n", p.dir, grouped(s.Replayed), count(s.Inherited, "entry", "entries"), trouble)
	}
}

// showBarLocked moves the bar, or shows once a second that it stands still. Its
// errors are of its writer, which nobody can be told of.
func (p *progress) showBarLocked(s zapkafka.FallbackStats, trouble string) {
	moved, now := s.Inherited-s.OnFile, time.Now()
	if s.Inherited == 0 || s.Inherited == p.found && moved == p.moved && now.Sub(p.told) < time.Second {
		return
	}
	p.told, p.moved = now, moved
	if s.Inherited != p.found {
		p.found = s.Inherited
		p.bar.ChangeMax64(int64(s.Inherited))
	}
	if trouble != "" {
		trouble = " (" + trouble + ")"
	}
	p.bar.Describe(p.dir + trouble)
	_ = p.bar.Set64(int64(moved))
}

// note prints a trouble in lines of its own.
func (p *progress) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	_, _ = fmt.Fprintln(p.w, err)
}

// end leaves the bar as it is, and the cursor on a new line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil && p.found > 0 {
		_ = p.bar.Exit()
		_, _ = fmt.Fprintln(p.w)
	}
}
