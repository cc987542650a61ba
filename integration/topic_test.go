package integration

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// A topic that is not there is reported with its name and the option that would
// have it created; the entries are on file after their deadline.
func TestUnknownTopic(t *testing.T) {
	k := harness.Need(t)
	s := k.Open(t, harness.NewName(t), zapkafka.Options{DeliveryTimeout: 2 * time.Second})
	done := load.New(s.Logger.Logger, load.Plan{Workers: 4, PerWorker: 250}).Start().Wait()
	harness.Eventually(t, "the error names the topic and the option", func() bool {
		return s.Errors.Containing(s.Topic, "kgo.AllowAutoTopicCreation") != nil
	})
	t.Logf("the handler was told: %v", s.Errors.Containing(s.Topic, "kgo.AllowAutoTopicCreation"))
	harness.Eventually(t, "the entries are on file", func() bool {
		return s.Syncer.Stats().FellBack.Total() == 1000
	})
	s.Finish(t)

	files, err := harness.ReadFallback(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	sheet := &harness.Sheet{
		Scenario: "topic unknown", Counts: done.Counts,
		LongestCall: time.Duration(done.Calls.Max()), P999: time.Duration(done.Calls.ValueAtQuantile(99.9)),
		Stats: s.Syncer.Stats(), Fallback: s.Fallback.Stats(), Topic: &harness.Tally{}, Files: files,
	}
	sheet.Check(t)
	sheet.None(t)
}

// With the option, and brokers that allow it, the topic is created.
func TestTopicCreated(t *testing.T) {
	k := harness.NeedScript(t)
	k.Stop(t)
	t.Cleanup(func() { k.Stop(t) }) // before it is started without the setting
	k.StartWith(t, "KAFKA_AUTO_CREATE=true")
	s := k.Open(t, harness.NewName(t), zapkafka.Options{}, kgo.AllowAutoTopicCreation())
	done := load.New(s.Logger.Logger, load.Plan{Workers: 4, PerWorker: 250}).Start().Wait()
	s.Finish(t)

	sheet := k.Sheet(t, "topic created", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	if sheet.Stats.Acked != 1000 {
		t.Errorf("acked %d, want 1000: %+v", sheet.Stats.Acked, sheet.Stats.FellBack)
	}
	if err := s.Errors.Containing("does not exist"); err != nil {
		t.Errorf("the handler was told of a topic that was about to be created: %v", err)
	}
}

// Entries that the topic refuses for their size reach the fallback, and the
// traffic goes on.
func TestTooLargeForTheTopic(t *testing.T) {
	k := harness.Need(t)
	s := k.Open(t, k.Topic(t, "max.message.bytes=65536"), zapkafka.Options{DeliveryTimeout: 10 * time.Second})
	before := load.New(s.Logger.Logger, load.Plan{Workers: 4, PerWorker: 250}).Start().Wait()
	awaitAcked(t, s, 1000)
	const large = 3
	for i := range large {
		s.Logger.Info("too large for the topic", zap.Int("large", i), zap.String("noise", noise(200_000)))
	}
	harness.Eventually(t, "the large entries are on file", func() bool {
		return s.Syncer.Stats().FellBack.Total() >= large
	})
	after := load.New(s.Logger.Logger, load.Plan{Workers: 4, PerWorker: 250, FirstSeq: 250}).Start().Wait()
	awaitAcked(t, s, 2000)
	// The replay sends each alone before it believes the refusal.
	harness.Eventually(t, "the large entries are rejected", func() bool { return s.Fallback.Stats().Rejected == large })
	s.Finish(t)

	counts := before.Counts
	for i, n := range after.Counts {
		counts[i] += n
	}
	before.Calls.Merge(after.Calls)
	sheet := k.Sheet(t, "too large for the topic", s, counts, before.Calls)
	sheet.Others = large
	sheet.Check(t)
	sheet.None(t)
	if n := sheet.Stats.FellBack.Total(); n != large || sheet.Files.Foreign != large {
		t.Errorf("%d fell back, %d large entries are on file, want %d: %+v", n, sheet.Files.Foreign, large, sheet.Stats.FellBack)
	}
	if s.Errors.Containing("MESSAGE_TOO_LARGE") == nil || s.Errors.Containing("max.message.bytes", "MaxEntryBytes") == nil {
		t.Errorf("the error handler did not hear why:\n%s", s.Errors)
	}
}

// noise is text that does not compress.
func noise(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}
