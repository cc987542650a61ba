package spool

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
)

// lineFile is a file of whole lines that only grows at its end. It is used
// under the lock of its Spool.
type lineFile struct {
	fs   fileSystem
	path string
	f    file
	info os.FileInfo // tells the file from another of its name
	size int64       // whole lines on file

	dirty bool // written to since the last sync
	// torn says that part of a line stands behind size and could not be cut
	// off. Nothing may be written any more: it would be glued to that part.
	torn bool
}

// openLines opens path, which flag may create.
func openLines(fsys fileSystem, path string, flag int) (*lineFile, error) {
	f, err := fsys.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open fallback file %q: %w", path, cause(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a regular file: move it away")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open fallback file %q: %w", path, cause(err))
	}
	return &lineFile{fs: fsys, path: path, f: f, info: info, size: info.Size()}, nil
}

// write appends the lines that end at ends, with one system call unless the
// disk takes less. When not all of text got there, the file is cut back to the
// last whole line. It returns the number of lines on file and the bytes by
// which the file grew, which are more than the lines' if cutting failed.
func (l *lineFile) write(text []byte, ends []uint32) (lines int, grown int64, err error) {
	text = text[:ends[len(ends)-1]]
	n, err := l.f.WriteAt(text, l.size)
	l.dirty = true
	if n == len(text) && err == nil {
		l.size += int64(n)
		return len(ends), int64(n), nil
	}
	if err == nil {
		err = io.ErrShortWrite
	}
	err = fmt.Errorf("write fallback file %q: %w", l.path, cause(err))
	lines = sort.Search(len(ends), func(i int) bool { return int(ends[i]) > n })
	whole := 0
	if lines > 0 {
		whole = int(ends[lines-1])
	}
	// Cut even if n says that nothing is behind the last line: after an I/O
	// error it is the file that counts, not what the call says.
	if cut := l.f.Truncate(l.size + int64(whole)); cut != nil {
		l.torn = true
		err = fmt.Errorf("%w; cutting the torn line off failed too: %w", err, cause(cut))
		l.size += int64(whole)
		return lines, int64(n), err
	}
	l.size += int64(whole)
	return lines, int64(whole), err
}

// intact reports whether the file is still the one of its name and as long as
// we left it. Else someone removed, renamed or shortened it: what is written to
// a removed file is gone.
func (l *lineFile) intact() bool {
	info, err := l.fs.Stat(l.path)
	if err != nil || !os.SameFile(info, l.info) {
		return false
	}
	if runtime.GOOS == "windows" {
		// There the directory may lag behind an open file.
		if info, err = l.f.Stat(); err != nil {
			return false
		}
	}
	return info.Size() == l.size
}

// endLine ends a torn line that a crash left in the file, so that the next one
// begins on its own.
func (l *lineFile) endLine() error {
	if l.size == 0 {
		return nil
	}
	var last [1]byte
	if _, err := l.f.ReadAt(last[:], l.size-1); err != nil {
		return fmt.Errorf("read fallback file %q: %w", l.path, cause(err))
	}
	if last[0] == '\n' {
		return nil
	}
	_, _, err := l.write([]byte{'\n'}, []uint32{1})
	return err
}

// close closes the file and reports whether it is yet to be synced, by its path.
func (l *lineFile) close() (unsynced bool) {
	if l.dirty && !l.intact() && l.f.Sync() == nil {
		// Under another name by now, perhaps: its path leads a later sync astray.
		l.dirty = false
	}
	// What a close reports of earlier writes, a sync reports too.
	l.f.Close()
	return l.dirty
}
