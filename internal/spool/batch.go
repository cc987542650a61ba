package spool

import (
	"fmt"
	"time"
)

// MaxBatchBytes is the most text that one write takes: 64 MiB.
const MaxBatchBytes = 64 << 20

// Batch is entries for one write.
type Batch struct {
	// Text is the lines of the entries, one each, plain or envelope, with their
	// newlines: at most MaxBatchBytes. It is the caller's again when the call returns.
	Text []byte
	// Ends is the end of each line as an offset in Text; the last one is
	// len(Text).
	Ends []uint32
	// First and Last are when the first and the last entry were logged; zero
	// means unknown.
	First, Last time.Time
	// PossiblyDuplicate says that Kafka may have the entries too.
	PossiblyDuplicate bool
	// IDs are the entries' IDs, which the row of the index keeps. Envelopes have
	// theirs inside, too. The slice is the caller's again when the call returns.
	IDs IDs
}

func (b Batch) check() error {
	if len(b.Text) > MaxBatchBytes {
		return fmt.Errorf("fallback batch of %d bytes: one write takes at most %d", len(b.Text), MaxBatchBytes)
	}
	before := uint32(0)
	for i, end := range b.Ends {
		if end <= before || int64(end) > int64(len(b.Text)) || b.Text[end-1] != '\n' {
			return fmt.Errorf("fallback batch: entry %d does not end with a newline at byte %d", i, end)
		}
		before = end
	}
	if int64(before) != int64(len(b.Text)) {
		return fmt.Errorf("fallback batch: %d bytes of text, but the last entry ends at %d", len(b.Text), before)
	}
	return b.IDs.check(len(b.Ends))
}

func (b Batch) checkEnvelopes() error {
	if err := b.check(); err != nil {
		return err
	}
	start := uint32(0)
	for i, end := range b.Ends {
		if !isEnvelope(b.Text[start:end]) {
			return fmt.Errorf("fallback batch: entry %d is to be rejected and has no envelope", i)
		}
		start = end
	}
	return nil
}

// size is what fit would need for all entries.
func (b Batch) size(withRow bool) int64 {
	n, before := int64(len(b.Text)), uint32(0)
	for i, end := range b.Ends {
		if withRow {
			n += uvarintLen(end-before) + b.IDs.lenAt(i)
		}
		before = end
	}
	return n
}

// fit returns how many entries, from the first, need no more than room bytes.
// withRow counts what a row of the index takes for each entry.
func (b Batch) fit(room int64, withRow bool) int {
	before := uint32(0)
	for i, end := range b.Ends {
		if withRow {
			room -= uvarintLen(end-before) + b.IDs.lenAt(i)
		}
		if int64(end) > room {
			return i
		}
		before = end
	}
	return len(b.Ends)
}

// first returns the first n entries.
func (b Batch) first(n int) Batch {
	if n < len(b.Ends) {
		b.Ends = b.Ends[:n]
		b.Text = b.Text[:b.Ends[n-1]]
		b.IDs = b.IDs.first(n)
	}
	return b
}
