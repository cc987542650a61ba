package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// Listing is what one fallback directory has in it, by its names.
type Listing struct {
	Dir   string
	Owner Owner
	// Segments are the paths of the segments' texts, oldest first.
	Segments []string
	// Rejected and Quarantine are the paths of these files; empty if they are
	// not there.
	Rejected, Quarantine string
	// Stray are indexes and cursors without a text. They say nothing by
	// themselves, and the next replay deletes them.
	Stray []string
	// Bytes is the size of all files that count towards the cap.
	Bytes int64
}

// List says what is in dir, its owners' subdirectories left out. It takes no
// lock and changes nothing; with a living owner files may come and go meanwhile.
func List(dir string) (Listing, error) {
	l := Listing{Dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return l, fmt.Errorf("list fallback directory %q: %w", dir, cause(err))
	}
	if l.Owner, err = FindOwner(dir); err != nil {
		return l, err
	}
	texts := map[uint64]bool{}
	var beside []fs.DirEntry
	for _, e := range entries {
		if !e.Type().IsRegular() || !ours(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil { // else it is gone
			l.Bytes += info.Size()
		}
		path := filepath.Join(dir, e.Name())
		number, ext, segment := segmentNumber(e.Name())
		switch {
		case segment && ext == textExt:
			texts[number] = true
			l.Segments = append(l.Segments, path)
		case segment && (ext == indexExt || ext == cursorExt):
			beside = append(beside, e)
		case e.Name() == rejectedName:
			l.Rejected = path
		case e.Name() == quarantineName:
			l.Quarantine = path
		}
	}
	for _, e := range beside {
		if number, _, _ := segmentNumber(e.Name()); !texts[number] {
			l.Stray = append(l.Stray, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(l.Segments)
	return l, nil
}

// Directories returns dir and the subdirectories of further owners in it, in
// the order of their numbers. It fails if dir is no directory.
func Directories(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list fallback directory %q: %w", dir, cause(err))
	}
	dirs := []string{dir}
	for _, e := range entries {
		if e.IsDir() && isOwner(e.Name()) {
			dirs = append(dirs, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(dirs[1:])
	return dirs, nil
}

// Cursor is how far a replay has come in a segment, as its cursor file says.
type Cursor struct {
	// Path is the cursor file, which may be missing.
	Path string
	// Offset is where a replay would begin: all text before it is done with.
	Offset int64
	// High is behind all text that was ever given to Kafka.
	High int64
	// Damage are the slots that no reader believes: torn, of another segment, or
	// of a text that has changed since.
	Damage []*DamageError
}

// ReadCursor reads the cursor of the segment whose text is at path. Without a
// cursor file the result is zero but for Path.
func ReadCursor(path string) (Cursor, error) {
	number, ext, ok := segmentNumber(filepath.Base(path))
	if !ok || ext != textExt {
		return Cursor{}, fmt.Errorf("read cursor of %q: not the name of a segment, which is %s", path, segmentName(1)+textExt)
	}
	c := Cursor{Path: path[:len(path)-len(textExt)] + cursorExt}
	// The cursor is read before the text is measured: the owner writes them in
	// the other order, so the text is long enough.
	b, err := os.ReadFile(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read cursor %q: %w", c.Path, cause(err))
	}
	text, size, err := openForRead(path)
	if err != nil {
		return c, fmt.Errorf("read fallback file %q: %w", path, cause(err))
	}
	defer text.Close()
	if len(b) > cursorBytes {
		b = b[:cursorBytes]
	}
	state := decodeCursor(b, number, text, size)
	c.Offset, c.High = state.offset, state.high
	for at := 0; at < len(b); at += slotBytes {
		part := b[at:]
		if len(part) > slotBytes {
			part = part[:slotBytes]
		}
		if reason := doubt(part, number, text, size); reason != "" {
			c.Damage = append(c.Damage, &DamageError{Path: c.Path, Offset: int64(at), Length: int64(len(part)), Reason: reason})
		}
	}
	return c, nil
}

// doubt says why a slot is not believed; nothing if it is.
func doubt(b []byte, number uint64, text *os.File, size int64) string {
	s, err := readSlot(b)
	switch {
	case err != nil:
		return err.Error()
	case s.number != number:
		return fmt.Sprintf("the cursor is of segment %d", s.number)
	case s.offset > size:
		return fmt.Sprintf("the cursor is at %d, behind the end of the text at %d", s.offset, size)
	case !s.fits(number, text, size):
		return fmt.Sprintf("the text before the cursor, at %d, is not what it was", s.offset)
	}
	return ""
}
