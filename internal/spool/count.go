package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// countBudget is how much text Open, or Adopt of a directory, reads to count lines
// that no index describes. Segments that would take more are counted when replay comes to
// them.
const countBudget = 2 * DefaultSegmentBytes

// count returns how many entries, and parts that are none, Next would return
// from here on; a part of which the index knows the number of entries counts as
// so many. Text is read only where there is no row for it. If that would be
// more than budget bytes, ok is false. first is when the first entry was logged,
// zero if unknown. The reader is spent.
func (r *Reader) count(budget int64) (n int64, first time.Time, ok bool, err error) {
	for {
		if r.stopped != nil && r.stopped() {
			return 0, time.Time{}, false, ErrCountingStopped
		}
		r.readRow()
		gone := r.haveRow && r.pos >= r.size
		if r.haveRow && r.row.offset <= r.pos || gone {
			r.haveRow = false
			if first.IsZero() {
				first = fromUnixNano(r.row.first)
			}
			have := r.onFile()
			n += r.countRow(have)
			r.passRow(have)
			continue
		}
		end := r.gapEnd()
		if r.pos >= end {
			return n, first, true, nil
		}
		budget -= end - r.pos
		if budget < 0 {
			return 0, time.Time{}, false, nil
		}
		r.countRead += end - r.pos
		lines, err := r.countLines(r.pos, end)
		if errors.Is(err, ErrCountingStopped) {
			return 0, time.Time{}, false, err
		}
		if err != nil {
			return 0, time.Time{}, false, fmt.Errorf("read fallback file %q: %w", r.path, cause(err))
		}
		n += lines
		r.pos = end
	}
}

// countRow counts the lines of row, of which have bytes are on file.
func (r *Reader) countRow(have int64) (n int64) {
	rest, missing := int64(0), int64(0)
	for _, end := range r.row.ends {
		switch end := int64(end); {
		case end > have:
			missing++
		case r.row.offset+end > r.from:
			n++
			rest = end
		default:
			rest = end
		}
	}
	if r.passedCut(have, rest) {
		return n
	}
	return n + missing
}

// countLines counts the newlines, and one for text behind the last.
func (r *Reader) countLines(from, end int64) (n int64, err error) {
	buf := make([]byte, 64<<10)
	last := byte('\n')
	for from < end {
		part := buf
		if int64(len(part)) > end-from {
			part = part[:end-from]
		}
		if r.stopped != nil && r.stopped() {
			return 0, ErrCountingStopped
		}
		if m, err := r.text.ReadAt(part, from); m < len(part) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		n += int64(bytes.Count(part, []byte{'\n'}))
		last = part[len(part)-1]
		from += int64(len(part))
	}
	if last != '\n' {
		n++
	}
	return n, nil
}
