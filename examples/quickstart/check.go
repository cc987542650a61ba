package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/zapkafka/zapkafka"
)

// ledger notes where entries were found, by id.
type ledger struct {
	topic, file map[string]int // how often
	lines       int            // on file
	damaged     int            // entries without an id that can be read
	problems    []string
}

func newLedger() *ledger {
	return &ledger{topic: make(map[string]int), file: make(map[string]int)}
}

// inTopic notes a record of the topic, onFile a line of the fallback.
func (l *ledger) inTopic(entry []byte) { l.note(l.topic, "topic", entry) }

func (l *ledger) onFile(entry []byte) {
	l.lines++
	l.note(l.file, "fallback", entry)
}

func (l *ledger) note(found map[string]int, place string, entry []byte) {
	var e struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(entry, &e); err == nil && e.ID != "" {
		found[e.ID]++
		return
	}
	if l.damaged++; l.damaged == 1 { // one tells enough
		l.problem("an entry in the %s cannot be read: %.200q", place, entry)
	}
}

func (l *ledger) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// balance is the sink's own account of its entries, and what was found of them.
type balance struct {
	zapkafka.Stats
	fallback  zapkafka.FallbackStats
	missing   int64 // accepted, said to be neither shed nor lost, and nowhere
	duplicate int   // ids that are twice in the topic
	topic     int   // ids in the topic
	file      int   // ids on file
	both      int   // ids in the topic and on file
	problems  []string
}

// check holds what was found against the ids that were logged and against what
// the sink and the fallback say of them.
func (l *ledger) check(s zapkafka.Stats, f zapkafka.FallbackStats, logged []string) *balance {
	b := &balance{Stats: s, fallback: f}
	var found int
	var nowhere []string
	for _, id := range logged {
		inTopic, onFile := l.topic[id], l.file[id]
		if inTopic > 0 {
			b.topic++
		}
		if onFile > 0 {
			b.file++
		}
		if inTopic > 1 {
			b.duplicate++
		}
		switch {
		case inTopic > 0 && onFile > 0:
			b.both++
			found++
		case inTopic > 0 || onFile > 0:
			found++
		default:
			nowhere = append(nowhere, id)
		}
	}
	b.missing = int64(s.Accepted) - int64(found) - int64(s.Shed) - int64(s.Lost.Total())
	if len(nowhere) > 0 {
		l.problem("%d ids are nowhere: %s", len(nowhere), some(nowhere))
	}
	l.compare(b, len(logged))
	if strangers := l.strangers(logged); len(strangers) > 0 {
		l.problem("%d ids were found that should not have been logged: %s", len(strangers), some(strangers))
	}
	if l.damaged > 0 {
		l.problem("%d entries cannot be read", l.damaged)
	}
	b.problems = l.problems
	return b
}

// compare holds the accounts against themselves and against the counts.
func (l *ledger) compare(b *balance, logged int) {
	s, f := b.Stats, b.fallback
	if s.Accepted != uint64(logged) {
		l.problem("%d entries were logged, and the sink accepted %d", logged, s.Accepted)
	}
	if sum := s.Acked + s.FellBack.Total() + s.Shed + s.Lost.Total(); sum != s.Accepted || s.PendingEntries != 0 {
		l.problem("acked, fallback, shed and lost add up to %d, with %d pending", sum, s.PendingEntries)
	}
	if uint64(b.topic) < s.Acked {
		l.problem("%d entries are acknowledged, but only %d are in the topic", s.Acked, b.topic)
	}
	if sum := f.Replayed + f.Rejected + f.Quarantined + f.Evicted + f.OnFile; sum != f.Inherited+f.Stored {
		l.problem("%d entries were on file, and %d are accounted for", f.Inherited+f.Stored, sum)
	}
	if n := f.Stored + f.Oversize; n != s.FellBack.Total() {
		l.problem("%d entries went to the fallback, and it was given %d", s.FellBack.Total(), n)
	}
	// A file stays as it is until all of it has been replayed, and at the end the
	// replay may have had a batch under way.
	if least := f.OnFile + f.Rejected + f.Oversize; uint64(l.lines) < least || uint64(l.lines) > least+f.Replayed {
		l.problem("the fallback has %d lines, and %d entries are said to be there", l.lines, least)
	}
	if most := s.PossiblyDuplicate + f.Replayed; uint64(b.both) > most && (f.Replayed == 0 || f.OnFile == 0) {
		l.problem("%d entries are in the topic and on file, but the sink knows of %d at most", b.both, most)
	}
}

// strangers returns the ids that were found although nobody logged them.
func (l *ledger) strangers(logged []string) []string {
	known := make(map[string]bool, len(logged))
	for _, id := range logged {
		known[id] = true
	}
	var ids []string
	for _, found := range []map[string]int{l.topic, l.file} {
		for id := range found {
			if !known[id] {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// some lists the first few.
func some(ids []string) string {
	if len(ids) > 10 {
		return strings.Join(ids[:10], ", ") + ", …"
	}
	return strings.Join(ids, ", ")
}

// well reports whether every entry is accounted for and was found.
func (b *balance) well() bool {
	return b.Lost.Total() == 0 && b.Shed == 0 && b.missing == 0 && len(b.problems) == 0
}

// whereabouts is the line before the last.
func (b *balance) whereabouts() string {
	return fmt.Sprintf("ids found: %d in the topic (%d by way of the fallback), %d on file, %d in both (possibly duplicate by the sink's account: %d)",
		b.topic, b.fallback.Replayed, b.file, b.both, b.PossiblyDuplicate)
}

// String is the last line.
func (b *balance) String() string {
	return fmt.Sprintf("accepted=%d acked=%d fallback=%d shed=%d lost=%d missing=%d duplicate=%d",
		b.Accepted, b.Acked, b.FellBack.Total(), b.Shed, b.Lost.Total(), b.missing, b.duplicate)
}
