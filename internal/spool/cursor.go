package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

const (
	cursorExt   = ".cursor"
	cursorMagic = "ZKC\x01" // its last byte is the version
	slotBytes   = 48
	cursorBytes = 2 * slotBytes

	// tailBytes is how much of the text before the cursor a slot has a checksum
	// of, so that the cursor of a file is not believed of another.
	tailBytes = 64
)

// slot is how far a replay has come in a segment. A cursor file has two of them
// which are written in turn: a write that is torn spoils only the older.
type slot struct {
	number   uint64 // of the segment
	sequence uint64 // the higher one is the newer
	offset   int64  // all before it is done with
	high     int64  // all behind it was never given to Kafka
	tail     uint32 // checksum of the text before offset, see tailOf
}

func (s slot) encode() []byte {
	b := make([]byte, slotBytes) // the flags, at its end, are 0
	copy(b[4:], cursorMagic)
	binary.LittleEndian.PutUint64(b[8:], s.number)
	binary.LittleEndian.PutUint64(b[16:], s.sequence)
	binary.LittleEndian.PutUint64(b[24:], uint64(s.offset))
	binary.LittleEndian.PutUint64(b[32:], uint64(s.high))
	binary.LittleEndian.PutUint32(b[40:], s.tail)
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

// readSlot reads a slot. It knows nothing of the segment.
func readSlot(b []byte) (slot, error) {
	switch {
	case len(b) < slotBytes:
		return slot{}, errors.New("the cursor is cut off")
	case string(b[4:8]) != cursorMagic:
		return slot{}, errors.New("not a cursor of version 1")
	case crc32.Checksum(b[4:slotBytes], castagnoli) != binary.LittleEndian.Uint32(b):
		return slot{}, errors.New("the cursor has a wrong checksum")
	}
	s := slot{
		number:   binary.LittleEndian.Uint64(b[8:]),
		sequence: binary.LittleEndian.Uint64(b[16:]),
		offset:   int64(binary.LittleEndian.Uint64(b[24:])),
		high:     int64(binary.LittleEndian.Uint64(b[32:])),
		tail:     binary.LittleEndian.Uint32(b[40:]),
	}
	if s.offset < 0 {
		return slot{}, errors.New("the cursor is before the beginning")
	}
	return s, nil
}

// tailOf is the checksum of the last 64 bytes of text before offset, or of as
// many as there are.
func tailOf(text io.ReaderAt, offset int64) (uint32, error) {
	var b [tailBytes]byte
	n := int64(tailBytes)
	if n > offset {
		n = offset
	}
	if m, err := text.ReadAt(b[:n], offset-n); int64(m) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	return crc32.Checksum(b[:n], castagnoli), nil
}

// fits reports whether the slot is about this text. A text that was cut, put in
// the place of another, or lost to a crash in part, has not the bytes that stood
// before the offset when the slot was written.
func (s slot) fits(number uint64, text io.ReaderAt, size int64) bool {
	if s.number != number || s.offset > size {
		return false
	}
	tail, err := tailOf(text, s.offset)
	return err == nil && tail == s.tail
}

// cursorState is what is known of a cursor file.
type cursorState struct {
	offset   int64
	high     int64  // the highest there is, believed or not
	sequence uint64 // of the newest slot, believed or not
	next     int    // the slot to write, 0 or 1: not the one that offset is from
	size     int64  // of the file
}

// decodeCursor picks the newest slot that can be believed of the text; without
// one the offset is 0. It may be too low, which costs a repetition, but never
// beyond what was done.
func decodeCursor(b []byte, number uint64, text io.ReaderAt, size int64) cursorState {
	c := cursorState{size: int64(len(b))}
	believed := uint64(0)
	for i := 0; i < 2 && len(b) >= (i+1)*slotBytes; i++ {
		s, err := readSlot(b[i*slotBytes:])
		if err != nil {
			continue
		}
		if s.sequence > c.sequence {
			c.sequence = s.sequence
		}
		if s.number == number && s.high > c.high {
			c.high = s.high
		}
		if s.sequence >= believed && s.fits(number, text, size) {
			believed, c.offset, c.next = s.sequence, s.offset, 1-i
		}
	}
	return c
}

// readCursor reads the cursor file at path; a missing one is no error. With
// another error the offset is 0.
func readCursor(fsys fileSystem, path string, number uint64, text io.ReaderAt, size int64) (cursorState, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return cursorState{}, nil
	}
	if err != nil {
		return cursorState{}, fmt.Errorf("read cursor %q: %w", path, cause(err))
	}
	defer f.Close()
	b := make([]byte, cursorBytes)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return cursorState{}, fmt.Errorf("read cursor %q: %w", path, cause(err))
	}
	return decodeCursor(b[:n], number, text, size), nil
}

// cursorFile is a cursor that is being written.
type cursorFile struct {
	path string
	f    file
	text file // the segment
}

// write writes the next slot, which says that all before offset is done with and
// nothing behind high was begun, and returns the state with it. When it fails the
// slot before is still there, as the next write goes to the same place again.
func (c *cursorFile) write(number uint64, state cursorState, offset, high int64) (cursorState, error) {
	tail, err := tailOf(c.text, offset)
	if err == nil {
		s := slot{number: number, sequence: state.sequence + 1, offset: offset, high: high, tail: tail}
		var n int
		at := int64(state.next) * slotBytes
		n, err = c.f.WriteAt(s.encode(), at)
		if end := at + int64(n); end > state.size {
			state.size = end
		}
	}
	if err != nil {
		return state, fmt.Errorf("write cursor %q: %w: what was replayed may be replayed again after a restart", c.path, cause(err))
	}
	state.offset, state.high = offset, high
	state.sequence, state.next = state.sequence+1, 1-state.next
	return state, nil
}

func (c *cursorFile) close() {
	c.f.Close()
	c.text.Close()
}
