package producertest

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/internal/spool"
)

// Entries returns what Kafka has acknowledged, in its order; entries that were
// replayed are among them, behind those that were logged meanwhile, and have a
// header "replayed". It does not wait: a log call has returned before its entry is
// in Kafka. [Observer.WaitFor] waits; that nothing more comes is certain after the
// logger's Sync, if nothing is in the fallback: no Sync waits for the replay.
func (o *Observer) Entries() Entries {
	return o.Producer.Entries()
}

// InFallback returns the entries that are on file and wait for their replay, in the
// order in which they were written, as the program's next start would find them.
// It does not wait, see [Observer.WaitForFallback].
//
// The time of an entry without key, headers and topic of its own is that of the
// write which put it on file.
func (o *Observer) InFallback() Entries {
	o.t.Helper()
	paths, err := spool.Segments(o.Fallback.Dir())
	if err != nil {
		o.t.Errorf("producertest: read the fallback: %v", err)
		return nil
	}
	var all Entries
	for _, path := range paths {
		_, err := spool.ScanSegment(path, spool.Visitor{Entry: func(e spool.Entry, left bool) {
			if left {
				all = append(all, entryOnFile(e.Envelope))
			}
		}})
		o.mayBeGone(err)
	}
	return all
}

// Rejected returns the entries in the fallback's rejected file: those that Kafka has
// refused for good, and those over MaxEntryBytes. It does not wait, see
// [Observer.WaitForRejected].
func (o *Observer) Rejected() Entries {
	o.t.Helper()
	var all Entries
	path := filepath.Join(o.Fallback.Dir(), "rejected.jsonl")
	_, err := spool.ScanLines(path, spool.Visitor{Entry: func(e spool.Entry, _ bool) {
		all = append(all, entryOnFile(e.Envelope))
	}})
	o.mayBeGone(err)
	return all
}

// mayBeGone fails the test for an error of reading a file, but not if the file is
// not there: the replay deletes what it is done with.
func (o *Observer) mayBeGone(err error) {
	o.t.Helper()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.t.Errorf("producertest: read the fallback: %v", err)
	}
}

// WaitFor waits until Kafka has acknowledged n entries since the Observer was made,
// and returns all that it has acknowledged, which may be more. If they do not come
// within ObserverOptions.Patience it ends the test, and says where entries are.
func (o *Observer) WaitFor(n int) Entries {
	o.t.Helper()
	o.wait(n, "in Kafka", o.Producer.count)
	return o.Entries()
}

// WaitForFallback waits until n entries are on file and wait for their replay, and
// returns them. If they do not come within ObserverOptions.Patience it ends the
// test, and says where entries are. It is for a Kafka that is not up: from one that
// is, they may be gone again before anybody has seen them.
func (o *Observer) WaitForFallback(n int) Entries {
	o.t.Helper()
	o.wait(n, "in the fallback", func() int { return int(o.Fallback.Stats().OnFile) })
	return o.InFallback()
}

// WaitForRejected waits until n entries are in the fallback's rejected file, and
// returns all that are. If they do not come within ObserverOptions.Patience it ends
// the test, and says where entries are.
func (o *Observer) WaitForRejected(n int) Entries {
	o.t.Helper()
	o.wait(n, "among the rejected ones", func() int {
		s := o.Fallback.Stats()
		return int(s.Rejected + s.Oversize)
	})
	return o.Rejected()
}

// wait waits until count says n, and ends the test if that takes too long.
func (o *Observer) wait(n int, where string, count func() int) {
	o.t.Helper()
	end := time.Now().Add(o.patience)
	for pause := 10 * time.Microsecond; count() < n; {
		if !time.Now().Before(end) {
			o.t.Fatalf("producertest: waited %v in vain for %d entries %s\n%s", o.patience, n, where, o.account())
			return // a TB whose Fatalf returns, of somebody's test
		}
		<-time.After(pause)
		if pause < 5*time.Millisecond {
			pause *= 2
		}
	}
}

// account says where entries are.
func (o *Observer) account() string {
	var b strings.Builder
	s := o.Syncer.Stats()
	state, _ := o.Syncer.State()
	fmt.Fprintf(&b, "state: %v; accepted %d, pending %d, lost %d", state, s.Accepted, s.PendingEntries, s.Lost.Total())
	for _, place := range []struct {
		name    string
		entries Entries
	}{{"in Kafka", o.Entries()}, {"in the fallback", o.InFallback()}, {"rejected", o.Rejected()}} {
		fmt.Fprintf(&b, "\n%s: %d", place.name, len(place.entries))
		for i, e := range place.entries {
			if i == 10 {
				b.WriteString("\n\t…")
				break
			}
			fmt.Fprintf(&b, "\n\t%v", e)
		}
	}
	return b.String()
}

// entryOnFile copies an entry that was read from the fallback.
func entryOnFile(e spool.Envelope) Entry {
	m := Message{Topic: e.Topic, Key: e.Key, Value: e.Value, Time: e.Time}
	for _, h := range e.Headers {
		m.Headers = append(m.Headers, zapkafka.Header(h))
	}
	entry := newEntry(copyMessage(m))
	entry.Reason = e.Reason
	return entry
}
