package integration

import (
	"testing"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// A healthy broker gets everything, and the disk nothing.
func TestHealthy(t *testing.T) {
	k := harness.Need(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{BufferBytes: 64 << 20})
	done := load.New(s.Logger.Logger, load.Plan{Workers: 10, PerWorker: 10_000}).Start().Wait()
	s.Finish(t)

	sheet := k.Sheet(t, "healthy", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	if sheet.Stats.Acked != 100_000 || sheet.Topic.Records != 100_000 {
		t.Errorf("acked %d, in the topic %d, want 100,000 of each", sheet.Stats.Acked, sheet.Topic.Records)
	}
	if size, err := harness.FallbackBytes(s.Dir); err != nil || size != 0 || sheet.Files.Records != 0 {
		t.Errorf("the fallback holds %d bytes, %d entries (%v), want none", size, sheet.Files.Records, err)
	}
	if t.Failed() {
		t.Logf("the error handler was told:\n%s", s.Errors)
	}
}
