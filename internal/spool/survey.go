package spool

import (
	"errors"
	"math"
	"time"
)

// This file counts the entries of segments that this process did not write, for
// the balance sheet. Without an index that means reading all of their text, so it
// is done without the Spool's lock: Append must not wait for it. Until a segment is
// counted it is one of Stats.Uncounted.

// ErrCountingStopped is in the error of a Next that had to count first, see
// [Spool.CountUntil].
var ErrCountingStopped = errors.New("counting what is on file was stopped")

// CountUntil makes counting end when stop is closed: that of Adopt, which goes
// without, and that of Next, which then returns [ErrCountingStopped]. It is for
// the one who is about to open a Replay; the next one sets a channel of his own.
func (s *Spool) CountUntil(stop <-chan struct{}) { s.countUntil.Store(stop) }

// stopped reports whether counting is to end.
func (s *Spool) stopped() bool {
	if s.closing.Load() {
		return true
	}
	stop, _ := s.countUntil.Load().(<-chan struct{})
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// survey is what a look at a segment of an earlier process says.
type survey struct {
	state cursorState
	size  int64
	left  int64
	read  int64 // text read to count
	first time.Time
	ok    bool // left is known
}

// openSurvey opens a segment that is not live for counting what is behind its
// cursor.
func (s *Spool) openSurvey(g *stored) (*storedReader, survey, error) {
	f, err := openStored(s.fs, g.path(textExt), -1, -1)
	if err != nil {
		return nil, survey{}, err
	}
	// A cursor that cannot be read is as good as none.
	state, _ := readCursor(s.fs, g.path(cursorExt), g.number, f.text, f.size)
	f.seek(state.offset)
	f.stopped = s.stopped
	return f, survey{state: state, size: f.size}, nil
}

// survey opens a segment, and counts if that takes no more than budget bytes of
// text. It needs no lock.
func (s *Spool) survey(g *stored, budget int64) (survey, error) {
	f, v, err := s.openSurvey(g)
	if err != nil {
		return v, err
	}
	defer f.Close()
	v.left, v.first, v.ok, err = f.count(budget)
	v.read = f.countRead
	return v, err
}

// surveyAll counts segments that were found together, as far as one budget goes.
func (s *Spool) surveyAll(segments []*stored) {
	budget := int64(countBudget)
	for _, g := range segments {
		// What cannot be read now, replay reports when it comes to it.
		v, err := s.survey(g, budget)
		if err != nil {
			continue
		}
		budget -= v.read
		s.mu.Lock()
		if !g.dropped && !s.closed {
			s.surveyedLocked(g, v)
			s.oldestLocked()
		}
		s.mu.Unlock()
	}
}

// surveyNow does for a segment what was left for later.
func (r *Replay) surveyNow(g *stored) error {
	v, err := r.s.survey(g, math.MaxInt64)
	if err != nil {
		return err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if !g.dropped {
		r.s.surveyedLocked(g, v)
		r.s.oldestLocked()
	}
	return nil
}

func (s *Spool) surveyedLocked(g *stored, v survey) {
	if !g.surveyed {
		g.surveyed = true
		g.state, g.cursor, g.readTo, g.size = v.state, v.state.offset, v.state.offset, v.size
		g.high, g.begun = v.state.high, v.state.high
	}
	if !g.counted && v.ok {
		g.counted, g.left, g.oldest = true, v.left, v.first
		s.balance.change(func(st *Stats) {
			st.Uncounted--
			st.Inherited += uint64(v.left)
			st.OnFile += uint64(v.left)
		})
	}
}

// countEvicted counts a segment that is deleted already, f being what is left of
// it: Append needed the room at once. The disk has it when f is closed.
func (s *Spool) countEvicted(f *storedReader) {
	defer s.counting.Done()
	defer f.Close()
	s.countTurn.Lock() // one at a time
	defer s.countTurn.Unlock()
	f.stopped = s.closing.Load
	n, _, _, err := f.count(math.MaxInt64)
	if errors.Is(err, ErrCountingStopped) {
		return
	}
	// What cannot be read cannot be counted.
	s.balance.change(func(st *Stats) {
		st.Uncounted--
		st.Inherited += uint64(n)
		st.Evicted += uint64(n)
	})
}
