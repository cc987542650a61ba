package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// pathsIn returns the names below dir, so that a test can see that reading has
// left all as it was.
func pathsIn(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if !d.IsDir() {
			name += "=" + contents(t, path)
		}
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{SegmentBytes: 1})
	mustAppend(t, s, "a")
	mustAppend(t, s, "b")
	if n, err := s.Reject(envelopeOf("r")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	second := mustOpen(t, dir, Options{})
	mustAppend(t, second, "of the second owner")
	mustClose(t, second)
	mustClose(t, s)
	write(t, segmentPath(dir, 7, cursorExt), "without a text")
	write(t, filepath.Join(dir, "notes.txt"), "somebody's")
	before := pathsIn(t, dir)

	l, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{segmentPath(dir, 1, textExt), segmentPath(dir, 2, textExt)}
	if strings.Join(l.Segments, " ") != strings.Join(want, " ") {
		t.Errorf("segments %q, want %q", l.Segments, want)
	}
	if l.Rejected != filepath.Join(dir, rejectedName) || l.Quarantine != "" {
		t.Errorf("rejected %q, quarantine %q", l.Rejected, l.Quarantine)
	}
	if len(l.Stray) != 1 || l.Stray[0] != segmentPath(dir, 7, cursorExt) {
		t.Errorf("stray %q", l.Stray)
	}
	again := mustOpen(t, dir, Options{})
	if l.Bytes != again.Size() {
		t.Errorf("%d bytes, and the spool itself counts %d", l.Bytes, again.Size())
	}
	mustClose(t, again)
	dirs, err := Directories(dir)
	if err != nil || strings.Join(dirs, " ") != dir+" "+filepath.Join(dir, ownerName(2)) {
		t.Errorf("directories %q, %v", dirs, err)
	}
	if after := pathsIn(t, dir); after != before {
		t.Errorf("reading has changed something:\n%s\nbefore:\n%s", after, before)
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "notes.txt")} {
		if _, err := List(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("List(%q): %v, want an error with the path", path, err)
		}
		if _, err := Directories(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Directories(%q): %v, want an error with the path", path, err)
		}
	}
}

// TestFindOwner has an owner in another process, then none, and nobody notices
// that it was looked for.
func TestFindOwner(t *testing.T) {
	dir := t.TempDir()
	if o, err := FindOwner(dir); err != nil || o.State != OwnerNone {
		t.Errorf("without a lock: %v, %v", o, err)
	}
	own, end := startOwner(t, dir)
	if own != dir {
		t.Fatalf("the child owns %q", own)
	}
	o, err := FindOwner(dir)
	end()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		if o.State != OwnerUnknown {
			t.Errorf("state %v, but this system does not tell", o.State)
		}
		return
	}
	if o.State != OwnerAlive || o.PID <= 0 || o.PID == os.Getpid() {
		t.Errorf("owned by a child: %+v", o)
	}
	if o, err := FindOwner(dir); err != nil || o.State != OwnerNone {
		t.Errorf("the child has died: %+v, %v", o, err)
	}
	s := mustOpen(t, dir, Options{})
	if o, err := FindOwner(dir); err != nil || o.State != OwnerAlive || o.PID != os.Getpid() {
		t.Errorf("owned by this process: %+v, %v", o, err)
	}
	if s.Dir() != dir {
		t.Errorf("who looked for the owner became one: Open took %q", s.Dir())
	}
	mustClose(t, s)
}

func TestReadCursor(t *testing.T) {
	text := strings.Repeat("entry\n", 40)
	older, newer := slotFor(1, 7, text, 60), slotFor(1, 8, text, 120)
	nuls := strings.Repeat("\x00", slotBytes)
	tests := []struct {
		name, cursor string
		offset       int64
		damage       string // offset+length reason
	}{
		{name: "both", cursor: older + newer, offset: 120},
		{name: "one", cursor: older, offset: 60},
		{name: "empty", cursor: ""},
		{name: "torn", cursor: older + newer[:20] + nuls[20:], offset: 60, damage: "48+48 wrong checksum"},
		{name: "cut off", cursor: older + newer[:20], offset: 60, damage: "48+20 cut off"},
		{name: "NULs", cursor: nuls, damage: "0+48 not a cursor"},
		{name: "of another segment", cursor: slotFor(2, 1, text, 60), damage: "0+48 of segment 2"},
		{name: "of another text", cursor: slotFor(1, 1, strings.Repeat("ENTRY\n", 40), 60), damage: "0+48 not what it was"},
		{name: "behind the end", cursor: slotFor(1, 1, text+text, 300), damage: "0+48 behind the end"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, segmentPath(dir, 1, textExt), text)
			write(t, segmentPath(dir, 1, cursorExt), test.cursor)
			c, err := ReadCursor(segmentPath(dir, 1, textExt))
			if err != nil {
				t.Fatal(err)
			}
			if c.Offset != test.offset || c.Path != segmentPath(dir, 1, cursorExt) {
				t.Errorf("%+v, want offset %d", c, test.offset)
			}
			wantDamage(t, c.Damage, test.damage)
		})
	}
	dir := t.TempDir()
	path := segmentPath(dir, 1, textExt)
	if c, err := ReadCursor(path); err != nil || c.Offset != 0 {
		t.Errorf("no cursor: %+v, %v", c, err)
	}
	write(t, segmentPath(dir, 1, cursorExt), older)
	if _, err := ReadCursor(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a cursor without a text: %v", err)
	}
	if _, err := ReadCursor("segment"); err == nil || !strings.Contains(err.Error(), "not the name of a segment") {
		t.Errorf("a path that is no segment's: %v", err)
	}
}

// wantDamage compares with "offset+length reason; …", as TestTornAndDamaged does.
func wantDamage(t *testing.T, got []*DamageError, want string) {
	t.Helper()
	var parts []string
	for _, d := range got {
		parts = append(parts, d.Describe())
	}
	var wanted []string
	if want != "" {
		wanted = strings.Split(want, "; ")
	}
	if len(got) != len(wanted) {
		t.Fatalf("damage %q, want %q", parts, wanted)
	}
	for i, want := range wanted {
		place, reason, _ := strings.Cut(want, " ")
		if at := placeOf(got[i]); at != place || !strings.Contains(parts[i], reason) {
			t.Errorf("damage %s %q, want %q", at, parts[i], want)
		}
	}
}
