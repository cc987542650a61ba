package zapkafka

import (
	"errors"
	"fmt"
	"time"
)

// FsyncAtOnce is a FallbackOptions.FsyncAfter: each write is followed by an
// fsync.
const FsyncAtOnce = time.Nanosecond

// timedFsync brings what was written to a Fallback to the disk without anybody
// asking for it, on a goroutine of its own: writes go on beside it, and nobody
// waits for it.
type timedFsync struct {
	after time.Duration
	sync  func()
	wrote chan struct{} // has room for one signal
	stop  chan struct{} // closed by Fallback.Close
	done  chan struct{} // closed by run
}

func newTimedFsync(after time.Duration, sync func()) *timedFsync {
	return &timedFsync{
		after: after, sync: sync,
		wrote: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

func (t *timedFsync) run() {
	defer close(t.done)
	timer := newStoppedTimer()
	defer timer.Stop()
	for {
		select {
		case <-t.wrote:
		case <-t.stop:
			return
		}
		resetTimer(timer, t.after)
		select {
		case <-timer.C:
		case <-t.stop:
			return // Close syncs
		}
		// What was written until here is in this fsync. A write that comes from
		// here on gives a signal for the next, even if this one has it too.
		select {
		case <-t.wrote:
		default:
		}
		t.sync()
	}
}

// end stops the goroutine. It waits for an fsync that is under way.
func (t *timedFsync) end() {
	close(t.stop)
	<-t.done
}

// wrote notes that there is something to bring to the disk.
func (f *Fallback) wrote() {
	if f.timed != nil {
		wake(f.timed.wrote)
	}
}

// syncByTime is an fsync that nobody asked for. If it fails, the next Sync says
// so, even if that one succeeds: what an operating system failed to write back it
// may have dropped, and forgotten.
func (f *Fallback) syncByTime() {
	f.syncMu.Lock()
	defer f.syncMu.Unlock()
	err := f.countFsync(f.fsync())
	if err == nil {
		return
	}
	f.untold = err
	f.reportersMu.Lock()
	defer f.reportersMu.Unlock()
	for r := range f.reporters {
		r.report("fallback sync", fmt.Errorf("zapkafka: fallback: %w", err))
	}
}

// countFsync counts an fsync that failed.
func (f *Fallback) countFsync(err error) error {
	if err != nil {
		f.failedFsyncs.Add(1)
	}
	return err
}

// Sync makes all that was written before survive a crash of the machine
// (fsync of files and directory). It waits for the disk; writes go on
// meanwhile. The error also names an fsync by FallbackOptions.FsyncAfter that
// failed since the last Sync. After Close, which syncs, it does nothing.
func (f *Fallback) Sync() error {
	f.syncMu.Lock()
	defer f.syncMu.Unlock()
	err := errors.Join(f.untold, f.countFsync(f.fsync()))
	f.untold = nil
	return err
}

// Close syncs, closes the files and gives the directory up. It waits for writes
// that are under way and for the disk. Further calls return what the first did.
func (f *Fallback) Close() error {
	f.closeOnce.Do(func() {
		if f.timed != nil {
			f.timed.end()
		}
		f.syncMu.Lock()
		defer f.syncMu.Unlock()
		f.closeErr = errors.Join(f.untold, f.countFsync(f.spool.Close()))
		f.untold = nil
	})
	return f.closeErr
}

// tell makes r hear of fsyncs that fail, until told otherwise.
func (f *Fallback) tell(r *reporter, hear bool) {
	f.reportersMu.Lock()
	defer f.reportersMu.Unlock()
	if !hear {
		delete(f.reporters, r)
		return
	}
	if f.reporters == nil {
		f.reporters = map[*reporter]bool{}
	}
	f.reporters[r] = true
}
