package harness

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// envelopePrefix begins every line that is an envelope (internal/spool,
// DESIGN.md).
var envelopePrefix = []byte(`{"zapkafka_envelope":`)

// ReadFallback finds all entries in a fallback's directory, those in the
// rejected file and in the directories of further owners included. It reads the
// files by their published format and shares no code with the sink.
func ReadFallback(dir string) (*Tally, error) {
	tally := &Tally{}
	var files []string
	for _, pattern := range []string{"*.log", "owner-*/*.log", "owner-*/rejected.jsonl"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	for _, name := range append(files, filepath.Join(dir, "rejected.jsonl")) {
		if err := readLines(name, tally); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return tally, nil
}

// FallbackBytes is the size of all segments and of the rejected file.
func FallbackBytes(dir string) (int64, error) {
	var sum int64
	for _, pattern := range []string{"*.log", "*.idx", "rejected.jsonl"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return 0, err
		}
		for _, name := range files {
			info, err := os.Stat(name)
			if err != nil {
				return 0, err
			}
			sum += info.Size()
		}
	}
	return sum, nil
}

func readLines(name string, tally *Tally) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	r := bufio.NewReaderSize(f, 1<<20)
	var long []byte
	for number := 1; ; {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			continue
		}
		if len(long) > 0 {
			line = append(long, line...)
			long = nil
		}
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %d bytes without a newline: %w", name, number, len(line), err)
		}
		entry, err := entryOf(line)
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", name, number, err)
		}
		tally.Add(entry)
		number++
	}
}

// entryOf is the entry that a line stands for.
func entryOf(line []byte) ([]byte, error) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if !bytes.HasPrefix(line, envelopePrefix) {
		if len(line) == 0 || bytes.IndexByte(line, 0) >= 0 {
			return nil, errors.New("damage: an empty line or one with a NUL")
		}
		return line, nil
	}
	var e struct {
		Value   *string `json:"value"`
		Value64 *string `json:"value64"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	switch {
	case e.Value64 != nil:
		return base64.StdEncoding.DecodeString(*e.Value64)
	case e.Value != nil:
		return []byte(*e.Value), nil
	}
	return nil, errors.New("envelope without a value")
}
