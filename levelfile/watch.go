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
	"sync"
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

	// Settle is how long the file must have been left alone before it is read: an
	// editor may write it in several steps. Zero: 100 ms. Negative: an error.
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

	last  string // the content that was seen last, taken or not
	seen  bool   // there was one
	fault string // what was last reported

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
// something wrong changes nothing, and goes to Options.ErrorHandler. Levels that
// were set by other means hold until the file changes; temporary ones outlive that.
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
	w.events, _ = fsnotify.NewWatcher()
	w.watchDirectory()
	if err := w.take(); err != nil {
		w.closeEvents()
		return nil, err
	}
	go w.run()
	return w, nil
}

// Close ends the watching and waits for the goroutine. The levels stay. It returns
// nil.
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
	settle := time.NewTimer(w.o.Settle)
	settle.Stop()
	defer settle.Stop()
	var events <-chan fsnotify.Event
	var faults <-chan error
	if w.events != nil {
		events, faults = w.events.Events, w.events.Errors
	}
	for {
		select {
		case <-w.stop:
			return
		case <-events:
			settle.Reset(w.o.Settle)
		case err := <-faults:
			if !errors.Is(err, fsnotify.ErrEventOverflow) { // that loses events, and no more
				w.report(fmt.Errorf("levelfile: watch %s: %w", filepath.Dir(w.path), err))
			}
			settle.Reset(w.o.Settle)
		case <-poll.C:
			w.watchDirectory()
			if text, there, err := w.read(); err != nil || there && (text != w.last || !w.seen) {
				// Somebody may be in the middle of writing it.
				settle.Reset(w.o.Settle)
			}
		case <-settle.C:
			if err := w.take(); err != nil {
				w.report(err)
			} else {
				w.fault = ""
			}
		}
	}
}

// report passes on what was not passed on the last time.
func (w *Watcher) report(err error) {
	if fault := err.Error(); fault != w.fault {
		w.fault = fault
		w.o.ErrorHandler(err)
	}
}

// take sets the levels to what the file says, if that is new.
func (w *Watcher) take() error {
	text, there, err := w.read()
	if err != nil || !there {
		return err
	}
	if w.seen && text == w.last {
		return nil
	}
	w.last, w.seen = text, true
	if err := w.levels.Set(text, "file "+w.path); err != nil {
		return fmt.Errorf("levelfile: %s: %w: the levels stay as they are", w.path, err)
	}
	return nil
}

// read returns what the file has, if it is there.
func (w *Watcher) read() (text string, there bool, err error) {
	info, err := os.Stat(w.path) // to open a pipe would wait for somebody to write in it
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("levelfile: %w", err)
	case info.IsDir():
		return "", false, fmt.Errorf("levelfile: %s is a directory: name the file in it that has the levels", w.path)
	case !info.Mode().IsRegular():
		return "", false, fmt.Errorf("levelfile: %s is not an ordinary file (%v)", w.path, info.Mode().Type())
	}
	f, err := os.Open(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("levelfile: %w", err)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	switch {
	case err != nil:
		return "", false, fmt.Errorf("levelfile: %w", err)
	case len(body) > maxSize:
		return "", false, fmt.Errorf("levelfile: %s has over %d bytes: it should have lines like info and db=debug", w.path, maxSize)
	}
	return string(body), true, nil
}
