package spool

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

// withIDs gives a batch ids of one instance.
func withIDs(b Batch, sequences ...uint64) Batch {
	b.IDs = IDs{Instance: 0x0123456789abcdef, Sequences: sequences}
	return b
}

// idsIn reads all entries back, each with its id.
func idsIn(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	if err := ReadAll(dir, func(e Entry) error {
		fmt.Fprintf(&b, "%s=%x-%d ", e.Value, e.ID.Instance, e.ID.Sequence)
		return nil
	}); err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(b.String())
}

func TestIDText(t *testing.T) {
	for want, id := range map[string]ID{
		"0123456789abcdef-1":                    {0x0123456789abcdef, 1},
		"ffffffffffffffff-18446744073709551615": {math.MaxUint64, math.MaxUint64},
		"0000000000000001-0":                    {1, 0},
	} {
		text := id.AppendText(nil)
		if string(text) != want || len(text) > MaxIDText {
			t.Errorf("%+v has the text %s, want %s", id, text, want)
		}
		if got, err := ParseID(text); err != nil || got != id {
			t.Errorf("%s was read as %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "-", "0123456789abcdef-", "0123456789abcdef-01", "0123456789ABCDEF-1", "0123456789abcdef-+1", "0123456789abcde-12",
		"0000000000000000-1", "ffffffffffffffff-18446744073709551616", "0123456789abcdef-1 ", "+123456789abcdef-1",
	} {
		if id, err := ParseID([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, id)
		}
	}
}

func TestIDsToTheByte(t *testing.T) {
	row := appendRow(nil, 0x1234, withIDs(batchOf("a", "b", "c"), 300, 301, 1000))
	// Two bytes for 300, one for the distance to 301, two for that to 1000.
	if got, want := hex.EncodeToString(row[rowFixed:]), "020202"+"efcdab8967452301"+"ac02"+"01"+"bb05"; got != want || row[8] != 2 {
		t.Errorf("the row ends in %s and has the flags %d, want %s and 2", got, row[8], want)
	}
	var back indexRow
	if _, err := readRow(bytes.NewReader(row), int64(len(row)), &back, nil); err != nil {
		t.Fatal(err)
	}
	if want := (IDs{0x0123456789abcdef, []uint64{300, 301, 1000}}); !reflect.DeepEqual(back.ids, want) {
		t.Errorf("read back %+v, want %+v", back.ids, want)
	}
}

// An id of a row that was read before is none of the next one.
func TestRowsWithAndWithoutIDs(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	for _, b := range []Batch{withIDs(batchOf("a", "b"), 5, 9), batchOf("c"), withIDs(batchOf("d"), math.MaxUint64)} {
		if _, err := s.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	e := Envelope{Value: []byte("e"), ID: ID{7, 7}}
	line := AppendEnvelope(nil, e)
	if _, err := s.Append(withIDs(Batch{Text: line, Ends: []uint32{uint32(len(line))}}, 8)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Size(), onDisk(t, dir); got != want {
		t.Errorf("Size %d, on disk %d", got, want)
	}
	want := "a=123456789abcdef-5 b=123456789abcdef-9 c=0-0 d=123456789abcdef-18446744073709551615 e=7-7"
	if got := idsIn(t, dir); got != want {
		t.Errorf("read back\n got %s\nwant %s", got, want)
	}
	// Without the index only what is in an envelope has one.
	mustClose(t, s)
	if err := os.Remove(segmentPath(dir, 1, indexExt)); err != nil {
		t.Fatal(err)
	}
	if got, want := idsIn(t, dir), "a=0-0 b=0-0 c=0-0 d=0-0 e=7-7"; got != want {
		t.Errorf("without an index\n got %s\nwant %s", got, want)
	}
}

// A write that came to an early end has the ids of the entries that are there,
// and so has text that was cut afterwards.
func TestIDsOfAShortWrite(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	s := mustOpen(t, dir, Options{fs: fsys})
	fsys.set(func(f *faultFS) { f.room, f.roomFor = 5, textExt })
	if n, err := s.Append(withIDs(batchOf("a", "b", "c"), 1, 3, 5)); n != 2 || err == nil {
		t.Fatalf("Append: %d, %v; want 2 of 3", n, err)
	}
	fsys.set(func(f *faultFS) { f.room = -1 })
	if n, err := s.Append(withIDs(batchOf("d", "e"), 7, 9)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if got := withIDs(batchOf("a", "b", "c"), 1, 3, 5).first(2).IDs.Sequences; len(got) != 2 {
		t.Errorf("the first two entries have the ids %v", got)
	}
	want := "a=123456789abcdef-1 b=123456789abcdef-3 d=123456789abcdef-7 e=123456789abcdef-9"
	if got := idsIn(t, dir); got != want {
		t.Errorf("read back\n got %s\nwant %s", got, want)
	}
}

// A replay goes on in the middle of a write with the right ids.
func TestReplayGoesOnWithIDs(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	if _, err := s.Append(withIDs(batchOf("a", "b", "c"), 1, 3, 5)); err != nil {
		t.Fatal(err)
	}
	r := mustReplay(t, s)
	batch, err := r.Next(2, 1<<20)
	if err != nil || len(batch) != 2 {
		t.Fatal(batch, err)
	}
	done(t, r, batch...)
	mustClose(t, s)
	s = mustOpen(t, dir, Options{})
	if batch, err = mustReplay(t, s).Next(10, 1<<20); err != nil || len(batch) != 1 || batch[0].ID.Sequence != 5 {
		t.Errorf("after a restart: %+v, %v; want c with the id 5", batch, err)
	}
}

// The cap counts what the ids take.
func TestCapWithIDs(t *testing.T) {
	for maxBytes := int64(100); maxBytes < 400; maxBytes++ {
		dir := t.TempDir()
		s := mustOpen(t, dir, Options{MaxBytes: maxBytes})
		n := 0
		for i := uint64(1); i < 20; i++ {
			k, _ := s.Append(withIDs(batchOf("entry", "entry"), i<<50, i<<50+1<<30))
			n += k
		}
		if size := onDisk(t, dir); size > maxBytes || s.Size() != size {
			t.Fatalf("cap %d: %d bytes on disk, Size %d", maxBytes, size, s.Size())
		}
		mustClose(t, s)
		if maxBytes == 399 && n == 0 {
			t.Error("nothing was stored")
		}
	}
}

func TestImpossibleIDs(t *testing.T) {
	good := func() []byte { return appendRow(nil, 5, withIDs(batchOf("a", "b"), 1, 2)) }
	ids := len(good()) - 10
	for name, spoil := range map[string]func(row []byte) []byte{
		"no instance":         func(row []byte) []byte { copy(row[ids:], make([]byte, 8)); return row },
		"cut in the instance": func(row []byte) []byte { return row[:ids+7] },
		"cut behind it":       func(row []byte) []byte { return row[:ids+9] },
		"no distance":         func(row []byte) []byte { row[ids+9] = 0; return row },
		"without end":         func(row []byte) []byte { row[ids+9] = 0x80; return row },
		"beyond 64 bits": func(row []byte) []byte {
			return append(row[:ids+9], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)
		},
	} {
		bad := resealed(spoil(good()))
		var row indexRow
		if _, err := readRow(bytes.NewReader(bad), int64(len(bad)), &row, nil); err == nil || !strings.Contains(err.Error(), "impossible ids") {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
}

func TestBadIDsOfABatch(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{})
	for _, b := range []Batch{withIDs(batchOf("a", "b"), 1), withIDs(batchOf("a", "b"), 1, 1), withIDs(batchOf("a", "b"), 2, 1), withIDs(batchOf("a"))} {
		if n, err := s.Append(b); n != 0 || err == nil {
			t.Errorf("ids %v: %d, %v; want an error", b.IDs.Sequences, n, err)
		}
	}
}

// FuzzIDs writes ids into a row, with a later release's bytes behind them, and
// reads them back.
func FuzzIDs(f *testing.F) {
	f.Add(uint64(1), uint64(1), []byte{1, 0, 200}, []byte{})
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64-600), []byte{255, 255}, []byte("later"))
	f.Fuzz(func(t *testing.T, instance, first uint64, steps, later []byte) {
		var entries []string
		var sequences []uint64
		for i, at := 0, first; i <= len(steps) && i < 1000; i++ {
			entries, sequences = append(entries, "x"), append(sequences, at)
			if i == len(steps) || at+1+uint64(steps[i])<<20 < at {
				break
			}
			at += 1 + uint64(steps[i])<<20
		}
		b := batchOf(entries...)
		b.IDs = IDs{Instance: instance, Sequences: sequences}
		raw := appendRow(nil, 5, b)
		want := b.IDs
		if instance == 0 {
			want = IDs{}
		}
		if n := rowFixed + b.IDs.fixedLen() + b.size(true) - int64(len(b.Text)); int64(len(raw)) != n {
			t.Fatalf("the row has %d bytes, the cap counts %d", len(raw), n)
		}
		raw = resealed(append(raw, later...))
		var row indexRow
		if _, err := readRow(bytes.NewReader(raw), int64(len(raw)), &row, nil); err != nil || !reflect.DeepEqual(row.ids, want) {
			t.Fatalf("read back %+v, %v; want %+v", row.ids, err, want)
		}
		id := ID{instance, first}
		if got, err := ParseID(id.AppendText(nil)); instance != 0 && (err != nil || got != id) {
			t.Fatalf("the text of %+v is read as %+v, %v", id, got, err)
		}
	})
}
