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
	if !g.counted {
		// What cannot be read cannot be counted, but it takes up room.
		if v, err := s.survey(g, math.MaxInt64); err == nil {
			s.surveyedLocked(g, v)
		}
	}
	if err := s.removeLocked(g); err != nil {
		return err
	}
	s.settleLocked(g, g.left, func(st *Stats) *uint64 { return &st.Evicted })
	s.dropLocked(g)
	return nil
}
