package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// Segments returns the paths of the segments in dir, oldest first, followed by
// those in the subdirectories of further owners. It takes no ownership: files
// may come and go meanwhile.
func Segments(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list fallback directory: %w", err)
	}
	var paths, owners []string
	for _, e := range entries {
		_, ext, ok := segmentNumber(e.Name())
		switch {
		case ok && ext == textExt && e.Type().IsRegular():
			paths = append(paths, filepath.Join(dir, e.Name()))
		case e.IsDir() && isOwner(e.Name()):
			owners = append(owners, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(paths)
	sort.Strings(owners)
	for _, owner := range owners {
		more, err := Segments(owner)
		if err != nil {
			return nil, err
		}
		paths = append(paths, more...)
	}
	return paths, nil
}

// ReadAll calls visit with each entry of the segments in dir, further owners'
// included, oldest first within each owner. The entry's slices are good for the
// call only. What is no entry is passed over and joined into the error, as are
// files that cannot be read; an error of visit ends the reading.
func ReadAll(dir string, visit func(Entry) error) error {
	paths, err := Segments(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		r, err := OpenReader(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		damage, err := readFile(r, visit)
		r.Close()
		errs = append(errs, damage...)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	return errors.Join(errs...)
}

// readFile visits the entries of one file. err is visit's.
func readFile(r *Reader, visit func(Entry) error) (damage []error, err error) {
	for {
		e, err := r.Next()
		if err == nil {
			if err := visit(e); err != nil {
				return damage, err
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			return damage, nil
		}
		damage = append(damage, err)
		if d := (*DamageError)(nil); !errors.As(err, &d) {
			return damage, nil // the rest cannot be read
		}
	}
}
