package zapkafka

import (
	"math/rand"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// This file is what the replay does with entries that fail. It passes over them,
// and over what would fail like them, so that those behind them go on: a topic
// that was deleted may have a million entries at the head of the files. What was
// passed over takes no memory; it comes again with the next recall.
//
// A topic of which everything in a batch failed is sick. Of a sick topic only
// samples are sent: the entries between two of them, more each time, are passed
// over. A sample that is acknowledged makes the topic well. So a failing stretch is
// crossed with few batches, however long it is; and as the samples are taken at
// other places each time, a sick partition does not hide entries of its topic's
// others for long.

// sickTopic is what is known of a topic that fails.
type sickTopic struct {
	sampling bool // a sample is with the sender or the producer
	skip     int  // entries to pass over before the next
	stride   int  // about how many that were the last time
	seen     int  // entries met since the last recall
}

const (
	minStride = 1024
	maxStride = 64 << 10
	// maxSick bounds how many topics are known to be sick. All entries of others
	// are sent.
	maxSick = 1024
	// fragmentCost is what is charged for entries that were acknowledged, with
	// others before them that were not: their place.
	fragmentCost = 32
	// recallShare: passing over everything takes at most such a part of the time.
	recallShare = 5
)

// withoutSick passes over entries of sick topics that are no sample.
func (r *replayer) withoutSick(p *parcel, entries []spool.Pending) []spool.Pending {
	partitions := r.partitions.current.Load()
	if len(r.sick) == 0 && partitions == nil {
		return entries
	}
	kept := entries[:0]
	var passed []spool.Position
	for i := range entries {
		if partitions != nil {
			// What is for them is on file because of that: no sample is needed here.
			at, known := r.partitions.at(&Record{Topic: r.topicOf(&entries[i]), Key: entries[i].Key})
			if known && (*partitions)[at] {
				passed = append(passed, entries[i].Position)
				continue
			}
		}
		sick := r.sick[r.topicOf(&entries[i])]
		if sick != nil {
			sick.seen++
			if sick.sampling || sick.skip > 0 {
				if sick.skip > 0 {
					sick.skip--
				}
				passed = append(passed, entries[i].Position)
				continue
			}
		}
		kept = append(kept, entries[i])
	}
	r.passOver(p, passed)
	return kept
}

// topicOf is the topic that the record of an entry gets.
func (r *replayer) topicOf(e *spool.Pending) string {
	if e.Topic == "" {
		return r.topic
	}
	return e.Topic
}

// passOver leaves entries alone until the next recall.
func (r *replayer) passOver(p *parcel, positions []spool.Position) {
	if len(positions) == 0 {
		return
	}
	p.from.PassOver(positions...)
	r.passed = true
	r.cameToEnd(p, len(positions))
}

// noteSamples notes which sick topics entries are a sample of, and reports whether
// they are nothing else.
func (r *replayer) noteSamples(entries []spool.Pending) bool {
	only := len(r.sick) > 0
	for i := 0; i < len(entries) && len(r.sick) > 0; i++ {
		if sick := r.sick[r.topicOf(&entries[i])]; sick != nil {
			sick.sampling = true
		} else {
			only = false
		}
	}
	return only
}

// noteTopics learns from a batch which topics are sick, and which are well.
func (r *replayer) noteTopics(b *replayBatch, failed bool) {
	if !failed && len(r.sick) == 0 {
		return
	}
	answered := map[string]bool{}
	for i := range b.records {
		topic := b.records[i].Topic
		answered[topic] = answered[topic] || b.records[i].state.Load() != replayFailed
	}
	for topic, well := range answered {
		if well {
			delete(r.sick, topic)
			continue
		}
		sick := r.sick[topic]
		if sick == nil {
			if len(r.sick) == maxSick {
				continue
			}
			sick = &sickTopic{}
			r.sick[topic] = sick
		}
		sick.sampling = false
		sick.stride = 2 * sick.stride
		if sick.stride < minStride {
			sick.stride = minStride
		} else if sick.stride > maxStride {
			sick.stride = maxStride
		}
		sick.skip = sick.stride/2 + rand.Intn(sick.stride/2+1)
	}
}

// recallAt is when what was passed over may come again. Where nothing else is
// there to be found, reading it all must not be all that we do.
func (r *replayer) recallAt() time.Time {
	next := r.recalled.Add(minBackoff + recallShare*r.passing)
	if next.Before(r.asideUntil) {
		return r.asideUntil
	}
	return next
}

// recall makes what was passed over be read again. Each sick topic begins with a
// sample from anywhere: the oldest entries may be those which fail.
func (r *replayer) recall(now time.Time) {
	for _, src := range r.sources {
		src.Recall()
	}
	for _, sick := range r.sick {
		sick.stride, sick.skip = 0, 0
		if sick.seen > 1 {
			sick.skip = rand.Intn(sick.seen)
		}
		sick.seen = 0
	}
	r.recalled, r.passing = now, 0
	r.passed, r.full, r.back, r.more = false, false, false, true
}

// chargeFragments charges what the sources keep in mind of acknowledged entries
// between others. If there is no room for more, nothing is sent before the others
// have come again.
func (r *replayer) chargeFragments() {
	cost := int64(0)
	for _, src := range r.sources {
		cost += fragmentCost * int64(src.Fragments())
	}
	if cost > r.q.replay.most/2 || !r.q.setAside(cost) {
		r.full, r.more = true, true
	}
}
