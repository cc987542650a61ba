package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// pending is what has to be synced: taken under the lock, worked off without.
type pending struct {
	open  []openFile // files still open
	paths []string   // files closed since
	dirs  []string
}

type openFile struct {
	path string
	f    file
}

// Sync makes all that was written before it was called survive a crash of the
// machine: text, index, rejected entries, and the names of new files. It waits
// for the disk; writes go on meanwhile. When a file cannot be synced the error
// names it, a new segment is begun, and the next Sync tries the file again; but
// what an operating system once failed to write back it may have dropped (on
// Linux it usually has). After Close, which syncs, it does nothing.
func (s *Spool) Sync() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	p := s.pendingLocked()
	s.syncing = true
	s.mu.Unlock()

	failed, err := s.work(p)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncing = false
	s.againLocked(failed)
	return err
}

// Close syncs, closes the files and gives up the ownership of the directory. It
// waits for writes that are under way and for the disk. Later calls wait for
// the first and return the same.
func (s *Spool) Close() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return s.closeErr
	}
	// From here on no write begins, so nothing is left behind the sync.
	s.closed = true
	s.closing.Store(true)
	p := s.pendingLocked()
	var replays []*Replay
	for r := range s.replays {
		replays = append(replays, r)
	}
	s.mu.Unlock()

	_, s.closeErr = s.work(p)
	for _, r := range replays {
		r.closeReader()
	}
	s.counting.Wait() // nobody begins any more: that takes an Append

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.current.close()
	}
	for _, l := range []*lineFile{s.rejected, s.quarantined} {
		if l != nil {
			l.f.Close()
		}
	}
	if s.closeErr == nil {
		s.settledMovesLocked()
	}
	for _, b := range s.backlogs {
		for _, g := range b.segments {
			// What fails here is replayed again; the next owner finds out why.
			_ = s.saveCursorLocked(g)
		}
		b.giveUp()
	}
	if s.lock != nil {
		s.lock.Close()
	}
	return s.closeErr
}

// pendingLocked takes the marks of what is to be synced.
func (s *Spool) pendingLocked() pending {
	p := pending{paths: s.unsynced, dirs: s.newNames}
	s.unsynced, s.newNames = nil, nil
	files := []*lineFile{s.rejected, s.quarantined}
	if s.current != nil {
		files = append(files, s.current.text, s.current.index)
	}
	for _, l := range files {
		if l != nil && l.dirty {
			l.dirty = false
			p.open = append(p.open, openFile{path: l.path, f: l.f})
		}
	}
	return p
}

// work syncs, and returns what failed.
func (s *Spool) work(p pending) (failed pending, err error) {
	var errs []error
	note := func(path string, err error) bool {
		if err != nil {
			errs = append(errs, fmt.Errorf("sync %q: %w: entries written since the last sync may not survive a crash of the machine", path, cause(err)))
		}
		return err != nil
	}
	for _, o := range p.open {
		err := o.f.Sync()
		if errors.Is(err, fs.ErrClosed) {
			// A write ended the segment after we took the file.
			err = s.syncPath(o.path)
		}
		if note(o.path, err) {
			failed.paths = append(failed.paths, o.path)
		}
	}
	for _, path := range p.paths {
		if note(path, s.syncPath(path)) {
			failed.paths = append(failed.paths, path)
		}
	}
	for _, dir := range p.dirs {
		if err := s.fs.SyncDir(dir); !errors.Is(err, fs.ErrNotExist) && note(dir, err) {
			failed.dirs = append(failed.dirs, dir)
		}
	}
	return failed, errors.Join(errs...)
}

// syncPath syncs a file that is closed. fsync(2) is about the file, not about
// the descriptor that wrote to it.
func (s *Spool) syncPath(path string) error {
	f, err := s.fs.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed since: nobody wants it
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// againLocked puts back what failed. After a failed sync the end of the file is
// in doubt, so nothing more is written behind it.
func (s *Spool) againLocked(failed pending) {
	s.unsynced = append(s.unsynced, failed.paths...)
	for _, dir := range failed.dirs {
		s.namedLocked(dir)
	}
	if s.current == nil {
		return
	}
	for _, path := range failed.paths {
		if path == s.current.text.path || s.current.index != nil && path == s.current.index.path {
			s.current.spent = true
		}
	}
}
