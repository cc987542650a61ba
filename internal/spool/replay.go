package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// Position is the place of an entry in a Replay.
type Position struct {
	segment uint64
	offset  int64
}

// String gives the segment's number and the offset in its text.
func (p Position) String() string { return fmt.Sprintf("%s+%d", segmentName(p.segment), p.offset) }

// Pending is an entry that waits for Kafka. It is the caller's; several may share
// a block of memory, which goes with the last of them.
type Pending struct {
	// Entry is what is on file. Its Topic is the one of the segment for entries
	// that have none of their own; empty if the segment's is not known.
	// PossiblyDuplicate is also set if a Replay that has ended since, in an
	// earlier process or in this one, had the entry out, and after Doubt.
	Entry
	// Position is what Done, Reject, Again and PassOver are told.
	Position Position
}

// Replay takes entries off the file: Next returns them, oldest first, and Done,
// Reject, Again or PassOver says what became of each. As long as none of these was called
// for an entry it stays on file, however far Next has gone. All methods may be
// called concurrently with each other and with those of the Spool.
//
// A segment whose entries are all done with is deleted, the one being written
// included; the next Append then begins another. How far replay has come is kept
// beside each segment: after a crash, entries that were done may come again, and
// none is left out.
type Replay struct {
	s *Spool
	b *backlog

	// mu makes calls of Next take turns. It is taken before the Spool's.
	mu      sync.Mutex
	reader  *storedReader
	of      *stored // the segment that reader is of
	rewinds int     // of that segment when reader was opened
	final   bool    // reader goes to the end of a segment that gets no longer
	memory  []byte  // for values; what is behind len was given to nobody
	usual   int     // entries of the last batch: about as many come next
}

// OpenReplay begins to take entries off the Spool's own directory: those of
// earlier processes and those of Append alike. There is one Replay of it at a
// time.
func (s *Spool) OpenReplay() (*Replay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	for r := range s.replays {
		if r.b == s.own {
			return nil, fmt.Errorf("open replay of %q: it is open already", s.dir)
		}
	}
	if err := s.sweepLocked(s.own); err != nil {
		return nil, fmt.Errorf("open replay of %q: %w", s.dir, cause(err))
	}
	return s.newReplayLocked(s.own), nil
}

func (s *Spool) newReplayLocked(b *backlog) *Replay {
	r := &Replay{s: s, b: b}
	s.replays[r] = true
	return r
}

// sweepLocked deletes what is left of segments whose text is gone: an index or a
// cursor says nothing by itself.
func (s *Spool) sweepLocked(b *backlog) error {
	entries, err := s.fs.ReadDir(b.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	texts := map[uint64]bool{}
	for _, e := range entries {
		if number, ext, ok := segmentNumber(e.Name()); ok && ext == textExt {
			texts[number] = true
		}
	}
	for _, e := range entries {
		number, ext, ok := segmentNumber(e.Name())
		if ok && !texts[number] && (ext == indexExt || ext == cursorExt) && e.Type().IsRegular() {
			// One that stays does no harm but for its size.
			_ = s.removeFileLocked((&stored{backlog: b, number: number}).path(ext), b.own)
		}
	}
	return nil
}

// Dir is the directory whose entries these are.
func (r *Replay) Dir() string { return r.b.dir }

// Next returns the next entries: at most maxEntries, and no more of them when
// their lines have maxBytes together, but at least one if there is one. None and
// no error means that there is nothing now; a later Append changes that.
//
// An error beside the entries is for the log: a part that could not be read,
// moved to the quarantine or deleted, is left where it is and tried again after
// some seconds, and does not hold up the rest. [ErrCountingStopped] is among it if
// [Spool.CountUntil] ended the counting of a segment. After Close the error is
// ErrClosed. The Replay of an adopted directory ends with io.EOF when all of it
// is done with, and needs no Close then.
//
// Next holds one batch in memory, and for reading one write's text. It reads as
// far as whole entries were written, never into one that is being written.
func (r *Replay) Next(maxEntries int, maxBytes int64) ([]Pending, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.usual > maxEntries {
		r.usual = maxEntries
	}
	batch := make([]Pending, 0, r.usual)
	var errs []error
	for size := int64(0); len(batch) < maxEntries && (len(batch) == 0 || size < maxBytes); {
		g, err := r.pick()
		if err != nil {
			errs = append(errs, err)
		}
		if g == nil {
			break
		}
		n := len(batch)
		var damage *DamageError
		batch, err = r.read(g, batch, maxEntries, maxBytes-size)
		batch = r.take(g, batch, n)
		for _, e := range batch[n:] {
			size += e.Length
		}
		switch {
		case errors.As(err, &damage):
			err = r.s.quarantine(g, r.reader.text, damage)
		case errors.Is(err, io.EOF):
			r.atEnd(g)
			err = nil
		case err != nil:
			r.leaveAlone(g)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	r.usual = len(batch)
	if err := r.tidy(); err != nil {
		errs = append(errs, err)
	}
	return batch, errors.Join(errs...)
}

// pick finds the oldest segment with something to read, and opens it. nil means
// that there is none now; an error may stand beside a segment further on.
func (r *Replay) pick() (*stored, error) {
	var errs []error
	for {
		g, text, index, err := r.choose()
		if err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		if g == nil {
			r.closeReaderLocked()
			return nil, errors.Join(errs...)
		}
		if err = r.open(g, text, index); err == nil {
			return g, errors.Join(errs...)
		}
		errs = append(errs, err)
		if errors.Is(err, ErrCountingStopped) {
			if r.s.closing.Load() {
				return nil, ErrClosed
			}
			return nil, errors.Join(errs...)
		}
	}
}

// choose returns a segment and how far it may be read; -1 means to its end.
func (r *Replay) choose() (g *stored, text, index int64, err error) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replays[r] || s.closed {
		return nil, 0, 0, ErrClosed
	}
	now := s.now()
	for _, g := range r.b.segments {
		if g.redo && !g.redoAt.After(now) {
			g.redo = false
			g.rewind(g.redoFrom)
		}
		if g.retryAt.After(now) {
			continue
		}
		if g.live == nil && !g.ended {
			return g, -1, -1, nil
		}
		if g.live != nil {
			if text, index = g.live.ends(); g.readTo < text {
				return g, text, index, nil
			}
		}
	}
	return nil, 0, 0, nil
}

// open makes reader one of g, if it is not.
func (r *Replay) open(g *stored, text, index int64) error {
	s := r.s
	s.mu.Lock()
	if r.reader != nil && r.of == g && r.rewinds == g.rewinds {
		// To the end of what it was opened for, first. A segment that has grown
		// or was ended since is opened anew then.
		s.mu.Unlock()
		return nil
	}
	known := g.surveyed && g.counted
	err := s.mayReplayLocked(r.b)
	s.mu.Unlock()
	r.closeReaderLocked()
	if err == nil && !known {
		err = r.surveyNow(g)
	}
	var reader *storedReader
	if err == nil {
		reader, err = openStored(s.fs, g.path(textExt), text, index)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && reader.indexFails != nil && !g.patient {
		// Too many open files, perhaps: once, it is worth waiting for what only
		// the index knows.
		g.patient = true
		err = reader.indexFails
		reader.Close()
		reader = nil
	}
	switch {
	case g.dropped:
		if reader != nil {
			reader.Close()
		}
		return nil // read finds that out, too
	case errors.Is(err, fs.ErrNotExist) && g.live == nil:
		s.goneLocked(g)
		return fmt.Errorf("%w: somebody removed it: its entries count as evicted", err)
	case errors.Is(err, ErrCountingStopped):
		return err
	case err != nil:
		g.retryAt = s.now().Add(retryEvery)
		return err
	}
	r.reader, r.of, r.rewinds, r.final = reader, g, g.rewinds, text < 0
	if r.final {
		g.size = reader.size
	}
	reader.goOn(g.readTo, g.indexAt)
	return nil
}

// read appends entries of the reader to batch, until something else than an
// entry comes.
func (r *Replay) read(g *stored, batch []Pending, maxEntries int, maxBytes int64) ([]Pending, error) {
	if r.of != g || r.reader == nil {
		return batch, nil // evicted while it was opened
	}
	size := int64(0)
	for n := len(batch); len(batch) < maxEntries && (n == len(batch) || size < maxBytes); {
		e, err := r.reader.Next()
		if err != nil {
			return batch, err
		}
		size += e.Length
		// An envelope's value is a copy already.
		if r.reader.valueShared {
			e.Value = r.keep(e.Value)
		}
		if e.Topic == "" {
			e.Topic = r.reader.Topic()
		}
		if e.Topic == "" {
			e.Topic = g.topic
		}
		batch = append(batch, Pending{Entry: e, Position: Position{segment: g.number, offset: e.Offset}})
	}
	return batch, nil
}

// keep copies a value to where the caller may have it.
func (r *Replay) keep(value []byte) []byte {
	if cap(r.memory)-len(r.memory) < len(value) {
		n := 64 << 10
		if n < len(value) {
			n = len(value)
		}
		r.memory = make([]byte, 0, n)
	}
	start := len(r.memory)
	r.memory = append(r.memory, value...)
	return r.memory[start:len(r.memory):len(r.memory)]
}

// take notes that the entries from n on are with the caller, but for those which
// need no replay: after a rewind, and when the segment was evicted meanwhile.
func (r *Replay) take(g *stored, batch []Pending, n int) []Pending {
	if n == len(batch) {
		return batch
	}
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := batch[:n]
	unindexed := uint64(0)
	for _, e := range batch[n:] {
		end := e.Offset + e.Length
		if r.rewinds == g.rewinds && g.readTo < end {
			g.readTo, g.indexAt = end, 0
		}
		if _, flying := g.flights[e.Offset]; flying || g.dropped || s.closed || g.settled(e.Offset, e.Length) {
			continue
		}
		if g.flights == nil {
			g.flights = map[int64]flight{}
		}
		g.flights[e.Offset] = flight{end: end, time: e.Time}
		if g.high < end {
			g.high = end // tidy writes it down before the caller has them
		}
		if e.Offset < g.begun || g.doubt.covers(e.Offset, end) {
			e.PossiblyDuplicate = true
		}
		if !e.Indexed {
			unindexed++
		}
		kept = append(kept, e)
	}
	s.balance.change(func(st *Stats) { st.Unindexed += unindexed })
	return kept
}

// atEnd notes that the reader has come to its end.
func (r *Replay) atEnd(g *stored) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.reader == nil {
		return
	}
	if !g.dropped && r.rewinds == g.rewinds {
		g.readTo = r.reader.size
		if r.final {
			g.ended = true
		} else if r.reader.indexErr == nil && !r.reader.haveRow {
			g.indexAt = r.reader.indexAt
		}
	}
	r.closeReaderLocked()
}

// leaveAlone makes Next pass over a segment for some time.
func (r *Replay) leaveAlone(g *stored) {
	r.closeReaderLocked()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	g.retryAt = r.s.now().Add(retryEvery)
	g.rewind(g.readTo) // not to end here
}

// closeReaderLocked is under the Replay's lock, not the Spool's.
func (r *Replay) closeReaderLocked() {
	if r.reader != nil {
		r.reader.Close()
	}
	r.reader, r.of = nil, nil
}

func (r *Replay) closeReader() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeReaderLocked()
}

// tidy keeps what Next has changed, and ends the Replay of an adopted directory
// of which nothing is left.
func (r *Replay) tidy() error {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replays[r] || s.closed {
		return nil // Next has said so
	}
	var errs []error
	for i := len(r.b.segments) - 1; i >= 0; i-- {
		if err := s.advanceLocked(r.b.segments[i]); err != nil {
			errs = append(errs, err)
		}
	}
	if len(r.b.segments) == 0 && !r.b.own {
		s.releaseLocked(r)
		errs = append(errs, io.EOF)
	}
	return errors.Join(errs...)
}

// Close ends the Replay. Entries that are with the caller stay on file, and a
// Done of them is too late. What is left in an adopted directory is the next
// adopter's, and no more in Stats.Inherited. Spool.Close ends all Replays.
func (r *Replay) Close() error {
	r.closeReader()
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replays[r] || s.closed {
		return nil
	}
	for _, g := range r.b.segments {
		for offset := range g.flights {
			g.rewind(offset)
		}
		g.recall()
		g.flights, g.begun, g.doubt = nil, g.high, nil
	}
	s.releaseLocked(r)
	return nil
}
