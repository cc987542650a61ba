package spool

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// resealed gives a row that was changed its length and checksum.
func resealed(row []byte) []byte {
	binary.LittleEndian.PutUint32(row[4:], uint32(len(row)))
	binary.LittleEndian.PutUint32(row, crc32.Checksum(row[4:], castagnoli))
	return row
}

func TestIndexToTheByte(t *testing.T) {
	// A release has frozen these bytes: a change of one is a change of format.
	header := indexHeader{number: 2, created: firstTime.UnixNano(), topic: "logs"}.append(nil)
	if got, want := hex.EncodeToString(header), headerBytes; got != want {
		t.Errorf("header\n got %s\nwant %s", got, want)
	}
	b := batchOf("a", string(bytes.Repeat([]byte{'x'}, 199)))
	b.PossiblyDuplicate = true
	row := appendRow(nil, 0x1234, b)
	if got, want := hex.EncodeToString(row), rowBytes; got != want {
		t.Errorf("row\n got %s\nwant %s", got, want)
	}
}

func TestIndexRoundTrip(t *testing.T) {
	h := indexHeader{number: 1 << 62, created: -5, topic: "a topic"}
	got, n, err := readHeader(bytes.NewReader(h.append(nil)))
	if err != nil || got != h || n != h.len() {
		t.Errorf("header read back: %+v, %d, %v; want %+v, %d", got, n, err, h, h.len())
	}
	b := batchOf("", "a", string(make([]byte, 20_000)), "b")
	b.PossiblyDuplicate, b.Last = true, time.Time{}
	raw := appendRow(nil, 77, b)
	var row indexRow
	if _, err := readRow(bytes.NewReader(raw), int64(len(raw)), &row, nil); err != nil {
		t.Fatal(err)
	}
	want := indexRow{flags: flagDuplicate, offset: 77, length: int64(len(b.Text)), textCRC: crc32.Checksum(b.Text, castagnoli),
		first: firstTime.UnixNano(), last: unknownTime, ends: b.Ends}
	if !reflect.DeepEqual(row, want) {
		t.Errorf("row read back:\n got %+v\nwant %+v", row, want)
	}
}

func TestRowTimes(t *testing.T) {
	for _, at := range []time.Time{firstTime, time.Unix(0, 0).UTC(), time.Date(2261, 12, 31, 0, 0, 0, 0, time.UTC), {}} {
		if got := fromUnixNano(unixNano(at)); !got.Equal(at) {
			t.Errorf("time %v became %v", at, got)
		}
	}
	for _, at := range []time.Time{time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := fromUnixNano(unixNano(at)); !got.IsZero() {
			t.Errorf("time %v, which a row cannot hold, became %v", at, got)
		}
	}
}

// TestRowDamage flips each bit of a row: none may pass.
func TestRowDamage(t *testing.T) {
	good := appendRow(nil, 5, batchOf("a", "bb"))
	for i := range good {
		for bit := 0; bit < 8; bit++ {
			bad := append([]byte(nil), good...)
			bad[i] ^= 1 << bit
			var row indexRow
			if _, err := readRow(bytes.NewReader(bad), int64(len(bad)), &row, nil); err == nil {
				t.Errorf("bit %d of byte %d flipped, and the row was read", bit, i)
			}
		}
	}
}

// TestRowNonsense has rows with right checksums that make no sense.
func TestRowNonsense(t *testing.T) {
	for name, spoil := range map[string]func(row []byte) []byte{
		"no entries":             func(row []byte) []byte { row[12] = 0; return row },
		"more entries than room": func(row []byte) []byte { row[13] = 1; return row },
		"negative offset":        func(row []byte) []byte { row[23] = 0x80; return row },
		"huge text":              func(row []byte) []byte { row[27] = 0xff; return row },
		"lengths below the text": func(row []byte) []byte { row[24]++; return row },
		"lengths above the text": func(row []byte) []byte { row[24]--; return row },
		"a line of length 0":     func(row []byte) []byte { row[rowFixed] = 0; return row },
		"a length without end":   func(row []byte) []byte { row[rowFixed+1] = 0x80; return row },
	} {
		bad := resealed(spoil(appendRow(nil, 5, batchOf("a", "bb"))))
		var row indexRow
		if _, err := readRow(bytes.NewReader(bad), int64(len(bad)), &row, nil); err == nil || !strings.Contains(err.Error(), "impossible") {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add(appendRow(nil, 5, batchOf("a", "bb")), false)
	f.Add(appendRow(nil, 5, withIDs(batchOf("a", "bb"), 1, 300)), false)
	f.Fuzz(func(t *testing.T, raw []byte, seal bool) {
		if seal && len(raw) >= 8 {
			raw = resealed(append([]byte(nil), raw...)) // past the checksum, into the decoder
		}
		var row indexRow
		_, err := readRow(bytes.NewReader(raw), int64(len(raw)), &row, nil)
		if err != nil {
			if errors.Is(err, io.EOF) && len(raw) > 0 {
				t.Fatal("bytes left, and the index ended")
			}
			return
		}
		before := uint32(0)
		for _, end := range row.ends {
			if end <= before {
				t.Fatalf("ends %v do not ascend", row.ends)
			}
			before = end
		}
		if n := len(row.ids.Sequences); n != 0 && n != len(row.ends) {
			t.Fatalf("%d ids for %d lines", n, len(row.ends))
		}
		if int64(before) != row.length || row.offset < 0 {
			t.Fatalf("row %+v does not fit together", row)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(indexHeader{number: 3, topic: "t"}.append(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, n, err := readHeader(bytes.NewReader(raw))
		if err == nil && (n > len(raw) || len(h.topic) > maxTopic) {
			t.Fatalf("header %+v of %d bytes out of %d", h, n, len(raw))
		}
	})
}

const (
	headerBytes = "895a4b4944580d0a" + "0100" + "2a00" + "00000000" + "0200000000000000" + "15075bbd93d4cc17" + "0400" + "6c6f6773" + "4dbc8316"
	rowBytes    = "dcaaf895" + "33000000" + "01000000" + "02000000" + "3412000000000000" + "ca000000" + "5b5d3d82" +
		"15075bbd93d4cc17" + "15d1f5f893d4cc17" + "02" + "c801"
)
