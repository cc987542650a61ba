package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka"
)

// progress prints how far it is, from time to time: on a terminal in place, a
// new line each time elsewhere.
type progress struct {
	out     io.Writer
	inPlace bool
	quit    chan struct{}
	group   sync.WaitGroup

	mu     sync.Mutex // guards out and what follows
	inLine bool       // a line in place is not finished
}

func newProgress(out io.Writer, inPlace bool) *progress {
	return &progress{out: out, inPlace: inPlace, quit: make(chan struct{})}
}

// start begins to print. state says how the broker is.
func (p *progress) start(stats func() zapkafka.Stats, state func(zapkafka.Stats) string) {
	every := 2 * time.Second
	if p.inPlace {
		every = 100 * time.Millisecond
	}
	begin := time.Now()
	p.group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for more := true; more; {
			select {
			case <-tick.C:
			case <-p.quit:
				more = false // one last time
			}
			s := stats()
			// Not over 79 columns: a line that wraps cannot be overwritten.
			p.line(fmt.Sprintf("%4.1fs  accepted %6d acked %6d fallback %5d pending %5d %s",
				time.Since(begin).Seconds(), s.Accepted, s.Acked, s.FellBack.Total(), s.PendingEntries, state(s)))
		}
	})
}

// stop ends it; the last line stays.
func (p *progress) stop() {
	close(p.quit)
	p.group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inLine {
		fmt.Fprintln(p.out)
	}
}

func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.inPlace {
		fmt.Fprintln(p.out, text)
		return
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", text)
	p.inLine = true
}

// note prints a trouble of the sink in a line of its own.
func (p *progress) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inLine {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.inLine = false
	}
	fmt.Fprintln(p.out, "         sink:", err)
}

// isTerminal is right often enough for a demo: it also takes /dev/null for one.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// answers tells from the sink's account whether brokers answer.
type answers struct {
	acked uint64
	since time.Time // of the last sign of life
}

func (a *answers) state(s zapkafka.Stats) string {
	now := time.Now()
	if s.Acked > a.acked || s.PendingEntries == 0 || a.since.IsZero() {
		a.acked, a.since = s.Acked, now
	}
	if silent := now.Sub(a.since); silent >= time.Second {
		return fmt.Sprintf("SILENT for %.0fs", silent.Seconds())
	}
	return "broker up"
}
