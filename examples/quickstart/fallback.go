package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readFallback reads the entries of a fallback's directory. They are lines, as
// they were logged; an entry that could not stay as it was is in an envelope
// (DESIGN.md of this project has the details).
func readFallback(dir string, each func(entry []byte)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := filepath.Ext(path); d.IsDir() || ext != ".log" && ext != ".jsonl" {
			return nil
		}
		return readLines(path, each)
	})
}

func readLines(path string, each func(entry []byte)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s: the last line is torn", path)
		case err != nil:
			return err
		}
		entry, err := unwrap(line[:len(line)-1])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		each(entry)
	}
}

var envelopeStart = []byte(`{"zapkafka_envelope":`)

// unwrap returns the entry of a line.
func unwrap(line []byte) ([]byte, error) {
	if !bytes.HasPrefix(line, envelopeStart) {
		return line, nil
	}
	var e struct {
		Value   string `json:"value"`
		Value64 []byte `json:"value64"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("an envelope cannot be read: %w", err)
	}
	if e.Value64 != nil {
		return e.Value64, nil
	}
	return []byte(e.Value), nil
}
