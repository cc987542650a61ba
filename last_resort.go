package zapkafka

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// lastResortLines is how many lost entries are written in a lastResortWindow.
	lastResortLines  = 10
	lastResortWindow = time.Second
	// lastResortBytes is how much of an entry is written: with what stands before
	// it, a line of it is one write that a pipe takes whole (PIPE_BUF of Linux).
	lastResortBytes = 4000
)

// lastResort writes entries that are lost where somebody may see them. It is told
// of them by whoever counts them as lost, callers and those under the queue's lock
// among them, so take only copies, and only what will be written. The writing,
// which may hang (standard error may be a pipe that nobody reads), is done by a
// goroutine that lives while there is something to write.
type lastResort struct {
	w    io.Writer     // nil: off
	stop chan struct{} // closed by Shutdown: nobody waits for the end of the window

	mu sync.Mutex
	// Guarded by mu.
	begun    time.Time // of the window
	taken    int       // in it
	lines    [][]byte
	withheld uint64
	idle     chan struct{} // closed when the goroutine has ended; nil if none runs
}

func newLastResort(w io.Writer) *lastResort {
	if w == io.Discard {
		w = nil
	}
	return &lastResort{w: w, stop: make(chan struct{})}
}

// take takes a lost entry. It never blocks, and keeps nothing of it.
func (l *lastResort) take(entry []byte) {
	l.takeAll(1, func(int) []byte { return entry })
}

// takeAll takes as many lost entries. It never blocks, and asks only for those
// that will be written.
func (l *lastResort) takeAll(n int, entry func(i int) []byte) {
	if l.w == nil || n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.begun) >= lastResortWindow {
		l.begun, l.taken = now, 0
		l.tellWithheldLocked()
	}
	// With a writer that hangs, what it has not taken stays, and nothing is added.
	for i := 0; i < n; i++ {
		if l.taken >= lastResortLines || len(l.lines) >= lastResortLines {
			l.withheld += uint64(n - i)
			break
		}
		l.taken++
		l.lines = append(l.lines, lastResortLine(entry(i)))
	}
	// After Shutdown there is no goroutine that waits for the end of the window:
	// how many were withheld is told with the next line.
	if l.idle == nil && (len(l.lines) > 0 || !isClosed(l.stop)) {
		l.idle = make(chan struct{})
		go l.run(l.idle)
	}
}

// tellWithheldLocked makes a line of the entries that were withheld.
func (l *lastResort) tellWithheldLocked() {
	if l.withheld > 0 && len(l.lines) < lastResortLines {
		l.lines = append(l.lines, []byte(fmt.Sprintf("zapkafka: lost: and %d entries more, which are not shown\n", l.withheld)))
		l.withheld = 0
	}
}

func lastResortLine(entry []byte) []byte {
	entry = bytes.TrimSuffix(entry, []byte{'\n'})
	kept := cutAt(entry, lastResortBytes)
	line := append(append(make([]byte, 0, len(kept)+64), "zapkafka: lost: "...), kept...)
	if cut := len(entry) - len(kept); cut > 0 {
		line = append(line, fmt.Sprintf(" (and %d bytes more)", cut)...)
	}
	return append(line, '\n')
}

// run writes until there is nothing to write. If entries were withheld it says
// how many at the end of the window.
func (l *lastResort) run(idle chan struct{}) {
	defer close(idle)
	for {
		lines, wait := l.next()
		for _, line := range lines {
			// Who is told that this fails? There is nobody left.
			_, _ = l.w.Write(line)
		}
		if len(lines) > 0 {
			continue
		}
		if wait == 0 {
			return
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-l.stop:
			t.Stop()
		}
	}
}

// next returns what is to be written now, or how long to wait before asking
// again; neither at the end.
func (l *lastResort) next() (lines [][]byte, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := time.Until(l.begun.Add(lastResortWindow)); left > 0 && !isClosed(l.stop) && l.withheld > 0 {
		wait = left
	} else {
		l.tellWithheldLocked()
	}
	lines, l.lines = l.lines, nil
	if len(lines) == 0 && wait == 0 {
		l.idle = nil
	}
	return lines, wait
}

// end makes the goroutine come to its end, and returns a channel that is closed
// when it has.
func (l *lastResort) end() <-chan struct{} {
	close(l.stop)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idle == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return l.idle
}
