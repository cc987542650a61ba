package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// console is where a command writes.
type console struct {
	out, err                 io.Writer // results, and everything else
	outTerminal, errTerminal bool
	colour                   bool // out is a terminal that may be given colours

	results *results
}

func newConsole(c console) *console {
	c.results = &results{w: c.out}
	c.out = c.results
	// https://no-color.org: present and not empty.
	c.colour = c.outTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &c
}

// say prints a line of the result. That it could not is found at the end.
func (c *console) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, format+"\n", args...)
}

// note prints a line that is not part of the result. Where standard error fails
// there is nobody left to tell.
func (c *console) note(format string, args ...any) {
	_, _ = fmt.Fprintf(c.err, format+"\n", args...)
}

// sayJSON prints v as the whole result.
func (c *console) sayJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// results is standard output. It remembers that it failed: what comes after is
// dropped, and the command may look and end early.
type results struct {
	mu     sync.Mutex
	w      io.Writer
	failed error // guarded by mu
}

func (r *results) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil {
		return 0, r.failed
	}
	n, err := r.w.Write(p)
	r.failed = err
	return n, err
}

// gone reports whether nothing can be written any more.
func (r *results) gone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed != nil
}

// problem is what kept output from being written; nil also where the reader
// just had enough, like head(1).
func (r *results) problem() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil || errors.Is(r.failed, syscall.EPIPE) || errors.Is(r.failed, io.ErrClosedPipe) {
		return nil
	}
	return fmt.Errorf("write the result: %w", r.failed)
}
