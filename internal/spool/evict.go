package spool

import (
	"errors"
	"math"
)

// evictParts is how many segments a cap has room for at least, when the oldest
// give way. Room is made by whole segments: with fewer of them, a write to a
// full directory would cost a large part of what is on file.
const evictParts = 16

// makeRoomLocked deletes the oldest segments until need bytes are free under the
// cap, or none is left but the one being written. One that cannot be deleted is
// passed over.
func (s *Spool) makeRoomLocked(need int64) error {
	var errs []error
	for i := 0; s.maxBytes-s.size.Load() < need && i < len(s.own.segments); {
		g := s.own.segments[i]
		if g.live != nil {
			i++
			continue
		}
		if err := s.evictLocked(g); err != nil {
			errs = append(errs, err)
			i++
		}
	}
	return errors.Join(errs...)
}

// evictLocked deletes a segment. Entries which were replayed out of their order
// were taken off the count already, so what is left is what is lost. Those that
// are with the caller of Replay.Next are among it: nobody knows yet what becomes
// of them, and they are no more on file.
func (s *Spool) evictLocked(g *stored) error {
	if !g.counted && s.evictUncountedLocked(g) {
		return nil
	}
	if err := s.removeLocked(g); err != nil {
		return err
	}
	s.settleLocked(g, g.left, func(st *Stats) *uint64 { return &st.Evicted })
	s.dropLocked(g)
	return nil
}

// evictUncountedLocked deletes a segment that was not counted yet, and has it
// counted afterwards. It reports false if that does not work.
func (s *Spool) evictUncountedLocked(g *stored) bool {
	f, _, err := s.openSurvey(g)
	if err != nil {
		return false // what cannot be read cannot be counted, but it takes up room
	}
	if s.removeLocked(g) != nil {
		f.Close()
		// On Windows a file that is open is not deleted.
		if v, err := s.survey(g, math.MaxInt64); err == nil {
			s.surveyedLocked(g, v)
		}
		return false
	}
	g.backlog.drop(g)
	s.oldestLocked()
	s.counting.Add(1)
	go s.countEvicted(f)
	return true
}
