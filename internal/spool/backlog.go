package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"time"
)

// retryEvery is how long replay leaves alone what could not be read, moved or
// deleted.
const retryEvery = 5 * time.Second

// backlog is the segments of one directory, and how far replay has come in
// each. It is used under the lock of its Spool.
type backlog struct {
	dir      string
	own      bool      // the Spool writes there too, and its cap counts it
	lock     dirLock   // of an adopted directory; the Spool keeps that of its own
	segments []*stored // by number
}

// stored is a segment as replay sees it.
type stored struct {
	backlog *backlog
	number  uint64
	live    *segment // nil once it is not written any more
	dropped bool     // not in the backlog any more
	topic   string   // of plain lines, in case the index is missing; if we wrote it

	surveyed bool // the cursor was read
	counted  bool // left is known
	left     int64
	oldest   time.Time // of what is left, about

	size   int64 // of the text, once it is not live
	state  cursorState
	cursor int64 // all before it is done; may be ahead of state.offset
	high   int64 // all behind was never with a caller
	begun  int64 // all before was perhaps given to Kafka by a Replay before this one
	doubt  spans // and these parts by this one, see Replay.Doubt
	file   *cursorFile

	// What is behind cursor: done and moved are settled, flights are with the
	// caller of Replay.Next.
	done    spans
	missing map[int64]bool // settled parts of no length, which no span can hold
	flights map[int64]flight

	readTo    int64 // Next goes on here
	passed    bool  // entries from passedAt on were passed over
	passedAt  int64
	ended     bool  // Next has seen the end, and there will be no other
	rewinds   int   // changes when readTo goes back, so that a reader notices
	indexAt   int64 // the row to go on with at readTo; 0: look for it
	redo      bool  // damage from redoFrom on waits for a place in the quarantine
	redoFrom  int64
	patient   bool // its index could not be opened, and was waited for
	moved     bool // what was at movedFrom is in another file, not synced yet
	movedFrom int64
	retryAt   time.Time // not to be read before
	redoAt    time.Time
	careAt    time.Time // no cursor is written and nothing deleted before
}

// flight is an entry that is with the caller.
type flight struct {
	end  int64
	time time.Time
}

func (g *stored) path(ext string) string {
	return filepath.Join(g.backlog.dir, segmentName(g.number)+ext)
}

// settled reports whether nothing of a part is left to do.
func (g *stored) settled(offset, length int64) bool {
	if length == 0 {
		return g.missing[offset]
	}
	return offset+length <= g.cursor || g.done.covers(offset, offset+length)
}

// move notes that the part at offset stands in another file now.
func (g *stored) move(offset int64) {
	if !g.moved || offset < g.movedFrom {
		g.movedFrom = offset
	}
	g.moved = true
}

// rewind makes Next go back to offset.
func (g *stored) rewind(offset int64) {
	if g.readTo > offset {
		g.readTo = offset
	}
	g.ended, g.indexAt = false, 0
	g.rewinds++
}

// passOver notes that the entry at offset is to come again with the next recall.
func (g *stored) passOver(offset int64) {
	if !g.passed || offset < g.passedAt {
		g.passedAt = offset
	}
	g.passed = true
}

// recall makes Next go back to what was passed over.
func (g *stored) recall() {
	if g.passed {
		g.passed = false
		g.rewind(g.passedAt)
	}
}

func (b *backlog) find(number uint64) *stored {
	i := b.search(number)
	if i < len(b.segments) && b.segments[i].number == number {
		return b.segments[i]
	}
	return nil
}

func (b *backlog) search(number uint64) int {
	return sort.Search(len(b.segments), func(i int) bool { return b.segments[i].number >= number })
}

func (b *backlog) add(g *stored) {
	g.backlog = b
	i := b.search(g.number)
	b.segments = append(b.segments, nil)
	copy(b.segments[i+1:], b.segments[i:])
	b.segments[i] = g
}

func (b *backlog) drop(g *stored) {
	if i := b.search(g.number); i < len(b.segments) && b.segments[i] == g {
		b.segments = append(b.segments[:i], b.segments[i+1:]...)
	}
	g.dropped = true
	g.flights, g.done, g.missing, g.doubt = nil, nil, nil, nil
	if g.file != nil {
		g.file.close()
		g.file = nil
	}
}

// findBacklogLocked makes the backlog agree with the numbers of the segments in
// the directory: what is gone was removed by somebody, and counts as evicted. It
// returns what is new, in order, which is inherited as soon as it is counted.
func (s *Spool) findBacklogLocked(b *backlog, numbers map[uint64]bool) []*stored {
	for i := len(b.segments) - 1; i >= 0; i-- {
		if g := b.segments[i]; g.live == nil && !numbers[g.number] {
			s.goneLocked(g)
		}
	}
	var added []*stored
	for number := range numbers {
		if b.find(number) == nil {
			added = append(added, &stored{number: number})
		}
	}
	sort.Slice(added, func(i, j int) bool { return added[i].number < added[j].number })
	for _, g := range added {
		b.add(g)
	}
	s.balance.change(func(st *Stats) { st.Uncounted += len(added) })
	s.oldestLocked()
	return added
}

// goneLocked takes out a segment whose file somebody removed.
func (s *Spool) goneLocked(g *stored) {
	s.settleLocked(g, g.left, func(st *Stats) *uint64 { return &st.Evicted })
	s.dropLocked(g)
}

func (s *Spool) dropLocked(g *stored) {
	if !g.counted {
		s.balance.change(func(st *Stats) { st.Uncounted-- })
	}
	g.backlog.drop(g)
	s.oldestLocked()
}

// settleLocked books n entries of g from OnFile to another place. Where there
// are more of them than were counted, they turned up just now.
func (s *Spool) settleLocked(g *stored, n int64, to func(*Stats) *uint64) {
	s.balance.change(func(st *Stats) {
		if surplus := n - g.left; surplus > 0 {
			st.Inherited += uint64(surplus)
			st.OnFile += uint64(surplus)
			g.left += surplus
		}
		g.left -= n
		st.OnFile -= uint64(n)
		*to(st) += uint64(n)
	})
}

// oldestLocked brings Stats.Oldest up to date.
func (s *Spool) oldestLocked() {
	oldest := time.Time{}
	for _, b := range s.backlogs {
		for _, g := range b.segments {
			if g.left > 0 {
				if oldest.IsZero() || !g.oldest.IsZero() && g.oldest.Before(oldest) {
					oldest = g.oldest
				}
				break
			}
		}
	}
	s.balance.change(func(st *Stats) { st.Oldest = oldest })
}

// removeLocked deletes the files of a segment that is not live. The text goes
// first: while it is there its cursor is, and while anything is there nothing
// else gets its number. After an error the text is still there; what else could
// not be deleted is left for the next OpenReplay.
func (s *Spool) removeLocked(g *stored) error {
	if g.file != nil {
		g.file.close()
		g.file = nil
	}
	for _, ext := range []string{textExt, indexExt, cursorExt} {
		if err := s.removeFileLocked(g.path(ext), g.backlog.own); err != nil && ext == textExt {
			return err
		}
	}
	return nil
}

func (s *Spool) removeFileLocked(path string, counts bool) error {
	size := int64(0)
	if info, err := s.fs.Stat(path); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	if err := s.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove fallback file %q: %w", path, cause(err))
	}
	if counts {
		s.size.Add(-size)
	}
	for i, p := range s.unsynced {
		if p == path {
			s.unsynced = append(s.unsynced[:i], s.unsynced[i+1:]...)
			break
		}
	}
	return nil
}
