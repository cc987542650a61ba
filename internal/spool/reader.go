package spool

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxLine bounds what a reader holds of one line.
const maxLine = MaxBatchBytes

// Entry is an entry read back. Its slices are the reader's, and good until the
// next call of Next.
type Entry struct {
	Envelope

	// Offset is where the entry's line begins in its file, in bytes.
	Offset int64
	// Length is the length of its line, newline included.
	Length int64
	// Indexed says that a row of the index describes the entry. Without one,
	// Time and PossiblyDuplicate are known only if the line is an envelope.
	Indexed bool
	// Verified says that the text is what was written, by its checksum.
	Verified bool
}

// DamageError is a part of a file that is no entry. The reader goes on behind
// it.
type DamageError struct {
	Path   string
	Offset int64 // in bytes
	Length int64 // may be 0: something is missing at Offset
	// Entries is how many entries there were, where the index says so; otherwise
	// 1, for the part.
	Entries int
	Reason  string
}

// Error names the file, the place and what is wrong with it.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: %d bytes at %d are no entry: %s", e.Path, e.Length, e.Offset, e.Reason)
}

// Reader reads the entries of one file, by the rows of its index where these
// can be trusted and by newlines elsewhere. It is not safe for concurrent use.
type Reader struct {
	path string
	// envelopes says that a file has no plain lines, so that what a crash left of
	// an envelope is not taken for one.
	envelopes bool
	text      io.ReaderAt
	size      int64
	close     func() error

	header   indexHeader
	indexErr error

	index     *bufio.Reader // nil: no more rows
	indexLeft int64
	indexAt   int64       // where the next row begins
	countRead int64       // text that count read
	stopped   func() bool // count is to end; nil: never
	rowsEnd   int64       // where the text of the row before ends
	row       indexRow
	rowBuf    []byte
	haveRow   bool // row is read and its text is not

	from int64 // lines that end here or before are passed over
	pos  int64 // all before it was returned, or is in block

	block     []byte // text of the row that is being returned
	blockAt   int64
	blockEnds []uint32
	blockIDs  []uint64 // for each of blockEnds, or none
	blockFrom uint32
	blockRow  indexRow // times and flags for it
	blockGood bool     // the text has the checksum of the row

	valueShared bool // the Value last returned is in our memory

	lines    *bufio.Reader // text between rows, being split by newlines
	linesEnd int64
	line     []byte
}

// OpenReader opens a segment or the rejected file for reading, with its index
// if there is one. It reads as far as the file went at this moment. An owner may
// go on writing; the line that it is just writing may then look torn. A missing or unreadable index is no error, see
// [Reader.IndexError].
func OpenReader(path string) (*Reader, error) {
	// The index is measured before the text: an owner writes text first, so all
	// that this much of the index describes is there already.
	index, indexSize, indexErr := openForRead(strings.TrimSuffix(path, textExt) + indexExt)
	text, size, err := openForRead(path)
	if err != nil {
		if indexErr == nil {
			index.Close()
		}
		return nil, fmt.Errorf("read fallback file %q: %w", path, cause(err))
	}
	if indexErr != nil {
		r := newReader(path, text, size, nil, 0)
		r.indexErr, r.close = indexErr, text.Close
		return r, nil
	}
	r := newReader(path, text, size, index, indexSize)
	r.close = func() error { return errors.Join(text.Close(), index.Close()) }
	r.checkNumber(filepath.Base(path))
	return r, nil
}

// checkNumber does without an index that is another segment's.
func (r *Reader) checkNumber(name string) {
	if number, _, ok := segmentNumber(name); ok && r.index != nil && r.header.number != number {
		r.indexErr = fmt.Errorf("the index is of segment %d", r.header.number)
		r.header, r.index = indexHeader{}, nil
	}
}

func openForRead(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func newReader(path string, text io.ReaderAt, size int64, index io.ReaderAt, indexSize int64) *Reader {
	_, _, segment := segmentNumber(filepath.Base(path))
	r := &Reader{path: path, envelopes: !segment, text: text, size: size, close: func() error { return nil }}
	if index == nil {
		return r
	}
	b := bufio.NewReaderSize(io.NewSectionReader(index, 0, indexSize), 64<<10)
	header, n, err := readHeader(b)
	if err != nil {
		r.indexErr = err
		return r
	}
	r.header, r.index, r.indexAt, r.indexLeft = header, b, int64(n), indexSize-int64(n)
	return r
}

// seek makes a new reader begin at from. A line that begins before and ends
// behind it is returned whole where the index describes it.
func (r *Reader) seek(from int64) { r.from, r.pos = from, from }

// Topic is the topic of the plain lines; empty if it is not known.
func (r *Reader) Topic() string { return r.header.topic }

// IndexError says why the index was not read to its end, if so: missing, cut
// off, damaged. It is nil as long as nothing was found, so ask at the end.
func (r *Reader) IndexError() error { return r.indexErr }

// Close closes the files.
func (r *Reader) Close() error { return r.close() }

// Next returns the next entry. At the end it returns io.EOF. A *[DamageError]
// is a part that is no entry, and Next may be called again for what follows;
// after any other error it may not.
func (r *Reader) Next() (Entry, error) {
	for {
		switch {
		case len(r.blockEnds) > 0:
			return r.nextOfBlock()
		case r.lines != nil:
			if r.pos < r.linesEnd {
				return r.nextLine()
			}
			r.lines = nil
		default:
			if err := r.advance(); err != nil {
				return Entry{}, err
			}
		}
	}
}

// advance finds what comes at pos: the text of a row, or text without one.
func (r *Reader) advance() error {
	r.readRow()
	// Rows whose text is gone come last, one damage each.
	gone := r.haveRow && r.pos >= r.size
	if r.haveRow && r.row.offset <= r.pos || gone {
		r.haveRow = false
		return r.loadBlock()
	}
	end := r.gapEnd()
	if r.pos >= end {
		return io.EOF
	}
	r.lines = bufio.NewReaderSize(io.NewSectionReader(r.text, r.pos, end-r.pos), 64<<10)
	r.linesEnd = end
	return nil
}

// gapEnd is where text without a row ends.
func (r *Reader) gapEnd() int64 {
	end := r.size
	if r.haveRow && r.row.offset < end {
		end = r.row.offset
	}
	return end
}

// readRow makes row the next one of use. Rows are in the order of the text; one
// that is not, or that is damaged, ends the trust in the index.
func (r *Reader) readRow() {
	for !r.haveRow && r.index != nil {
		var err error
		r.rowBuf, err = readRow(r.index, r.indexLeft, &r.row, r.rowBuf)
		if err == nil {
			if r.row.offset >= r.rowsEnd {
				r.indexLeft -= int64(len(r.rowBuf))
				r.indexAt += int64(len(r.rowBuf))
				r.rowsEnd = r.row.offset + r.row.length
				r.haveRow = r.rowsEnd > r.from
				continue
			}
			err = errors.New("index rows overlap")
		}
		if !errors.Is(err, io.EOF) {
			r.indexErr = err
		}
		r.index = nil
	}
}

// onFile is how much of the text of row there is.
func (r *Reader) onFile() int64 {
	switch {
	case r.row.offset >= r.size:
		return 0
	case r.row.length > r.size-r.row.offset:
		return r.size - r.row.offset
	}
	return r.row.length
}

// passRow moves pos behind the text of row, of which have is on file.
func (r *Reader) passRow(have int64) {
	if end := r.row.offset + have; have > 0 && end > r.pos {
		r.pos = end
	}
}

// loadBlock reads the text of row, as much as there is.
func (r *Reader) loadBlock() error {
	have := r.onFile()
	r.block = grow(r.block[:0], int(have))
	if n, err := r.text.ReadAt(r.block, r.row.offset); n < len(r.block) {
		return fmt.Errorf("read fallback file %q at %d: %w", r.path, r.row.offset, cause(err))
	}
	r.blockRow, r.blockAt, r.blockFrom = r.row, r.row.offset, 0
	r.blockGood = have == r.row.length && crc32.Checksum(r.block, castagnoli) == r.row.textCRC
	r.blockEnds, r.blockIDs = r.row.ends, r.row.ids.Sequences
	r.passRow(have)
	if have == r.row.length {
		r.passLines()
		return nil
	}
	whole := 0
	for whole < len(r.blockEnds) && int64(r.blockEnds[whole]) <= have {
		whole++
	}
	missing := len(r.blockEnds) - whole
	r.blockEnds = r.blockEnds[:whole]
	rest := int64(0)
	if whole > 0 {
		rest = int64(r.blockEnds[whole-1])
	}
	r.passLines()
	if r.passedCut(have, rest) {
		return nil
	}
	// The entries before the cut are still to come; the loss is told first, as
	// its number is known only here.
	return &DamageError{Path: r.path, Offset: r.blockAt + rest, Length: have - rest, Entries: missing,
		Reason: fmt.Sprintf("the text ends before the index does, entries missing: %d", missing)}
}

// passedCut reports whether from is behind what is left of a line that is cut,
// of which have bytes of the row's text are on file and rest are whole lines.
func (r *Reader) passedCut(have, rest int64) bool {
	return have > rest && r.row.offset+have <= r.from
}

// passLines passes over the lines of the block that are before from.
func (r *Reader) passLines() {
	for len(r.blockEnds) > 0 && r.blockAt+int64(r.blockEnds[0]) <= r.from {
		r.passLine()
	}
}

// passLine moves to the next line of the block.
func (r *Reader) passLine() {
	r.blockFrom, r.blockEnds = r.blockEnds[0], r.blockEnds[1:]
	if len(r.blockIDs) > 0 {
		r.blockIDs = r.blockIDs[1:]
	}
}

// nextOfBlock returns the next line of a row's text.
func (r *Reader) nextOfBlock() (Entry, error) {
	from, end := r.blockFrom, r.blockEnds[0]
	line := r.block[from:end]
	e := Entry{Offset: r.blockAt + int64(from), Length: int64(len(line)), Indexed: true, Verified: r.blockGood}
	if len(r.blockIDs) > 0 {
		e.ID = ID{r.blockRow.ids.Instance, r.blockIDs[0]}
	}
	r.passLine()
	e.Time = r.entryTime()
	e.PossiblyDuplicate = r.blockRow.flags&flagDuplicate != 0
	return r.entry(e, line)
}

// entryTime is the time of the entry just taken from the block. Only the first
// and the last are known; the others lie between.
func (r *Reader) entryTime() time.Time {
	if len(r.blockEnds) == 0 && r.blockRow.last != unknownTime {
		return fromUnixNano(r.blockRow.last)
	}
	return fromUnixNano(r.blockRow.first)
}

// nextLine returns the next line of text that no row describes.
func (r *Reader) nextLine() (Entry, error) {
	r.line = r.line[:0]
	start, length := r.pos, int64(0)
	for {
		part, err := r.lines.ReadSlice('\n')
		length += int64(len(part))
		if length <= maxLine {
			r.line = append(r.line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		r.pos += length
		if err != nil && err != io.EOF {
			return Entry{}, fmt.Errorf("read fallback file %q at %d: %w", r.path, start, cause(err))
		}
		if err == io.EOF && r.pos < r.linesEnd {
			return Entry{}, fmt.Errorf("read fallback file %q at %d: %w", r.path, r.pos, io.ErrUnexpectedEOF)
		}
		break
	}
	if length > maxLine {
		return Entry{}, r.damage(start, length, "the line is longer than any that is written")
	}
	return r.entry(Entry{Offset: start, Length: length}, r.line)
}

// entry makes an entry of a line, envelopes opened.
func (r *Reader) entry(e Entry, line []byte) (Entry, error) {
	if line[len(line)-1] != '\n' {
		return Entry{}, r.damage(e.Offset, e.Length, "the line has no end")
	}
	line = line[:len(line)-1]
	if !isEnvelope(line) {
		if r.envelopes {
			return Entry{}, r.damage(e.Offset, e.Length, "the line is no envelope")
		}
		if !e.Verified && NeedsEnvelope(line) {
			return Entry{}, r.damage(e.Offset, e.Length, "the line is empty, or has a NUL or a newline in it")
		}
		e.Value, r.valueShared = line, true
		return e, nil
	}
	envelope, err := ParseEnvelope(line)
	if err != nil {
		return Entry{}, r.damage(e.Offset, e.Length, err.Error())
	}
	if envelope.Time.IsZero() {
		envelope.Time = e.Time
	}
	if envelope.ID.IsZero() {
		envelope.ID = e.ID
	}
	envelope.PossiblyDuplicate = envelope.PossiblyDuplicate || e.PossiblyDuplicate
	e.Envelope, r.valueShared = envelope, false
	return e, nil
}

func (r *Reader) damage(offset, length int64, reason string) error {
	return &DamageError{Path: r.path, Offset: offset, Length: length, Entries: 1, Reason: reason}
}
