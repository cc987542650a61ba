package zapkafka

import (
	"fmt"
	"sync"
)

// fsyncer brings what was written to the fallback to the disk when someone asks
// for it: one fsync for all who ask at the time. It has a goroutine of its own,
// because an fsync may take seconds and the fallback writer has to go on making
// room meanwhile.
type fsyncer struct {
	file   fallbackFile
	report *reporter
	wake   chan struct{} // room for one signal
	stop   chan struct{} // closed by Shutdown
	done   chan struct{} // closed by run

	turn sync.Mutex // held for the time of an fsync

	mu     sync.Mutex
	dirty  bool          // something was written since the last fsync began
	wanted uint64        // number of the latest request
	ended  uint64        // the latest request that was answered
	err    error         // of the fsync that answered it
	change chan struct{} // closed when an fsync has ended; nil if nobody waits
}

func newFsyncer(file fallbackFile, report *reporter) *fsyncer {
	return &fsyncer{
		file: file, report: report,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// wrote notes that the disk has less than the file.
func (f *fsyncer) wrote() {
	f.mu.Lock()
	f.dirty = true
	f.mu.Unlock()
}

// want asks for an fsync. It returns nil if everything written is on the disk.
// Otherwise the returned function gives true and the error of the fsync, once
// it is over, or a channel that is closed on the next change.
func (f *fsyncer) want() func() (over bool, change <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirty {
		f.wanted++
	} else if f.wanted == f.ended {
		return nil
	}
	number := f.wanted
	wake(f.wake)
	return func() (bool, <-chan struct{}, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.ended >= number {
			return true, nil, f.err
		}
		if f.change == nil {
			f.change = make(chan struct{})
		}
		return false, f.change, nil
	}
}

func (f *fsyncer) run() {
	defer close(f.done)
	for {
		f.syncIfWanted()
		select {
		case <-f.wake:
		case <-f.stop:
			return
		}
	}
}

// syncIfWanted makes the fsync that was asked for, unless there is none or
// another goroutine is at it (after Shutdown whoever asks does it).
func (f *fsyncer) syncIfWanted() {
	// Who comes while the turn is taken goes away, so whoever had the turn looks
	// again after it.
	for f.isWanted() && f.turn.TryLock() {
		f.sync()
		f.turn.Unlock()
	}
}

func (f *fsyncer) isWanted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wanted != f.ended
}

// sync answers all requests that there are. The turn is held.
func (f *fsyncer) sync() {
	f.mu.Lock()
	number := f.wanted
	// What is written from here on needs another.
	f.dirty = false
	f.mu.Unlock()

	err := f.file.Sync()
	if err != nil {
		f.report.report("fallback sync", fmt.Errorf("zapkafka: fallback: %w", err))
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended, f.err = number, err
	if err != nil {
		f.dirty = true // the next one has to try again
	}
	if f.change != nil {
		close(f.change)
		f.change = nil
	}
}
