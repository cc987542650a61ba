package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Adopt looks for directories beside the Spool's own whose owner has died and
// left entries: the one that Open was given, if the Spool had to take a
// subdirectory, and the subdirectories of further owners. It takes their locks
// and returns a Replay of each. It never waits for an owner, and of several
// processes that look at the same time one gets a directory. What Open found in
// the Spool's own directory is with OpenReplay, not here.
//
// Nothing is written in an adopted directory but cursors; rejected and damaged
// entries go to the files of the Spool's own. When all of a directory is done
// with, its Replay gives it up and removes what is empty. An error is about a
// directory that could not be looked at, and stands beside the others' Replays.
// Append does not wait while entries are counted.
//
// Processes die at any time, so ask again now and then.
func (s *Spool) Adopt() ([]*Replay, error) {
	replays, found, err := s.adopt()
	s.surveyAll(found)
	return replays, err
}

// adopt does that, and leaves the counting of the segments it found to its caller.
func (s *Spool) adopt() (replays []*Replay, found []*stored, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	dirs, err := s.othersLocked()
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("adopt what dead owners left in %q: %w", s.root, cause(err)))
	}
	for _, dir := range dirs {
		b, err := s.adoptLocked(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("adopt fallback directory %q: %w", dir, cause(err)))
		}
		if b != nil {
			replays = append(replays, s.newReplayLocked(b))
			found = append(found, b.segments...)
		}
	}
	return replays, found, errors.Join(errs...)
}

// othersLocked lists the directories that may be without an owner.
func (s *Spool) othersLocked() ([]string, error) {
	taken := map[string]bool{}
	for _, b := range s.backlogs {
		taken[b.dir] = true
	}
	var dirs []string
	if !taken[s.root] {
		dirs = append(dirs, s.root)
	}
	entries, err := s.fs.ReadDir(s.root)
	for _, e := range entries {
		if dir := filepath.Join(s.root, e.Name()); e.IsDir() && isOwner(e.Name()) && !taken[dir] {
			dirs = append(dirs, dir)
		}
	}
	return dirs, err
}

// adoptLocked takes one directory, if there is anything in it and nobody owns it.
func (s *Spool) adoptLocked(dir string) (*backlog, error) {
	numbers, only, err := s.segmentsIn(dir)
	// Most are in use, or empty: these are left without touching the lock.
	if err != nil || len(numbers) == 0 && (!only || dir == s.root) {
		return nil, ignoreMissing(err)
	}
	lock, err := acquire(filepath.Join(dir, lockName))
	if errors.Is(err, errOwned) {
		return nil, nil
	}
	if err != nil {
		return nil, ignoreMissing(err)
	}
	b := &backlog{dir: dir, lock: lock}
	// Now that it is ours: the owner before may have written or deleted since.
	if err = s.sweepLocked(b); err == nil {
		numbers, _, err = s.segmentsIn(dir)
	}
	if err != nil || len(numbers) == 0 {
		s.leaveLocked(b)
		return nil, ignoreMissing(err)
	}
	s.backlogs = append(s.backlogs, b)
	s.findBacklogLocked(b, numbers)
	return b, nil
}

// segmentsIn lists the segments in dir. only says that nothing but a lock, and
// perhaps indexes and cursors without a text, is there.
func (s *Spool) segmentsIn(dir string) (numbers map[uint64]bool, only bool, err error) {
	entries, err := s.fs.ReadDir(dir)
	numbers, only = map[uint64]bool{}, true
	for _, e := range entries {
		number, ext, ok := segmentNumber(e.Name())
		switch {
		case ok && ext == textExt && e.Type().IsRegular():
			numbers[number] = true
		case ok && (ext == indexExt || ext == cursorExt), e.Name() == lockName:
		default:
			only = false
		}
	}
	return numbers, only, err
}

// ignoreMissing is nil for a directory that somebody removed meanwhile.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// releaseLocked ends a Replay. An adopted directory is given up; entries still
// in it are not ours any more.
func (s *Spool) releaseLocked(r *Replay) {
	delete(s.replays, r)
	b := r.b
	if b.own {
		return
	}
	for len(b.segments) > 0 {
		g := b.segments[0]
		left := uint64(g.left)
		s.balance.change(func(st *Stats) {
			st.Inherited -= left
			st.OnFile -= left
		})
		s.dropLocked(g)
	}
	for i := range s.backlogs {
		if s.backlogs[i] == b {
			s.backlogs = append(s.backlogs[:i], s.backlogs[i+1:]...)
			break
		}
	}
	s.leaveLocked(b)
}

// leaveLocked gives up an adopted directory, and removes it if it is a
// subdirectory with nothing in it but the lock. The order is the lock's, see
// dirLock: nobody is let in who would then lose the directory.
func (s *Spool) leaveLocked(b *backlog) {
	entries, err := s.fs.ReadDir(b.dir)
	if b.dir == s.root || err != nil || len(entries) != 1 || entries[0].Name() != lockName {
		b.lock.Close()
		return
	}
	if b.lock.Remove() == nil {
		// If somebody has made a lock of his own by now, this fails, as it should.
		_ = s.fs.Remove(b.dir)
	}
}

// mayReplayLocked makes sure that nobody else replays the directory: somebody
// may have removed the lock file.
func (s *Spool) mayReplayLocked(b *backlog) error {
	if b.own {
		return s.stayOwnerLocked()
	}
	if b.lock.held() {
		return nil
	}
	lock, err := acquire(filepath.Join(b.dir, lockName))
	if err != nil {
		return fmt.Errorf("take fallback directory %q again, as its lock file was removed: %w", b.dir, cause(err))
	}
	b.lock.Close()
	b.lock = lock
	return nil
}

// giveUp closes what is open, at the end of the Spool.
func (b *backlog) giveUp() {
	for _, g := range b.segments {
		if g.file != nil {
			g.file.close()
			g.file = nil
		}
	}
	if b.lock != nil {
		b.lock.Close()
	}
}
