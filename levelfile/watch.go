// Package levelfile sets the levels of a logger from a small file, and follows
// the file as it changes: one that an operator edits, or the key of a Kubernetes
// ConfigMap that is mounted as a volume.
//
//	watcher, err := levelfile.Watch(logger.Levels(), "/etc/app/levels", nil)
//	defer watcher.Close()
//
// The file has the text form of zapkafka.Levels.Set, on one line or on several:
//
//	info
//	db=debug
//	http=warn
package levelfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/zapkafka/zapkafka"
)

// maxSize is the longest file in bytes.
const maxSize = 64 << 10

// Options are the choices of [Watch]. The zero value is a good one.
type Options struct {
	// ErrorHandler is told why a changed file was not taken, once for each content,
	// on the watcher's goroutine. Default: a line on standard error.
	ErrorHandler func(error)

	// Settle is how far two readings of a changed file are apart that must be the
	// same before it is taken: an editor may write it in several steps. Zero: 100 ms.
	// Negative: an error.
	Settle time.Duration

	// Poll is how often the file is looked at without having been told of a change,
	// as a network file system or a mount over a single file (a Kubernetes subPath)
	// tells of none. Zero: 10 s. Negative: an error.
	Poll time.Duration
}

const (
	defaultSettle = 100 * time.Millisecond
	defaultPoll   = 10 * time.Second
)

// Watcher follows one file. Its methods may be called concurrently.
type Watcher struct {
	levels *zapkafka.Levels
	path   string
	o      Options
	events *fsnotify.Watcher // nil: the system gives no more, and polling has to do

	last  reading // that was dealt with
	fault string  // what was last reported

	stop chan struct{}
	once sync.Once
	done chan struct{}
}

// Watch sets levels to what the file at path says, and then whenever it changes,
// until Close; nil options mean the defaults. A file that is not there is none:
// the levels stay as they are, and it is taken when it comes. A file that goes
// leaves the levels as they are.
//
// It reads the file before it returns. If that fails, or something is wrong in the
// file, it returns the error, and the levels are as before. A later content with
// something wrong changes nothing, and goes to Options.ErrorHandler. A file without
// any level in it is wrong: an editor, or a full disk, leaves one for a moment.
// Levels that were set by other means hold until the file changes; temporary ones
// outlive that.
//
// The directory is watched and not the file, so that files which are replaced by
// renaming, and the symbolic links of ConfigMaps, are followed.
func Watch(levels *zapkafka.Levels, path string, o *Options) (*Watcher, error) {
	switch {
	case levels == nil:
		return nil, errors.New("levelfile: the levels are nil: use logger.Levels()")
	case path == "":
		return nil, errors.New("levelfile: the path of the file is empty")
	}
	path, err := filepath.Abs(path) // the program may change its directory
	if err != nil {
		return nil, fmt.Errorf("levelfile: %w", err)
	}
	w := &Watcher{levels: levels, path: path, stop: make(chan struct{}), done: make(chan struct{})}
	if o != nil {
		w.o = *o
	}
	if w.o.Settle < 0 || w.o.Poll < 0 {
		return nil, fmt.Errorf("levelfile: Settle is %v and Poll %v, but neither can be below 0 (0 is the default)", w.o.Settle, w.o.Poll)
	}
	if w.o.Settle == 0 {
		w.o.Settle = defaultSettle
	}
	if w.o.Poll == 0 {
		w.o.Poll = defaultPoll
	}
	if w.o.ErrorHandler == nil {
		w.o.ErrorHandler = func(err error) {
			fmt.Fprintf(os.Stderr, "%s %v\n", time.Now().UTC().Format(time.RFC3339), err)
		}
	}
	// Before it is read: a change in between is then not missed. Without a watch,
	// as where the system has none left, polling finds it.
	w.events, err = fsnotify.NewWatcher()
	if err != nil {
		w.events = nil
		w.report(fmt.Errorf("levelfile: %s is only looked at every %v, as it cannot be watched: %w", w.path, w.o.Poll, err))
	}
	w.watchDirectory()
	w.last = w.read()
	if err := w.take(w.last); err != nil {
		w.closeEvents()
		return nil, err
	}
	go w.run()
	return w, nil
}

// Close ends the watching and waits for the goroutine, so don't call it from the
// ErrorHandler. The levels stay. It returns nil.
func (w *Watcher) Close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.done
	return nil
}

func (w *Watcher) closeEvents() {
	if w.events != nil {
		_ = w.events.Close()
	}
}

// watchDirectory is called again and again, as a directory may come late, or go
// and come back; one that is watched already stays so.
func (w *Watcher) watchDirectory() {
	if w.events != nil {
		_ = w.events.Add(filepath.Dir(w.path))
	}
}

func (w *Watcher) run() {
	defer close(w.done)
	defer w.closeEvents()
	poll := time.NewTicker(w.o.Poll)
	defer poll.Stop()
	var events <-chan fsnotify.Event
	var faults <-chan error
	if w.events != nil {
		events, faults = w.events.Events, w.events.Errors
	}
	// While it settles, the timer alone decides when the file is read: events may
	// come without end, of other files in the directory too.
	var settle *time.Timer
	var settled <-chan time.Time
	var before reading
	look := func() {
		if now := w.read(); settled == nil && now != w.last {
			before = now
			settle = time.NewTimer(w.o.Settle)
			settled = settle.C
		}
	}
	defer func() {
		if settle != nil {
			settle.Stop()
		}
	}()
	for {
		select {
		case <-w.stop:
			return
		case _, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			if settled == nil {
				look()
			}
		case err, ok := <-faults:
			if !ok {
				faults = nil
				continue
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) { // that loses events, and no more
				w.report(fmt.Errorf("levelfile: watch %s: %w", filepath.Dir(w.path), err))
			}
			look()
		case <-poll.C:
			w.watchDirectory()
			look()
		case <-settled:
			settled = nil
			if now := w.read(); now == before {
				w.last = now
				w.report(w.take(now))
			} else {
				look()
			}
		}
	}
}

// report passes on what was not passed on the last time.
func (w *Watcher) report(err error) {
	if err == nil {
		w.fault = ""
		return
	}
	if fault := err.Error(); fault != w.fault {
		w.fault = fault
		w.o.ErrorHandler(err)
	}
}

// reading is what was found under the path. Two are the same if nothing has changed.
type reading struct {
	text  string
	there bool
	fault string // why it could not be read
}

// take sets the levels to what was read.
func (w *Watcher) take(r reading) error {
	switch {
	case r.fault != "":
		return errors.New(r.fault)
	case !r.there:
		return nil
	case strings.Trim(r.text, ", \t\r\n") == "":
		return fmt.Errorf("levelfile: %s has no level in it: write one, such as info: the levels stay as they are", w.path)
	}
	if err := w.levels.Set(r.text, "file "+w.path); err != nil {
		return fmt.Errorf("levelfile: %s: %w: the levels stay as they are", w.path, err)
	}
	return nil
}

func (w *Watcher) read() reading {
	text, err := readFile(w.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return reading{}
	case err != nil:
		return reading{fault: "levelfile: " + err.Error()}
	}
	return reading{text: text, there: true}
}

func readFile(path string) (string, error) {
	// To open a pipe would wait for somebody to write in it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", fmt.Errorf("%s is a directory: name the file in it that has the levels", path)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not an ordinary file (%v)", path, info.Mode().Type())
	}
	body, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(body) > maxSize {
		err = fmt.Errorf("%s has over %d bytes: it should have lines like info and db=debug", path, maxSize)
	}
	return string(body), err
}
