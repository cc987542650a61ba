package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"
)

// The sizes and places of the index; DESIGN.md has them in words.
const (
	indexMagic   = "\x89ZKIDX\r\n"
	indexVersion = 1

	headerFixed = 34 // up to the topic
	rowFixed    = 48 // up to the lengths

	maxTopic = 1 << 10
	maxRow   = rowFixed + MaxBatchBytes

	flagDuplicate = 1 << 0
	flagIDs       = 1 << 1
	// A row with an unknown flag in the upper half means something that this
	// release cannot know; one in the lower half may be ignored.
	flagsCritical = 0xffff0000
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// indexHeader is the beginning of an index.
type indexHeader struct {
	number  uint64
	created int64 // Unix nanoseconds
	topic   string
}

func (h indexHeader) len() int { return headerFixed + len(h.topic) + 4 }

func (h indexHeader) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, indexMagic...)
	dst = binary.LittleEndian.AppendUint16(dst, indexVersion)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(h.len()))
	dst = binary.LittleEndian.AppendUint32(dst, 0) // flags
	dst = binary.LittleEndian.AppendUint64(dst, h.number)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.created))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(h.topic)))
	dst = append(dst, h.topic...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// readHeader reads the header at the beginning of r and says how long it is.
func readHeader(r io.Reader) (indexHeader, int, error) {
	b := make([]byte, headerFixed, headerFixed+maxTopic+4)
	if _, err := io.ReadFull(r, b); err != nil {
		return indexHeader{}, 0, fmt.Errorf("index header is cut off: %w", err)
	}
	if string(b[:8]) != indexMagic {
		return indexHeader{}, 0, errors.New("not an index")
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != indexVersion {
		return indexHeader{}, 0, fmt.Errorf("index of version %d: this release reads version %d", v, indexVersion)
	}
	size, topic := int(binary.LittleEndian.Uint16(b[10:])), int(binary.LittleEndian.Uint16(b[32:]))
	if topic > maxTopic || size < headerFixed+topic+4 {
		return indexHeader{}, 0, errors.New("index header has impossible lengths")
	}
	b = append(b, make([]byte, size-headerFixed)...)
	if _, err := io.ReadFull(r, b[headerFixed:]); err != nil {
		return indexHeader{}, 0, fmt.Errorf("index header is cut off: %w", err)
	}
	if crc32.Checksum(b[:size-4], castagnoli) != binary.LittleEndian.Uint32(b[size-4:]) {
		return indexHeader{}, 0, errors.New("index header has a wrong checksum")
	}
	return indexHeader{
		number:  binary.LittleEndian.Uint64(b[16:]),
		created: int64(binary.LittleEndian.Uint64(b[24:])),
		topic:   string(b[headerFixed : headerFixed+topic]),
	}, size, nil
}

// indexRow describes the text of one write.
type indexRow struct {
	flags       uint32
	offset      int64 // of the first line in the segment
	length      int64 // of all lines
	textCRC     uint32
	first, last int64    // Unix nanoseconds; unknownTime
	ends        []uint32 // of the lines, from offset
	ids         IDs
}

// appendRow appends the row for a batch whose text was written at offset.
func appendRow(dst []byte, offset int64, b Batch) []byte {
	start := len(dst)
	length := b.Ends[len(b.Ends)-1]
	var flags uint32
	if b.PossiblyDuplicate {
		flags |= flagDuplicate
	}
	if b.IDs.Instance != 0 {
		flags |= flagIDs
	}
	dst = binary.LittleEndian.AppendUint64(dst, 0) // checksum and length, filled in below
	dst = binary.LittleEndian.AppendUint32(dst, flags)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.Ends)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(offset))
	dst = binary.LittleEndian.AppendUint32(dst, length)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(b.Text[:length], castagnoli))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(unixNano(b.First)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(unixNano(b.Last)))
	before := uint32(0)
	for _, end := range b.Ends {
		dst = binary.AppendUvarint(dst, uint64(end-before))
		before = end
	}
	dst = b.IDs.append(dst)
	row := dst[start:]
	binary.LittleEndian.PutUint32(row[4:], uint32(len(row)))
	binary.LittleEndian.PutUint32(row, crc32.Checksum(row[4:], castagnoli))
	return dst
}

// uvarintLen is the number of bytes that a line's length takes in a row.
func uvarintLen(length uint32) int64 {
	n := int64(1)
	for ; length >= 0x80; length >>= 7 {
		n++
	}
	return n
}

// readRow reads the next row from r, of which left bytes remain, into row,
// using its memory and that of buf again. io.EOF means that there is none, any
// other error that the index cannot be trusted from here on: the length of a
// broken row, and with it the place of the next, is unknown.
func readRow(r io.Reader, left int64, row *indexRow, buf []byte) ([]byte, error) {
	if left == 0 {
		return buf, io.EOF
	}
	if left < rowFixed {
		return buf, errors.New("index row is cut off")
	}
	buf = grow(buf, rowFixed)
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, fmt.Errorf("read index row: %w", err)
	}
	size := int64(binary.LittleEndian.Uint32(buf[4:]))
	if size < rowFixed || size > maxRow || size > left {
		return buf, errors.New("index row has an impossible length")
	}
	buf = grow(buf, int(size))
	if _, err := io.ReadFull(r, buf[rowFixed:]); err != nil {
		return buf, fmt.Errorf("read index row: %w", err)
	}
	if crc32.Checksum(buf[4:], castagnoli) != binary.LittleEndian.Uint32(buf) {
		return buf, errors.New("index row has a wrong checksum")
	}
	return buf, row.decode(buf)
}

func (row *indexRow) decode(b []byte) error {
	count := binary.LittleEndian.Uint32(b[12:])
	row.flags = binary.LittleEndian.Uint32(b[8:])
	row.offset = int64(binary.LittleEndian.Uint64(b[16:]))
	row.length = int64(binary.LittleEndian.Uint32(b[24:]))
	row.textCRC = binary.LittleEndian.Uint32(b[28:])
	row.first = int64(binary.LittleEndian.Uint64(b[32:]))
	row.last = int64(binary.LittleEndian.Uint64(b[40:]))
	row.ends = row.ends[:0]
	row.ids = IDs{Sequences: row.ids.Sequences[:0]}
	if row.flags&flagsCritical != 0 {
		return errors.New("index row has a flag that this release does not know")
	}
	if row.offset < 0 || row.offset > math.MaxInt64-MaxBatchBytes || row.length > MaxBatchBytes ||
		count == 0 || int64(count) > int64(len(b)-rowFixed) {
		return errors.New("index row has impossible numbers")
	}
	lengths, end := b[rowFixed:], uint64(0)
	for ; count > 0; count-- {
		length, n := binary.Uvarint(lengths)
		if n <= 0 || length == 0 || length > uint64(row.length)-end {
			return errors.New("index row has impossible line lengths")
		}
		end += length
		lengths = lengths[n:]
		row.ends = append(row.ends, uint32(end))
	}
	if int64(end) != row.length {
		return errors.New("index row has impossible line lengths")
	}
	if row.flags&flagIDs != 0 {
		return row.ids.decode(lengths, len(row.ends))
	}
	return nil // bytes behind that are a later release's
}

// grow returns b with length n, keeping what is in it.
func grow(b []byte, n int) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	return append(b[:len(b):len(b)], make([]byte, n-len(b))...)
}

// unknownTime stands in a row for a time that is zero or beyond what 64 bits of
// nanoseconds hold (the years 1678 to 2262).
const unknownTime = math.MinInt64

func unixNano(t time.Time) int64 {
	if y := t.Year(); y < 1678 || y > 2261 {
		return unknownTime
	}
	return t.UnixNano()
}

func fromUnixNano(ns int64) time.Time {
	if ns == unknownTime {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
