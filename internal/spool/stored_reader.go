package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// storedReader is a Reader of a segment through the file system of a Spool.
type storedReader struct {
	*Reader
	text  file
	index file // nil if there is none
	// indexFails is why an index that may be all right could not be opened.
	indexFails error
}

var errNotRegular = errors.New("not a regular file")

// openStored opens a segment up to the given ends of text and index, or to the
// ends of the files if these are negative.
func openStored(fsys fileSystem, path string, textEnd, indexEnd int64) (*storedReader, error) {
	text, size, err := openToRead(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("read fallback file %q: %w", path, cause(err))
	}
	if textEnd >= 0 {
		if size < textEnd {
			text.Close()
			return nil, fmt.Errorf("read fallback file %q: somebody shortened it: %w", path, io.ErrUnexpectedEOF)
		}
		size = textEnd
	}
	f := &storedReader{text: text}
	index, indexSize, indexErr := openToRead(fsys, strings.TrimSuffix(path, textExt)+indexExt)
	if indexErr != nil || indexEnd == 0 {
		if index != nil {
			index.Close()
		}
		f.Reader = newReader(path, text, size, nil, 0)
		f.indexErr = indexErr
		if indexErr != nil && !errors.Is(indexErr, fs.ErrNotExist) && !errors.Is(indexErr, errNotRegular) {
			f.indexFails = fmt.Errorf("read index of fallback file %q: %w", path, cause(indexErr))
		}
		return f, nil
	}
	if indexEnd >= 0 && indexEnd < indexSize {
		indexSize = indexEnd
	}
	f.index = index
	f.Reader = newReader(path, text, size, index, indexSize)
	f.checkNumber(filepath.Base(path))
	return f, nil
}

func openToRead(fsys fileSystem, path string) (file, int64, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (f *storedReader) Close() {
	f.text.Close()
	if f.index != nil {
		f.index.Close()
	}
}

// goOn makes a new reader begin at from, with the row that begins at indexAt in
// the index if that is known.
func (f *storedReader) goOn(from, indexAt int64) {
	f.seek(from)
	skip := indexAt - f.indexAt
	if f.Reader.index == nil || skip <= 0 || skip > f.indexLeft {
		return
	}
	rest := io.NewSectionReader(f.index, indexAt, f.indexLeft-skip)
	f.Reader.index.Reset(rest)
	f.indexAt, f.indexLeft, f.rowsEnd = indexAt, f.indexLeft-skip, from
}
