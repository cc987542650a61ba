package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// resealedCursor gives the slots of a cursor their checksums, and as many of its
// offsets as are in the text the right tail, so that a fuzzer gets past them.
func resealedCursor(file, text []byte) []byte {
	file = append([]byte(nil), file...)
	for at := 0; at+slotBytes <= len(file); at += slotBytes {
		b := file[at : at+slotBytes]
		copy(b[4:], cursorMagic)
		binary.LittleEndian.PutUint64(b[8:], 1)
		if offset := binary.LittleEndian.Uint64(b[24:]); offset <= uint64(len(text)) {
			tail, err := tailOf(bytes.NewReader(text), int64(offset))
			if err != nil {
				panic(err)
			}
			binary.LittleEndian.PutUint32(b[40:], tail)
		}
		binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	}
	return file
}

// FuzzReplay has anything on file, as a segment of a dead owner with index and
// cursor, replays it, and goes on. It checks that replay comes to an end, that
// what is behind the cursor is told to the byte, and that the sheet is balanced.
func FuzzReplay(f *testing.F) {
	b := batchOf("a", "bb", "c")
	good := appendRow(indexHeader{number: 1, topic: "t"}.append(nil), 0, b)
	cursor := []byte(slotFor(1, 1, string(b.Text), 2) + slotFor(1, 2, string(b.Text), 5))
	f.Add(append([]byte(nil), b.Text...), good, cursor, uint8(0))
	f.Add(append([]byte(nil), b.Text[:4]...), good, []byte{}, uint8(1))
	f.Add(append(append([]byte(nil), b.Text...), "x\n\x00\x00y"...), good, cursor, uint8(2))
	f.Add(append([]byte(nil), b.Text...), appendRow(indexHeader{number: 1}.append(nil), 0, withIDs(b, 1, 2, 300)), cursor, uint8(4))
	f.Add([]byte("a\n\x00\n{\"zapkafka_envelope\":1,\"value\":\"x\"}\n{\"zapkafka_envelope\":\nhalf"), []byte{}, []byte("\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, text, index, cursor []byte, order uint8) {
		dir := t.TempDir()
		index, cursor = resealedIndex(index), resealedCursor(cursor, text)
		for ext, b := range map[string][]byte{textExt: text, indexExt: index, cursorExt: cursor} {
			if err := os.WriteFile(segmentPath(dir, 1, ext), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		from := decodeCursor(cursor, 1, bytes.NewReader(text), int64(len(text))).offset
		want := readBehind(t, segmentPath(dir, 1, textExt), from)

		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r := mustReplay(t, s)
		if n, err := s.Append(batchOf("new")); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		inherited := s.Stats().Inherited
		var got []string
		for i := 0; ; i++ {
			if i > len(text)+10 {
				t.Fatal("the replay does not come to an end")
			}
			batch, err := r.Next(1+int(order)%7, 1+int64(order))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range batch {
				got = append(got, string(e.Value))
			}
			if order&8 != 0 && len(batch) > 1 {
				done(t, r, batch[1:]...)
				batch = batch[:1]
			}
			done(t, r, batch...)
			wantBalance(t, s.Stats())
			if len(batch) == 0 {
				break
			}
		}
		if want = append(want, "new"); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("replayed %q, want %q", got, want)
		}
		st := s.Stats()
		if st.Inherited != inherited || st.OnFile != 0 || st.Replayed != uint64(len(want)) || st.Quarantined != inherited+1-st.Replayed {
			t.Fatalf("in the end %+v, counted %d at first", st, inherited)
		}
		if left := filesIn(t, dir); left != "" && left != quarantineName {
			t.Fatalf("left behind: %s", left)
		}
		wantAside(t, filepath.Join(dir, quarantineName), st.Quarantined)
	})
}

// readBehind is what the reader returns of entries that end behind from.
func readBehind(t *testing.T, path string, from int64) (values []string) {
	t.Helper()
	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// What is before the cursor must not decide what is behind it, so the reader
	// starts there too; FuzzReader is about the reader itself.
	r.seek(from)
	for {
		e, err := r.Next()
		var d *DamageError
		switch {
		case errors.Is(err, io.EOF):
			return values
		case errors.As(err, &d):
		case err != nil:
			t.Fatal(err)
		case e.Offset+e.Length <= from:
			t.Fatalf("the entry at %d is before %d", e.Offset, from)
		default:
			values = append(values, string(e.Value))
		}
	}
}

// wantAside checks that the quarantine can be read and is for n entries.
func wantAside(t *testing.T, path string, n uint64) {
	t.Helper()
	l := &lives{t: t, dir: filepath.Dir(path)}
	if got := l.quarantinedEntries(); uint64(got) != n {
		t.Fatalf("the quarantine is for %d entries, want %d", got, n)
	}
}
