package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Scan is what reading a file from its beginning to its end has found.
type Scan struct {
	Path  string
	Bytes int64
	// Topic is that of the plain lines of a segment; empty if it is not known.
	Topic string

	// Entries is the number of entries in the file, done with or not. A part in
	// the quarantine counts as the number of entries that it stands for.
	Entries int64
	// Left is the number of entries behind the cursor: those that a replay would
	// still send. It is Entries less those before.
	Left int64
	// LeftBytes is the length of their lines.
	LeftBytes int64
	// Unindexed is the number of entries without a row of the index, Unverified
	// of those whose text has not the checksum of their row.
	Unindexed, Unverified int64
	// Damaged is the number of parts that are no entry, those missing included.
	Damaged int64
	// Oldest and Newest are the times of entries, zero if none is known. They are
	// exact to the write.
	Oldest, Newest time.Time

	Cursor Cursor
	// IndexMissing says that there is no index, or an empty one. That is no
	// damage: the entries are found without.
	IndexMissing bool
	// IndexDamage is the part of the index from which on it cannot be trusted;
	// nil if all of it can.
	IndexDamage *DamageError
}

// Visitor is told what a scan comes across. Its functions may be nil.
type Visitor struct {
	// Entry is called with each entry. Its slices are good for the call only.
	// left says that it is behind the cursor. A plain line's Topic is that of
	// the segment.
	Entry func(e Entry, left bool)
	// Damage is called with each part of the text that is no entry.
	Damage func(d *DamageError)
}

// ScanSegment reads the segment whose text is at path, with its index and its
// cursor. It takes no lock and changes nothing. The error says why it could not
// be read to its end; damage is no error.
func ScanSegment(path string, v Visitor) (Scan, error) {
	cursor, err := ReadCursor(path)
	s := Scan{Path: path, Cursor: cursor}
	if err != nil {
		return s, err
	}
	r, err := OpenReader(path)
	if err != nil {
		return s, err
	}
	defer r.Close()
	s.Topic = r.Topic()
	err = s.read(r, v)
	s.index(r)
	return s, err
}

// ScanLines reads the rejected file or the quarantine at path, as ScanSegment
// reads a segment.
func ScanLines(path string, v Visitor) (Scan, error) {
	s := Scan{Path: path}
	r, err := OpenReader(path)
	if err != nil {
		return s, err
	}
	defer r.Close()
	err = s.read(r, v)
	return s, err
}

func (s *Scan) read(r *Reader, v Visitor) error {
	s.Bytes = r.size
	quarantine := filepath.Base(s.Path) == quarantineName
	for {
		e, err := r.Next()
		var d *DamageError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &d):
			s.Damaged++
			if v.Damage != nil {
				v.Damage(d)
			}
			continue
		case err != nil:
			return err
		}
		n := int64(1)
		if quarantine {
			n = standsFor(r.text, e)
		}
		if e.Topic == "" {
			e.Topic = s.Topic
		}
		left := s.count(e, n)
		if v.Entry != nil {
			v.Entry(e, left)
		}
	}
}

// standsFor is the number of entries that a line of the quarantine counts for.
// Only there envelopes have it, so it is no part of Envelope.
func standsFor(text io.ReaderAt, e Entry) int64 {
	line := make([]byte, e.Length)
	if n, _ := text.ReadAt(line, e.Offset); n < len(line) {
		return 1
	}
	var part struct {
		Entries *int64 `json:"entries"`
	}
	if err := json.Unmarshal(line, &part); err != nil || part.Entries == nil || *part.Entries < 0 {
		return 1
	}
	return *part.Entries
}

// count adds an entry and reports whether it is behind the cursor.
func (s *Scan) count(e Entry, n int64) (left bool) {
	s.Entries += n
	if left = e.Offset+e.Length > s.Cursor.Offset; left {
		s.Left += n
		s.LeftBytes += e.Length
	}
	switch {
	case !e.Indexed:
		s.Unindexed += n
	case !e.Verified:
		s.Unverified += n
	}
	if e.Time.IsZero() {
		return left
	}
	if s.Oldest.IsZero() || e.Time.Before(s.Oldest) {
		s.Oldest = e.Time
	}
	if e.Time.After(s.Newest) {
		s.Newest = e.Time
	}
	return left
}

// index notes what became of the index of a segment that was read to its end.
func (s *Scan) index(r *Reader) {
	path := strings.TrimSuffix(s.Path, textExt) + indexExt
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		s.IndexMissing = true
	case r.IndexError() != nil:
		s.IndexDamage = &DamageError{Path: path, Offset: r.indexAt, Length: r.indexLeft, Reason: r.IndexError().Error()}
		if r.indexAt == 0 && err == nil {
			s.IndexDamage.Length = info.Size() // it was given up with its header
		}
	}
}

// Describe says it without the path, for a list in which the path stands
// beside.
func (e *DamageError) Describe() string {
	if e.Length == 0 {
		return fmt.Sprintf("at %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("%d bytes at %d: %s", e.Length, e.Offset, e.Reason)
}
