package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Done says that entries are in Kafka. They may come in any order. An error is
// for the log: the entries are done with all the same, and only a restart would
// bring them again. After Close the error is ErrClosed, and they are on file.
//
// An entry that is not with the caller is passed over: it was done with before,
// given back, or evicted, and counted then.
func (r *Replay) Done(positions ...Position) error {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replays[r] || s.closed {
		return ErrClosed
	}
	var touched []*stored
	for _, p := range positions {
		g, f, ok := r.landLocked(p)
		if !ok {
			continue
		}
		s.doneLocked(g, p, f, func(st *Stats) *uint64 { return &st.Replayed })
		if n := len(touched); n == 0 || touched[n-1] != g {
			touched = append(touched, g)
		}
	}
	return s.advanceAllLocked(touched)
}

// Reject moves an entry that Kafka will never take to the rejected file, with
// the reason. The cap is not asked: the segment, which goes in the end, makes up
// for it. When the file cannot be written the error says why, and the entry is
// still with the caller, who tries again later or gives it back with Again.
func (r *Replay) Reject(e Pending, reason string) error {
	e.Reason = reason
	line := AppendEnvelope(nil, e.Envelope)
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replays[r] || s.closed {
		return ErrClosed
	}
	g := r.b.find(e.Position.segment)
	if g == nil {
		return nil
	}
	f, ok := g.flights[e.Position.offset]
	if !ok {
		return nil
	}
	if err := s.openLineFileLocked(&s.rejected, rejectedName); err != nil {
		return err
	}
	_, grown, err := s.rejected.write(line, []uint32{uint32(len(line))})
	s.size.Add(grown)
	if err != nil {
		return err
	}
	delete(g.flights, e.Position.offset)
	g.move(e.Position.offset)
	s.doneLocked(g, e.Position, f, func(st *Stats) *uint64 { return &st.Rejected })
	return s.advanceAllLocked([]*stored{g})
}

// Again gives entries back, undone: the next Next goes back to the first of them.
// What was passed over behind it comes again too.
func (r *Replay) Again(positions ...Position) { r.giveBack(positions, (*stored).rewind) }

// PassOver gives entries back, undone, and lets Next go on behind them until
// Recall. However many these are, they take no memory: all that Next was at and
// that is neither done with nor with the caller was passed over.
func (r *Replay) PassOver(positions ...Position) { r.giveBack(positions, (*stored).passOver) }

func (r *Replay) giveBack(positions []Position, note func(g *stored, offset int64)) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range positions {
		if g, _, ok := r.landLocked(p); ok {
			note(g, p.offset)
		}
	}
}

// Doubt says that Kafka may have got entries that are with the caller although it
// did not say so: when they are returned again, they are possibly duplicate.
func (r *Replay) Doubt(positions ...Position) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range positions {
		g := r.b.find(p.segment)
		if g == nil {
			continue
		}
		if f, ok := g.flights[p.offset]; ok {
			g.doubt = g.doubt.add(p.offset, f.end).atMost(maxDoubts)
		}
	}
}

// maxDoubts bounds the parts of a segment that are in doubt. With more of them all
// between them is.
const maxDoubts = 1024

// Recall makes Next return what was passed over.
func (r *Replay) Recall() {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range r.b.segments {
		g.recall()
	}
}

// Fragments is how many parts, with others between them that are not, are done
// with: what is kept in memory of them, at most 32 bytes each.
func (r *Replay) Fragments() int {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, g := range r.b.segments {
		n += len(g.done)
	}
	return n
}

// landLocked takes an entry back from the caller.
func (r *Replay) landLocked(p Position) (*stored, flight, bool) {
	g := r.b.find(p.segment)
	if g == nil {
		return nil, flight{}, false
	}
	f, ok := g.flights[p.offset]
	delete(g.flights, p.offset)
	return g, f, ok
}

func (s *Spool) doneLocked(g *stored, p Position, f flight, to func(*Stats) *uint64) {
	g.done = g.done.add(p.offset, f.end)
	s.settleLocked(g, 1, to)
	if f.time.After(g.oldest) {
		g.oldest = f.time
	}
}

func (s *Spool) advanceAllLocked(segments []*stored) error {
	var errs []error
	for _, g := range segments {
		if err := s.advanceLocked(g); err != nil {
			errs = append(errs, err)
		}
	}
	if len(segments) > 0 {
		s.oldestLocked()
	}
	return errors.Join(errs...)
}

// advanceLocked moves the cursor over what is done, and deletes a segment of
// which all is.
func (s *Spool) advanceLocked(g *stored) error {
	if g.dropped {
		return nil
	}
	g.cursor, g.done = g.done.prefix(g.cursor)
	if g.live != nil {
		// The end is reached: nobody else is in an Append now, so the next one
		// begins a new segment, and nothing comes into this one any more.
		if text, _ := g.live.ends(); (text > 0 || g.live.text.torn) && g.cursor >= text {
			s.retireLocked()
			g.ended = g.size == text
		}
	}
	if g.dropped || g.careAt.After(s.now()) {
		return nil
	}
	var err error
	if g.finished() {
		err = s.finishLocked(g)
	}
	if !g.dropped {
		if saveErr := s.saveCursorLocked(g); saveErr != nil {
			err = errors.Join(err, saveErr)
		}
	}
	if err != nil {
		g.careAt = s.now().Add(retryEvery)
	}
	return err
}

// finished reports whether a segment has nothing left for anybody.
func (g *stored) finished() bool {
	return g.live == nil && g.surveyed && g.ended && !g.redo && len(g.flights) == 0 && g.cursor >= g.size
}

// finishLocked deletes a segment. What was moved out of it is brought to the
// disk first: it must survive what the segment would have survived.
func (s *Spool) finishLocked(g *stored) error {
	if g.moved {
		if err := s.syncMovedLocked(); err != nil {
			return fmt.Errorf("%w: segment %q stays until they do", err, g.path(textExt))
		}
	}
	if err := s.removeLocked(g); err != nil {
		return err
	}
	// Counted when the file was longer.
	s.settleLocked(g, g.left, func(st *Stats) *uint64 { return &st.Quarantined })
	s.dropLocked(g)
	return nil
}

func (s *Spool) syncMovedLocked() error {
	for _, l := range []*lineFile{s.rejected, s.quarantined} {
		// A Sync that is under way has taken the mark, and is not done yet.
		if l == nil || !l.dirty && !s.syncing {
			continue
		}
		if err := l.f.Sync(); err != nil {
			return fmt.Errorf("sync %q: %w: rejected or damaged entries may not survive a crash of the machine", l.path, cause(err))
		}
		l.dirty = false
	}
	// One that was closed in between, as its end was torn or it was renamed.
	for _, path := range s.unsynced {
		if name := filepath.Base(path); name != rejectedName && name != quarantineName {
			continue
		}
		if err := s.syncPath(path); err != nil {
			return fmt.Errorf("sync %q: %w", path, cause(err))
		}
	}
	for _, dir := range s.newNames {
		if dir != s.dir {
			continue
		}
		if err := s.fs.SyncDir(dir); err != nil {
			return fmt.Errorf("sync %q: %w", dir, cause(err))
		}
	}
	s.settledMovesLocked()
	return nil
}

// settledMovesLocked notes that all that was moved is on the disk.
func (s *Spool) settledMovesLocked() {
	for _, b := range s.backlogs {
		for _, g := range b.segments {
			g.moved = false
		}
	}
}

// syncMovedEvery is how far the cursor on file may stay behind, in bytes, before
// what was moved is synced for its sake.
const syncMovedEvery = 256 << 10

// safeCursorLocked is how far the cursor on file may go. The crash of a machine
// may keep it and lose what was moved: then nobody would have the entry.
func (s *Spool) safeCursorLocked(g *stored) (int64, error) {
	if !g.moved || g.cursor <= g.movedFrom {
		return g.cursor, nil
	}
	if g.cursor-g.movedFrom >= syncMovedEvery {
		if err := s.syncMovedLocked(); err != nil {
			return g.movedFrom, err
		}
		return g.cursor, nil
	}
	return g.movedFrom, nil
}

// saveCursorLocked writes the cursor if it has moved, or if entries were given
// out of which the file does not know yet that Kafka may have them.
func (s *Spool) saveCursorLocked(g *stored) error {
	if g.dropped || g.cursor <= g.state.offset && g.high <= g.state.high {
		return nil
	}
	to, syncErr := s.safeCursorLocked(g)
	if to <= g.state.offset && g.high <= g.state.high {
		return syncErr
	}
	if g.file == nil {
		c := &cursorFile{path: g.path(cursorExt)}
		var err error
		if c.text, _, err = openToRead(s.fs, g.path(textExt)); err != nil {
			return fmt.Errorf("write cursor %q: %w", c.path, cause(err))
		}
		if c.f, err = s.fs.OpenFile(c.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			c.text.Close()
			return fmt.Errorf("write cursor %q: %w: what was replayed may be replayed again after a restart", c.path, cause(err))
		}
		g.file = c
	}
	before := g.state.size
	state, err := g.file.write(g.number, g.state, to, g.high)
	g.state = state
	if g.backlog.own {
		s.size.Add(g.state.size - before)
	}
	if err != nil {
		// Perhaps the file is no more: look anew next time.
		g.file.close()
		g.file = nil
	}
	return errors.Join(err, syncErr)
}
