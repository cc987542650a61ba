// Package harness is what the tests share: the real Kafka and what can be done
// to it, the sink on top, and the comparison of what was logged with what is in
// the topic and on file.
package harness

import "github.com/zapkafka/zapkafka/integration/ids"

// Tally counts how many times each entry was found somewhere.
type Tally struct {
	Records int // all that was found
	Foreign int // of these without an ID
	// Unmarked is how many of the records that are there again neither are marked
	// as possibly duplicate nor repeat one that is.
	Unmarked int
	times    [][]uint8 // the highest bit: marked
}

// marked is in a number of times if a record says that it may be a duplicate.
const marked = 1 << 7

// Add counts one encoded entry.
func (t *Tally) Add(entry []byte) { t.AddMarked(entry, false) }

// AddMarked counts one that is marked as possibly duplicate, or is not.
func (t *Tally) AddMarked(entry []byte, mark bool) {
	t.Records++
	id, ok := ids.Parse(entry)
	if !ok || id.Worker > 1000 || id.Seq > 1<<28 {
		t.Foreign++
		return
	}
	for len(t.times) <= id.Worker {
		t.times = append(t.times, nil)
	}
	row := t.times[id.Worker]
	if n := id.Seq + 1 - len(row); n > 0 {
		row = append(row, make([]uint8, n)...)
		t.times[id.Worker] = row
	}
	at := &row[id.Seq]
	before := *at
	if *at&^marked < marked-1 {
		*at++
	}
	if mark {
		*at |= marked
	}
	// Records of several partitions come in any order: the mark may come later.
	switch {
	case before == 0, before&marked != 0:
	case !mark:
		t.Unmarked++
	default:
		t.Unmarked -= int(before) - 1
	}
}

// Times is how many times an entry was found.
func (t *Tally) Times(id ids.ID) int {
	if id.Worker >= len(t.times) || id.Seq >= len(t.times[id.Worker]) {
		return 0
	}
	return int(t.times[id.Worker][id.Seq] &^ marked)
}

// Distinct is how many entries were found at least once.
func (t *Tally) Distinct() int {
	n := 0
	for _, row := range t.times {
		for _, times := range row {
			if times&^marked > 0 {
				n++
			}
		}
	}
	return n
}

// Repeated is how many entries were found more than once.
func (t *Tally) Repeated() int {
	n := 0
	for _, row := range t.times {
		for _, times := range row {
			if times&^marked > 1 {
				n++
			}
		}
	}
	return n
}
