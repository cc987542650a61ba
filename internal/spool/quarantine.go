package spool

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
)

// pieceBytes is how much of a damaged part goes into one line of the quarantine,
// and into memory.
const pieceBytes = 1 << 20

// piece is one line of the quarantine: bytes of a file that are no entry.
type piece struct {
	file    string // relative to the directory that Open was given
	offset  int64
	entries int // on the first piece: how many entries it is for
	reason  string
	raw     []byte
}

// append appends an envelope whose value is the raw bytes. NULs at the end, which
// is what a file system shows of lost blocks, are left out: the size says how
// many there were.
func (p piece) append(dst []byte) []byte {
	value := p.raw
	for len(value) > 0 && value[len(value)-1] == 0 {
		value = value[:len(value)-1]
	}
	dst = append(dst, envelopePrefix...)
	dst = append(dst, '0'+envelopeVersion)
	dst = appendText(dst, ',', "reason", []byte(p.reason))
	dst = append(dst, fmt.Sprintf(`,"size":%d`, len(p.raw))...)
	dst = appendText(dst, ',', "file", []byte(p.file))
	dst = append(dst, fmt.Sprintf(`,"offset":%d,"entries":%d,"value64":"`, p.offset, p.entries)...)
	start, n := len(dst), base64.StdEncoding.EncodedLen(len(value))
	dst = grow(dst, start+n)
	base64.StdEncoding.Encode(dst[start:], value)
	return append(dst, '"', '}', '\n')
}

// quarantine moves a damaged part of g, which text is of, and settles it. When
// it fails the part is where it was, and Next comes back to it later.
func (s *Spool) quarantine(g *stored, text file, d *DamageError) error {
	p := piece{file: s.relative(d.Path), offset: d.Offset, entries: d.Entries, reason: d.Reason}
	for left := d.Length; ; {
		n := left
		if n > pieceBytes {
			n = pieceBytes
		}
		p.raw = grow(p.raw[:0], int(n))
		if m, err := text.ReadAt(p.raw, p.offset); m < len(p.raw) {
			return s.postpone(g, d, fmt.Errorf("read fallback file %q at %d: %w", d.Path, p.offset, cause(err)))
		}
		if err := s.writePiece(g, d, p); err != nil {
			return s.postpone(g, d, err)
		}
		left -= n
		p.offset += n
		p.entries = 0
		if left == 0 {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || g.dropped || g.settled(d.Offset, d.Length) {
		return nil
	}
	if d.Length == 0 {
		if g.missing == nil {
			g.missing = map[int64]bool{}
		}
		g.missing[d.Offset] = true
	}
	g.move(d.Offset)
	g.done = g.done.add(d.Offset, d.Offset+d.Length)
	s.settleLocked(g, int64(d.Entries), func(st *Stats) *uint64 { return &st.Quarantined })
	return nil
}

// writePiece writes one line, unless the part is not ours any more. The cap is
// not asked: the segment, which goes when all of it is done with, makes up for
// it, and must not stay because there is no room to empty it.
func (s *Spool) writePiece(g *stored, d *DamageError, p piece) error {
	line := p.append(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if g.dropped || g.settled(d.Offset, d.Length) {
		return nil
	}
	if err := s.openLineFileLocked(&s.quarantined, quarantineName); err != nil {
		return err
	}
	_, grown, err := s.quarantined.write(line, []uint32{uint32(len(line))})
	s.size.Add(grown)
	return err
}

func (s *Spool) postpone(g *stored, d *DamageError, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !g.redo || d.Offset < g.redoFrom {
		g.redoFrom = d.Offset
	}
	g.redo, g.redoAt = true, s.now().Add(retryEvery)
	return err
}

// relative is a path as the quarantine names it.
func (s *Spool) relative(path string) string {
	if rel, err := filepath.Rel(s.root, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}
