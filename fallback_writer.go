package zapkafka

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// fallbackWriter is the goroutine that writes to the fallback, and the only one
// that does before Shutdown.
type fallbackWriter struct {
	q      *queue
	file   fallbackFile
	turn   chan struct{} // held while the file is used; see writeAfterShutdown
	report *reporter
	fsync  *fsyncer

	stop chan struct{} // closed by Shutdown
	done chan struct{} // closed by run

	// scratch for batches that are not a chunk as it stands
	text    []byte
	ends    []uint32
	ids     []uint64
	records []*Record
}

func (w *fallbackWriter) run() {
	defer close(w.done)
	timer := newStoppedTimer()
	defer timer.Stop()
	for !isClosed(w.stop) {
		j, wait := w.q.takeForFallback(time.Now())
		if j.c != nil {
			w.do(j)
			continue
		}
		resetTimer(timer, wait)
		select {
		case <-w.q.wakeWriter:
		case <-timer.C:
		case <-w.stop:
		}
	}
}

func (w *fallbackWriter) do(j job) {
	switch {
	case j.c.oversize > 0:
		w.writeRejected(j.c)
	case j.c.records == nil:
		w.writeWhole(j.c, j.why)
	default:
		if j.why != reasonFailed {
			j.c.giveUp(j.why)
		}
		w.writeRecords(j.c)
	}
}

// writeWhole writes a chunk that never was with the producer, in one piece if
// its lines can stand as they are.
func (w *fallbackWriter) writeWhole(c *chunk, why reason) {
	kept := w.q.forFallback()
	n, wrote, err := 0, 0, error(nil) // n entries are done with, those among them that are shed included
	if all := kept.hasAll(c); all && c.from == 0 && w.allPlain(c) {
		n, err = w.append(spool.Batch{
			Text: c.mem.text[:c.used], Ends: c.mem.ends,
			First: c.timeOf(0), Last: c.timeOf(c.entries() - 1),
			IDs: w.idsOf(c),
		})
		wrote = n
	} else {
		b := w.newBatch(c)
		for i := c.from; i < c.entries() && err == nil; i++ {
			if kept[c.mem.ranks[i]] {
				w.addEntry(&b, c, i, false)
			}
			if len(b.Text) < arenaBytes && i < c.entries()-1 {
				continue
			}
			k := 0
			if len(b.Ends) > 0 {
				k, err = w.append(b)
			}
			wrote += k
			for left := k; c.from+n <= i; n++ {
				if kept[c.mem.ranks[c.from+n]] {
					if left == 0 {
						break // the first that is not on file
					}
					left--
				}
			}
			b = w.newBatch(c)
		}
	}
	w.q.wroteWhole(c, n, why, lostTo(err), &kept)
	if wrote > 0 {
		w.reportReason(why)
	}
}

// reportReason says that entries went to the fallback, and why. It says no
// number: of many reports in a row one is passed on.
func (w *fallbackWriter) reportReason(why reason) {
	what := ""
	switch why {
	case reasonQueueFull:
		what = "Kafka does not keep up, and the queue is full"
	case reasonDeadline:
		what = fmt.Sprintf("no acknowledgement from Kafka within %v", w.q.delivery)
	case reasonSync:
		what = "no acknowledgement from Kafka within the time for a Sync"
	case reasonOutage:
		what = fmt.Sprintf("Kafka has acknowledged nothing for %v", w.q.health.after)
	case reasonClosed:
		what = "no acknowledgement from Kafka before the end of Shutdown"
	default:
		return // reported with the producer's error
	}
	w.report.report(what, fmt.Errorf("zapkafka: %s: entries went to the fallback (see Stats)", what))
}

// writeRecords writes those records of a chunk that are the fallback's by now:
// first those that were with the client, which Kafka may have got, then those that
// were not.
func (w *fallbackWriter) writeRecords(c *chunk) {
	kept := w.q.forFallback()
	c.shedRecords(kept)
	w.writeThose(c, true, &kept)
	w.writeThose(c, false, &kept)
	if err := c.lastErr.Swap(nil); err != nil {
		w.report.report("delivery", fmt.Errorf("zapkafka: delivery failed: entries went to the fallback (see Stats): %w", *err))
	}
}

// writeThose writes those that are kept. One that is not has failed since the others
// were shed, and is on the list again for that.
func (w *fallbackWriter) writeThose(c *chunk, maybeStored bool, kept *rankSet) {
	b := w.newBatch(c)
	w.records = w.records[:0]
	first := len(c.records)
	flush := func(last int) {
		if len(w.records) == 0 {
			return
		}
		b.PossiblyDuplicate = maybeStored
		b.First, b.Last = c.records[first].Time, c.records[last].Time
		n, err := w.append(b)
		w.settle(c, n, err)
		b, first = w.newBatch(c), len(c.records)
	}
	for i := range c.records {
		r := &c.records[i]
		if !kept[r.level] || r.state.Load()&outcomeBits != theFallbacks || (reasonOf(r) != reasonPartition) != maybeStored {
			continue
		}
		// As long as it is the fallback's and not written, the memory stays.
		if i < first {
			first = i
		}
		w.addEntry(&b, c, c.indexOf(i), maybeStored)
		w.records = append(w.records, r)
		if len(b.Text) >= arenaBytes {
			flush(i)
		}
	}
	flush(len(c.records) - 1)
}

// settle gives the records of the last batch their outcome: the first n are on
// file.
func (w *fallbackWriter) settle(c *chunk, n int, err error) {
	why := lostTo(err)
	var onFile [reasons]rankCounts
	var gone rankCounts
	unsettled, unsure, givenBack := uint64(0), uint64(0), uint64(0)
	takenBack := false
	lastReason := reasons
	for i, r := range w.records {
		w.records[i] = nil // else the scratch would keep the block
		outcome := lost
		if i < n {
			outcome = fellBack
		}
		// Read before: the state is the record's last word on its reason.
		because := reasonOf(r)
		if outcome == lost && takeBack(r) {
			takenBack = true
			continue
		}
		if outcome == lost && because == reasonPartition && c.q.giveBack(c, r) {
			givenBack++
			continue
		}
		if !settleRecord(r, outcome) {
			continue // abandoned, and counted, while the write did not return
		}
		unsettled++
		if outcome == fellBack {
			if because != lastReason {
				lastReason = because
				w.reportReason(because)
			}
			onFile[because][r.level]++
			if because != reasonPartition {
				unsure++
			}
		} else {
			gone[r.level]++
			c.q.lastResort.take(r.Value)
		}
	}
	for because := range onFile {
		c.q.counters.addFellBack(reason(because), &onFile[because])
	}
	c.q.counters.addLost(why, &gone)
	c.q.counters.possiblyDuplicate.Add(unsure)
	refs := uint64(len(w.records)) - givenBack
	w.records = w.records[:0]
	if refs > 0 { // else the client may be done with the chunk by now
		c.finish(unsettled, refs)
	}
	if takenBack {
		w.q.tookBack(c)
	}
}

// writeRejected writes an entry that is too large for Kafka.
func (w *fallbackWriter) writeRejected(c *chunk) {
	b := spool.Batch{Text: c.mem.text, Ends: c.mem.ends, First: c.opened, Last: c.opened}
	size, cut := c.oversize, c.cut // c is not ours after wroteWhole
	kept := w.q.forFallback()
	wanted := kept.hasAll(c)
	n, err := 0, error(nil)
	if wanted {
		n, err = w.use(b, w.file.rejectBatch, true)
	}
	if n > 0 && cut {
		w.q.counters.cut.Add(1)
	}
	w.q.wroteWhole(c, n, reasonTooLarge, lostTo(err), &kept)
	what := "it is with the rejected entries of the fallback"
	switch {
	case !wanted:
		what = "it is shed: its level is below FallbackLevel"
	case n == 0:
		what = "it is lost: the fallback could not take it"
	case cut:
		what = "the beginning of it is with the rejected entries of the fallback"
	}
	w.report.report("too large", fmt.Errorf("zapkafka: an entry of %d bytes is over MaxEntryBytes (%d): %s", size, w.q.maxEntry, what))
}

// allPlain reports whether the whole chunk can go on file as it is.
func (w *fallbackWriter) allPlain(c *chunk) bool {
	if !w.file.keepsMeta() {
		return true
	}
	if len(c.mem.details) > 0 {
		return false
	}
	for i := range c.mem.ends {
		line := c.line(i)
		if !standsPlain(w.file, &noMeta, line[:len(line)-1]) {
			return false
		}
	}
	return true
}

// newBatch returns an empty batch in the scratch memory.
func (w *fallbackWriter) newBatch(c *chunk) spool.Batch {
	if cap(w.text) > 4*arenaBytes {
		w.text = nil // one huge entry shall not be kept for ever
	}
	return spool.Batch{
		Text: w.text[:0], Ends: w.ends[:0], First: c.opened, Last: c.opened,
		IDs: spool.IDs{Instance: c.q.instance, Sequences: w.ids[:0]},
	}
}

// idsOf returns the ids of all entries of c.
func (w *fallbackWriter) idsOf(c *chunk) spool.IDs {
	w.ids = w.ids[:0]
	if c.q.instance != 0 {
		for i := 0; i < c.entries(); i++ {
			w.ids = append(w.ids, c.idOf(i).Sequence)
		}
	}
	return spool.IDs{Instance: c.q.instance, Sequences: w.ids}
}

// addEntry appends entry i of c to the batch, in an envelope where it needs one.
func (w *fallbackWriter) addEntry(b *spool.Batch, c *chunk, i int, duplicate bool) {
	line := c.line(i)
	m := c.metaOf(i)
	if c.q.instance != 0 {
		b.IDs.Sequences = append(b.IDs.Sequences, c.idOf(i).Sequence)
		w.ids = b.IDs.Sequences
	}
	plain := standsPlain(w.file, &m, line[:len(line)-1])
	switch {
	case plain && c.entries() == 1:
		// A large entry as a rule: no second copy of it.
		b.Text, b.Ends = line, c.mem.ends
		return
	case plain:
		b.Text = append(b.Text, line...)
	default:
		e := w.envelope(c, i)
		e.PossiblyDuplicate = duplicate
		b.Text = spool.AppendEnvelope(b.Text, e)
	}
	b.Ends = append(b.Ends, uint32(len(b.Text)))
	w.text, w.ends = b.Text, b.Ends
}

// append writes a batch to the fallback.
func (w *fallbackWriter) append(b spool.Batch) (int, error) {
	return w.use(b, w.file.appendBatch, false)
}

// use makes one write on the file and notes how it ended. It returns an error
// only if not all entries of the batch are on file; what else went wrong (an
// index that could not be written) is reported here and changes nothing.
func (w *fallbackWriter) use(b spool.Batch, write func(spool.Batch) (int, error), rejected bool) (int, error) {
	w.turn <- struct{}{}
	w.q.diskAsked()
	n, err := write(b)
	if err != nil {
		w.report.report("fallback", fmt.Errorf("zapkafka: fallback: %w", err))
	}
	if n == len(b.Ends) {
		err = nil
	} else if err == nil {
		err = io.ErrShortWrite
	}
	w.q.diskAnswered(err, rejected)
	<-w.turn
	wake(w.q.wakeHealth)
	if n > 0 {
		w.fsync.wrote()
	}
	return n, err
}

// lostTo is why the entries of a write that failed are lost.
func lostTo(err error) lostReason {
	if errors.Is(err, ErrFallbackFull) {
		return lostFallbackFull
	}
	return lostFallbackFailed
}

// indexOf is the index in the chunk of record i.
func (c *chunk) indexOf(i int) int { return c.entries() - len(c.records) + i }

// envelope is entry i of c as an envelope.
func (w *fallbackWriter) envelope(c *chunk, i int) spool.Envelope {
	line := c.line(i)
	m := c.metaOf(i)
	m.time = c.timeOf(i)
	e := envelopeOf(w.file, &m, line[:len(line)-1])
	e.ID = c.idOf(i)
	return e
}
