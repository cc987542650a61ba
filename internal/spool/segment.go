package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// segment is the segment being written: its text, and the index beside it. It
// is used under the lock of its Spool.
type segment struct {
	stored  *stored // the same segment, as replay sees it
	number  uint64
	topic   string
	created time.Time
	text    *lineFile
	index   *lineFile // nil until the first row; its "lines" are rows
	spent   bool      // not to be written any more
	row     []byte    // memory for the next row, used again
}

// createSegment makes the text file. The index is made with the first row: a
// segment without one is read all the same.
func createSegment(fsys fileSystem, dir string, number uint64, topic string, now time.Time) (*segment, error) {
	path := filepath.Join(dir, segmentName(number)+textExt)
	text, err := openLines(fsys, path, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	g := &segment{number: number, topic: topic, created: now, text: text}
	g.stored = &stored{number: number, topic: topic, live: g, surveyed: true, counted: true}
	return g, nil
}

// usable reports whether the next batch may go into the segment.
func (g *segment) usable(maxBytes int64, topic string) bool {
	return !g.spent && !g.text.torn && g.text.size < maxBytes && g.topic == topic && g.text.intact()
}

// append writes the batch, then its row. It returns the entries on file, the
// bytes by which the files grew, and an error also when all entries are on file
// and only the row is not: then they are read by their newlines, and nothing
// but times and marks is lost.
func (g *segment) append(b Batch) (entries int, grown int64, err error) {
	offset := g.text.size
	entries, grown, err = g.text.write(b.Text, b.Ends)
	if entries == 0 {
		return 0, grown, err
	}
	n, rowErr := g.appendRow(offset, b.first(entries))
	if err == nil {
		err = rowErr
	}
	return entries, grown + n, err
}

func (g *segment) appendRow(offset int64, b Batch) (grown int64, err error) {
	g.row = g.row[:0]
	if g.index == nil {
		path := filepath.Join(filepath.Dir(g.text.path), segmentName(g.number)+indexExt)
		index, err := openLines(g.text.fs, path, os.O_CREATE|os.O_EXCL)
		if err != nil {
			return 0, fmt.Errorf("entries are on file, but not in the index: %w", err)
		}
		g.index = index
	}
	if g.index.size == 0 {
		g.row = indexHeader{number: g.number, created: unixNano(g.created), topic: g.topic}.append(g.row)
	}
	g.row = appendRow(g.row, offset, b)
	_, grown, err = g.index.write(g.row, []uint32{uint32(len(g.row))})
	if err != nil {
		// A torn row makes what follows it unreadable; the next batch begins a
		// new segment.
		g.spent = g.index.torn
		return grown, fmt.Errorf("entries are on file, but not in the index: %w", err)
	}
	return grown, nil
}

// ends is how far text and index are whole.
func (g *segment) ends() (text, index int64) {
	if g.index != nil {
		index = g.index.size
	}
	return g.text.size, index
}

// close closes the files and returns the paths of those not yet synced. A
// segment without a line is removed.
func (g *segment) close() (unsynced []string) {
	for _, l := range []*lineFile{g.text, g.index} {
		if l != nil && l.close() {
			unsynced = append(unsynced, l.path)
		}
	}
	if g.text.size == 0 && !g.text.torn && g.index == nil && g.text.intact() {
		if g.text.fs.Remove(g.text.path) == nil {
			return nil
		}
	}
	return unsynced
}
