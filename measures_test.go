package zapkafka

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// What waits and what is in flight, before and after Kafka answers.
func TestStatsOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	p := &fakeProducer{overhead: Overhead{RecordBytes: 100}}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{Linger: -1, BufferBytes: 8 << 20})
	begin := time.Now()
	if st := s.Stats(); !st.OldestPending.IsZero() || !st.LastDelivery.IsZero() || st.BufferBytes != 8<<20 || st.State != Healthy ||
		st.StateSince.After(begin) || st.StateSince.IsZero() {
		t.Errorf("at the start %+v", st)
	}
	mustWrite(t, s, "one\n")
	mustWrite(t, s, "three") // a newline is added, and counted
	eventually(t, "both in flight", func() bool { return s.Stats().InFlightEntries == 2 })
	st := s.Stats()
	if st.AcceptedBytes != 10 || st.AckedBytes != 0 || st.FellBackBytes != 0 {
		t.Errorf("bytes %d, %d, %d, want 10, 0, 0", st.AcceptedBytes, st.AckedBytes, st.FellBackBytes)
	}
	if st.InFlightBytes < 2*100 || st.InFlightBytes > st.PendingBytes {
		t.Errorf("%d bytes in flight of %d pending", st.InFlightBytes, st.PendingBytes)
	}
	if st.OldestPending.Before(begin) || st.OldestPending.After(time.Now()) {
		t.Errorf("the oldest is of %v, want after %v", st.OldestPending, begin)
	}
	asked := time.Now()
	p.answer()
	eventually(t, "the memory back", func() bool { return s.Stats().InFlightBytes == 0 })
	st = s.Stats()
	if st.AckedBytes != 10 || st.InFlightEntries != 0 || !st.OldestPending.IsZero() {
		t.Errorf("%+v, want 10 bytes acknowledged and nothing pending", st)
	}
	if st.LastDelivery.Before(asked) || st.LastDelivery.After(time.Now()) {
		t.Errorf("the last delivery is of %v, want after %v", st.LastDelivery, asked)
	}
	if h := st.DeliveryLatency; h.Count != 2 || h.Sum < 0 || h.Sum > 2*time.Since(begin).Seconds() {
		t.Errorf("latencies %+v, want 2", h)
	}
	if h := st.BatchEntries; h.Sum != 2 || h.Count < 1 || h.Buckets[1].Count != h.Count {
		t.Errorf("batches %+v, want one of 2 or two of 1", h)
	}
}

// The open chunk is waited for too, and its bytes are accepted.
func TestStatsOfTheOpenChunk(t *testing.T) {
	t.Parallel()
	s := newTestSyncer(t, &fakeProducer{}, &memoryFile{}, &Options{Linger: 5 * time.Second})
	begin := time.Now()
	mustWrite(t, s, "lingers\n")
	st := s.Stats()
	if st.AcceptedBytes != 8 || st.OldestPending.Before(begin) || st.InFlightEntries != 0 || st.InFlightBytes != 0 {
		t.Errorf("%+v, want 8 bytes accepted and nothing in flight", st)
	}
}

// A batch of which Kafka takes some, refuses some and never answers others: each
// entry's bytes are where the entry is.
func TestBytesOfABatchThatIsDivided(t *testing.T) {
	t.Parallel()
	const acked, failed, held = "a\n", "fff\n", "held until the end of Sync\n"
	for name, lines := range map[string][]string{
		"some fail":         {acked, failed},
		"some are given up": {acked, held},
		"both":              {acked, failed, held},
	} {
		lines := lines
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &fakeProducer{}
			p.handle = func(ctx context.Context, records []*Record) {
				for _, r := range records {
					switch r.Value[0] {
					case acked[0]:
						r.Done(nil)
					case failed[0]:
						r.Done(errors.New("no"))
					default:
						p.hold(ctx, []*Record{r})
					}
				}
			}
			s := newTestSyncer(t, p, &memoryFile{}, &Options{Linger: 20 * time.Millisecond, SyncTimeout: 100 * time.Millisecond})
			total := 0
			for i := 0; i < 10; i++ {
				for _, l := range lines {
					mustWrite(t, s, l)
					total += len(l)
				}
			}
			eventually(t, "what Kafka takes there", func() bool { return s.Stats().Acked == 10 })
			_ = s.Sync() // gives up what is held; on a busy machine the file may take longer
			eventually(t, "the rest on file", func() bool { return s.Stats().PendingEntries == 0 })
			st := s.Stats()
			if st.AcceptedBytes != uint64(total) || st.AckedBytes != 10*uint64(len(acked)) || st.FellBackBytes != st.AcceptedBytes-st.AckedBytes {
				t.Errorf("bytes %d, %d, %d", st.AcceptedBytes, st.AckedBytes, st.FellBackBytes)
			}
			if h := st.DeliveryLatency; h.Count != 10 {
				t.Errorf("%d latencies, want those of the 10 acknowledged", h.Count)
			}
		})
	}
}

// An entry that is cut counts whole, and one after Shutdown counts too.
func TestBytesOfOversizeEntriesAndAfterShutdown(t *testing.T) {
	t.Parallel()
	s := newTestSyncer(t, &fakeProducer{}, &memoryFile{}, &Options{MaxEntryBytes: 1000})
	mustWrite(t, s, strings.Repeat("x", 1001)+"\n")
	eventually(t, "it on file", func() bool { return s.Stats().FellBack.TooLarge == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "late")
	mustWrite(t, s, strings.Repeat("y", 2000))
	if st := s.Stats(); st.AcceptedBytes != 1002+5+2001 || st.FellBackBytes != st.AcceptedBytes {
		t.Errorf("bytes %d and %d", st.AcceptedBytes, st.FellBackBytes)
	}
}

// Whoever replays an entry has been answered by Kafka.
func TestLastDeliveryByReplay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leave(t, dir, "left by an earlier process")
	begin := time.Now()
	s, f := newReplaySyncer(t, &topicDouble{}, dir, nil, nil)
	eventually(t, "the replay", func() bool { return f.Stats().Replayed == 1 })
	if st := s.Stats(); st.LastDelivery.Before(begin) || st.DeliveryLatency.Count != 0 {
		t.Errorf("last delivery %v, latencies %d", st.LastDelivery, st.DeliveryLatency.Count)
	}
	if st := f.Stats(); st.MaxBytes != DefaultFallbackBytes {
		t.Errorf("MaxBytes is %d, want the default", st.MaxBytes)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	h.observe(&batchBounds, 1, 3)    // a bound is inclusive
	h.observe(&batchBounds, 3, 1)    // in the bucket up to 4
	h.observe(&batchBounds, 9999, 2) // over all bounds
	got := h.export(&batchBounds)
	if got.Count != 6 || got.Sum != 3+3+2*9999 {
		t.Errorf("%+v", got)
	}
	for i, want := range []uint64{3, 3, 4, 4} {
		if b := got.Buckets[i]; b.Count != want || b.UpTo != batchBounds[i] {
			t.Errorf("bucket %d is %+v, want %d up to %v", i, b, want, batchBounds[i])
		}
	}
	if got.Buckets[histogramBounds-1].Count != 4 {
		t.Errorf("what is over the last bound is in it: %+v", got)
	}
	for i := 1; i < histogramBounds; i++ {
		if batchBounds[i] <= batchBounds[i-1] || latencyBounds[i] <= latencyBounds[i-1] {
			t.Errorf("bound %d is not above the one before", i)
		}
	}
}

// Stats is asked every few seconds by everything that watches, and must not cost.
func TestStatsAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	s := newTestSyncer(t, &fakeProducer{}, &memoryFile{}, nil)
	if avg := testing.AllocsPerRun(1000, func() { _ = s.Stats() }); avg != 0 {
		t.Errorf("%v allocations, want 0", avg)
	}
}
