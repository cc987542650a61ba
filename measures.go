package zapkafka

import "time"

// measures is what Stats has beside the outcomes: bytes, times and sizes. They are
// taken by the chunk and under the queue's lock, which is held for it anyway: no
// call of Write and no Done reads a clock or writes to memory that others share for
// them.
type measures struct {
	acceptedBytes uint64 // of sealed chunks
	ackedBytes    uint64
	fellBackBytes uint64

	batches histogram
	latency histogram

	answers  uint64    // acknowledgements, at the last look
	answered time.Time // of the look that found more of them
}

// histogramBounds is how many upper bounds a histogram has, and a [Histogram].
const histogramBounds = 12

var (
	batchBounds   = [histogramBounds]float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048}
	latencyBounds = [histogramBounds]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30} // seconds
)

// histogram counts observations by range; the last range has no upper bound.
type histogram struct {
	counts [histogramBounds + 1]uint64
	sum    float64
}

// observe counts n observations of value.
func (h *histogram) observe(bounds *[histogramBounds]float64, value float64, n uint64) {
	i := 0
	for i < histogramBounds && value > bounds[i] {
		i++
	}
	h.counts[i] += n
	h.sum += value * float64(n)
}

func (h *histogram) export(bounds *[histogramBounds]float64) Histogram {
	e := Histogram{Sum: h.sum}
	for i, n := range h.counts {
		e.Count += n
		if i < histogramBounds {
			e.Buckets[i] = Bucket{UpTo: bounds[i], Count: e.Count}
		}
	}
	return e
}

// bytesOf is the length of the first n entries of c, with their newlines. c's memory
// must be there.
func (c *chunk) bytesOf(n int) int {
	switch {
	case n == 0:
		return 0
	case c.oversize > 0:
		return c.oversize + 1 // what goes on file may be more, or less
	default:
		return int(c.mem.ends[n-1])
	}
}

// handedOverLocked measures a chunk on its way to the producer, while its memory is
// there for sure.
func (q *queue) handedOverLocked(c *chunk) {
	c.handedBytes = uint64(c.used - c.bytesOf(c.from))
	q.measures.batches.observe(&batchBounds, float64(len(c.records)), 1)
}

// delivered adds up what became of a chunk's records, all of which have their
// outcome. The memory of their values may be gone.
func (c *chunk) delivered() (inKafka, bytes, fellBackBytes uint64) {
	if !c.mixed.Load() {
		return uint64(len(c.records)), c.handedBytes, 0
	}
	for i := range c.records {
		r := &c.records[i]
		switch r.state.Load() & outcomeBits {
		case acked:
			inKafka++
			bytes += uint64(len(r.Value)) + 1
		case fellBack:
			fellBackBytes += uint64(len(r.Value)) + 1
		}
	}
	return inKafka, bytes, fellBackBytes
}

// noteDeliveredLocked measures a chunk that was with the producer, in the moment in
// which the last of its records has its outcome. The rest is what delivered returned.
func (q *queue) noteDeliveredLocked(c *chunk, now time.Time, inKafka, bytes, fellBackBytes uint64) {
	m := &q.measures
	m.ackedBytes += bytes
	m.fellBackBytes += fellBackBytes
	if inKafka > 0 {
		m.latency.observe(&latencyBounds, now.Sub(c.opened).Seconds(), inKafka)
	}
	q.noteAnswersLocked(now)
}

// noteAnswersLocked notes the time if Kafka has acknowledged something since the last
// call.
func (q *queue) noteAnswersLocked(now time.Time) {
	if n := q.answers(); n != q.measures.answers {
		q.measures.answers, q.measures.answered = n, now
	}
}

// oldestPendingLocked is when the first entry of the oldest chunk came that is not
// settled; zero: there is none.
func (q *queue) oldestPendingLocked() time.Time {
	var oldest time.Time
	if q.open != nil {
		oldest = q.open.opened
	}
	for _, c := range q.order {
		// Not always the first: chunks are in the order in which they were sealed.
		if q.unsettledLocked(c) > 0 && (oldest.IsZero() || c.opened.Before(oldest)) {
			oldest = c.opened
		}
	}
	return oldest
}

// inFlightLocked is how many entries without an outcome are with the producer, and
// what the chunks cost that it has not let go of.
func (q *queue) inFlightLocked() (entries uint64, bytes int64) {
	for _, c := range q.order {
		if c.state == chunkClaimed || c.state == chunkClient {
			entries += q.unsettledLocked(c)
		}
	}
	return entries, q.inClient - q.replay.used + q.stuck
}
