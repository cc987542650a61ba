package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
)

// ID names an entry: two records in a topic with the same ID are one entry. The
// zero ID is none.
type ID struct {
	// Instance is the syncer that took the entry, drawn by lot; not zero.
	Instance uint64
	// Sequence is the entry's number with it.
	Sequence uint64
}

// MaxIDText is the length of the longest text of an ID.
const MaxIDText = 16 + 1 + 20

// IsZero reports whether there is no ID.
func (id ID) IsZero() bool { return id.Instance == 0 }

// AppendText appends the ID's text: the instance in 16 hexadecimal digits, a
// hyphen, and the sequence in decimal.
func (id ID) AppendText(dst []byte) []byte {
	const hex = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hex[id.Instance>>shift&15])
	}
	return strconv.AppendUint(append(dst, '-'), id.Sequence, 10)
}

// ParseID reads what AppendText wrote, and nothing else.
func ParseID(text []byte) (ID, error) {
	if len(text) > 17 && len(text) <= MaxIDText && text[16] == '-' {
		instance, err := strconv.ParseUint(string(text[:16]), 16, 64)
		sequence, err2 := strconv.ParseUint(string(text[17:]), 10, 64)
		id := ID{instance, sequence}
		if err == nil && err2 == nil && !id.IsZero() && bytes.Equal(id.AppendText(nil), text) {
			return id, nil
		}
	}
	return ID{}, fmt.Errorf("%q is no id", text)
}

// IDs are the IDs of a batch's entries. Without an Instance they have none.
type IDs struct {
	// Instance is that of all entries.
	Instance uint64
	// Sequences are theirs, one for each entry, ascending.
	Sequences []uint64
}

func (ids IDs) check(entries int) error {
	if ids.Instance == 0 {
		return nil
	}
	if len(ids.Sequences) != entries {
		return fmt.Errorf("fallback batch: %d ids for %d entries", len(ids.Sequences), entries)
	}
	for i := 1; i < entries; i++ {
		if ids.Sequences[i] <= ids.Sequences[i-1] {
			return fmt.Errorf("fallback batch: the id of entry %d does not follow the one before it", i)
		}
	}
	return nil
}

// first returns those of the first n entries.
func (ids IDs) first(n int) IDs {
	if n < len(ids.Sequences) {
		ids.Sequences = ids.Sequences[:n]
	}
	return ids
}

// fixedLen is what the IDs take in a row beside what each of them does.
func (ids IDs) fixedLen() int64 {
	if ids.Instance == 0 {
		return 0
	}
	return 8
}

// lenAt is what the ID of entry i takes.
func (ids IDs) lenAt(i int) int64 {
	if ids.Instance == 0 {
		return 0
	}
	return int64(bits.Len64(ids.step(i)|1)+6) / 7
}

// step is what stands in a row for entry i: its distance from the one before.
func (ids IDs) step(i int) uint64 {
	if i == 0 {
		return ids.Sequences[0]
	}
	return ids.Sequences[i] - ids.Sequences[i-1]
}

// append appends the IDs as a row has them, behind its lengths.
func (ids IDs) append(dst []byte) []byte {
	if ids.Instance == 0 {
		return dst
	}
	dst = binary.LittleEndian.AppendUint64(dst, ids.Instance)
	for i := range ids.Sequences {
		dst = binary.AppendUvarint(dst, ids.step(i))
	}
	return dst
}

var errImpossibleIDs = errors.New("index row has impossible ids")

// decode reads the IDs of so many entries, using the memory of the ones before
// again.
func (ids *IDs) decode(b []byte, entries int) error {
	if len(b) < 8 {
		return errImpossibleIDs
	}
	ids.Instance = binary.LittleEndian.Uint64(b)
	b = b[8:]
	if ids.Instance == 0 || len(b) < entries {
		return errImpossibleIDs
	}
	sequence := uint64(0)
	for i := 0; i < entries; i++ {
		step, n := binary.Uvarint(b)
		if n <= 0 || i > 0 && (step == 0 || sequence+step < sequence) {
			return errImpossibleIDs
		}
		sequence += step
		b = b[n:]
		ids.Sequences = append(ids.Sequences, sequence)
	}
	return nil
}
