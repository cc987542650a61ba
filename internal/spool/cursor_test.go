package spool

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCursorToTheByte(t *testing.T) {
	// A release has frozen these bytes: a change of one is a change of format.
	text := strings.NewReader("abc\ndef\n")
	tail, err := tailOf(text, 4)
	if err != nil {
		t.Fatal(err)
	}
	got := hex.EncodeToString(slot{number: 2, sequence: 3, offset: 4, high: 8, tail: tail}.encode())
	if want := "ed5b8dca" + "5a4b4301" + "0200000000000000" + "0300000000000000" + "0400000000000000" + "0800000000000000" + "7426765f" + "00000000"; got != want {
		t.Errorf("slot\n got %s\nwant %s", got, want)
	}
}

// slotFor makes a slot that is right for text.
func slotFor(number, sequence uint64, text string, offset int64) string {
	tail, err := tailOf(strings.NewReader(text), offset)
	if err != nil {
		panic(err)
	}
	return string(slot{number: number, sequence: sequence, offset: offset, tail: tail}.encode())
}

func TestCursorIsBelieved(t *testing.T) {
	text := strings.Repeat("entry\n", 40)
	other := strings.Repeat("other\n", 40)
	older, newer := slotFor(1, 7, text, 60), slotFor(1, 8, text, 120)
	nuls := strings.Repeat("\x00", slotBytes)
	tests := []struct {
		name, file, text string
		want             int64
		next             int
	}{
		{"nothing", "", text, 0, 0},
		{"both", older + newer, text, 120, 0},
		{"both, the other way round", newer + older, text, 120, 1},
		{"only the first", older, text, 60, 1},
		{"second torn", older + newer[:17] + nuls[17:], text, 60, 1},
		{"second cut off", older + newer[:17], text, 60, 1},
		{"first torn", older[:20] + nuls[20:] + newer, text, 120, 0},
		{"NULs", nuls + nuls, text, 0, 0},
		{"of another segment", slotFor(2, 7, text, 60) + slotFor(3, 8, text, 120), text, 0, 0},
		{"of another text", older + newer, other, 0, 0},
		{"text cut before both", older + newer, text[:50], 0, 0},
		{"text cut between", older + newer, text[:100], 60, 1},
		{"NULs before the newer", older + newer, text[:100] + strings.Repeat("\x00", 140), 60, 1},
		{"at the end", slotFor(1, 1, text, int64(len(text))), text, int64(len(text)), 1},
		{"past the end", slotFor(1, 1, text, int64(len(text))), text[1:], 0, 0},
		{"of a later version", strings.Replace(older, cursorMagic, "ZKC\x02", 1), text, 0, 0},
		{"more behind it", older + newer + "more", text, 120, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := decodeCursor([]byte(test.file), 1, strings.NewReader(test.text), int64(len(test.text)))
			if got.offset != test.want || got.next != test.next {
				t.Errorf("offset %d, next slot %d; want %d, %d", got.offset, got.next, test.want, test.next)
			}
		})
	}
}

// TestCursorDamage flips each bit of a cursor: it never goes further than what
// one of the slots said.
func TestCursorDamage(t *testing.T) {
	text := strings.Repeat("entry\n", 40)
	good := slotFor(1, 7, text, 60) + slotFor(1, 8, text, 120)
	for i := range []byte(good) {
		for bit := 0; bit < 8; bit++ {
			bad := []byte(good)
			bad[i] ^= 1 << bit
			want := int64(120)
			if i >= slotBytes {
				want = 60
			}
			if got := decodeCursor(bad, 1, strings.NewReader(text), int64(len(text))).offset; got != want {
				t.Errorf("bit %d of byte %d flipped: offset %d, want %d", bit, i, got, want)
			}
		}
	}
}

// TestCursorWriteThatTears cuts each write of a slot off at every place.
func TestCursorWriteThatTears(t *testing.T) {
	for room := 0; room < slotBytes-4; room++ { // the flags are 0 before and after
		dir, fsys := t.TempDir(), newFaultFS()
		now := firstTime
		o := Options{fs: fsys, now: func() time.Time { return now }}
		s := mustOpen(t, dir, o)
		r := mustReplay(t, s)
		mustAppend(t, s, "a", "b", "c", "d", "e")
		batch := next(t, r, 5)
		done(t, r, batch[0])
		done(t, r, batch[1])
		// Two writes in a row fail: the second must not spoil the other slot.
		for i := 2; i < 4; i++ {
			fsys.set(func(f *faultFS) { f.room, f.roomFor = room, cursorExt })
			if err := r.Done(batch[i].Position); !errors.Is(err, errNoSpace) || !strings.Contains(err.Error(), segmentPath(dir, 1, cursorExt)) {
				t.Fatalf("Done: %v, want the disk's reason and the path", err)
			}
			now = now.Add(retryEvery)
		}
		wantStats(t, s, "stored=5 replayed=4 onfile=1")
		fsys.set(func(f *faultFS) { f.room = -1 })
		crash(s)
		s = mustOpen(t, dir, o)
		r = mustReplay(t, s)
		if got := valuesOf(next(t, r, 10)); got != "c|d|e" {
			t.Fatalf("room %d: after the restart %q, want all behind the last whole cursor", room, got)
		}
	}
}

func TestCursorCatchesUp(t *testing.T) {
	// What could not be written is written as soon as the disk is well, without
	// another acknowledgement.
	dir, fsys := t.TempDir(), newFaultFS()
	now := firstTime
	o := Options{fs: fsys, now: func() time.Time { return now }}
	s := mustOpen(t, dir, o)
	r := mustReplay(t, s)
	mustAppend(t, s, "a", "b")
	batch := next(t, r, 2)
	fsys.set(func(f *faultFS) {
		f.fail = func(op, name string) error {
			if op == "write" && strings.HasSuffix(name, cursorExt) {
				return errReadOnly
			}
			return nil
		}
	})
	if err := r.Done(batch[0].Position); !errors.Is(err, errReadOnly) {
		t.Errorf("Done: %v", err)
	}
	fsys.set(func(f *faultFS) { f.fail = nil })
	before := contents(t, segmentPath(dir, 1, cursorExt))
	next(t, r, 1)
	if contents(t, segmentPath(dir, 1, cursorExt)) != before {
		t.Error("tried again at once")
	}
	now = now.Add(retryEvery)
	next(t, r, 1)
	crash(s)
	s = mustOpen(t, dir, o)
	if got := valuesOf(next(t, mustReplay(t, s), 10)); got != "b" {
		t.Errorf("after the restart %q", got)
	}
}

// FuzzCursor checks that no bytes lead anywhere but to an offset that a slot for
// this very text names.
func FuzzCursor(f *testing.F) {
	text := []byte(strings.Repeat("entry\n", 20))
	f.Add([]byte(slotFor(1, 7, string(text), 60)+slotFor(1, 8, string(text), 120)), text, false)
	f.Add([]byte(slotFor(1, 7, string(text), 0)), text, true)
	f.Fuzz(func(t *testing.T, file, text []byte, seal bool) {
		if seal {
			file = resealedCursor(file, text)
		}
		c := decodeCursor(file, 1, bytes.NewReader(text), int64(len(text)))
		if c.offset < 0 || c.offset > int64(len(text)) {
			t.Fatalf("offset %d in a text of %d", c.offset, len(text))
		}
		if c.offset == 0 {
			return
		}
		i := 1 - c.next
		s, err := readSlot(file[i*slotBytes:])
		if err != nil || s.offset != c.offset || s.number != 1 || s.sequence > c.sequence {
			t.Fatalf("cursor %+v from slot %+v, %v", c, s, err)
		}
		if again := s.encode(); !bytes.Equal(again[:44], file[i*slotBytes:][:44]) && !seal {
			// The flags are anybody's; all else comes back as it was.
			t.Fatalf("slot %x came back as %x", file[i*slotBytes:][:slotBytes], again)
		}
	})
}
