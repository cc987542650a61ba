package integration

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// `defer logger.Sync()` is all that many programs do at their end. When it
// returns, everything is in Kafka or on file, the broker being up ...
func TestSyncAlone(t *testing.T) {
	k := harness.Need(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{})
	done := load.New(s.Logger.Logger, load.Plan{Workers: 10, PerWorker: 1000}).Start().Wait()
	if err := s.Logger.Sync(); err != nil {
		t.Errorf("Sync: %v", err)
	}
	sheet := k.Sheet(t, "sync alone", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
}

// slowDisk is time enough for a Sync on a machine whose disk has other things to
// do: a quarter of it is the disk's.
const slowDisk = 4 * time.Second

// ... or frozen.
func TestSyncAloneWhileFrozen(t *testing.T) {
	k := harness.NeedScript(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{SyncTimeout: slowDisk})
	first := load.New(s.Logger.Logger, load.Plan{Workers: 10, PerWorker: 1000}).Start().Wait()
	awaitAcked(t, s, 10_000)
	k.Pause(t)
	second := load.New(s.Logger.Logger, load.Plan{Workers: 10, PerWorker: 1000, FirstSeq: 1000}).Start().Wait()
	if err := s.Logger.Sync(); err != nil {
		t.Errorf("Sync: %v", err)
	}
	onFile(t, s)
	k.Resume(t)

	counts := first.Counts
	for i, n := range second.Counts {
		counts[i] += n
	}
	first.Calls.Merge(second.Calls)
	// The records which the client still holds come to the topic as well, or
	// are given up: their outcome stands either way.
	s.Finish(t)
	sheet := k.Sheet(t, "sync alone while frozen", s, counts, first.Calls)
	sheet.Check(t)
	sheet.None(t)
	checkCalls(t, first)
}

// Sync leaves the sink working, and so does zap, which calls it for every entry
// above Error.
func TestSyncOftenAndDPanic(t *testing.T) {
	k := harness.Need(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{})
	for range 100 {
		if err := s.Logger.Sync(); err != nil {
			t.Fatalf("Sync: %v", err)
		}
	}
	before := load.New(s.Logger.Logger, load.Plan{Workers: 4, PerWorker: 250}).Start().Wait()
	s.Logger.DPanic("in production mode this is an entry like others", zap.String("what", "dpanic"))
	after := load.New(s.Logger.Logger, load.Plan{Workers: 4, PerWorker: 250, FirstSeq: 250}).Start().Wait()
	s.Finish(t)

	counts := before.Counts
	for i, n := range after.Counts {
		counts[i] += n
	}
	before.Calls.Merge(after.Calls)
	sheet := k.Sheet(t, "sync x 100, dpanic", s, counts, before.Calls)
	sheet.Others = 1
	sheet.Check(t)
	sheet.None(t)
	if sheet.Stats.Acked != 2001 || sheet.Topic.Records != 2001 {
		t.Errorf("acked %d, in the topic %d, want 2001 of each", sheet.Stats.Acked, sheet.Topic.Records)
	}
}
