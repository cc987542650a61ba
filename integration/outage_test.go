package integration

import (
	"context"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// steady is the load that outages come into.
const steadyRate = 5000

var steady = load.Plan{Workers: 10, Rate: steadyRate}

// await waits until n more entries have been logged.
func await(t *testing.T, run *load.Run, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	if err := run.Await(ctx, n); err != nil {
		t.Fatalf("no %d entries could be logged: %v", n, err)
	}
}

// awaitAcks waits until Kafka has acknowledged n more entries.
func awaitAcks(t *testing.T, s *harness.Sink, n uint64) {
	t.Helper()
	awaitAcked(t, s, s.Syncer.Stats().Acked+n)
}

// awaitAcked waits until Kafka has acknowledged n entries in all.
func awaitAcked(t *testing.T, s *harness.Sink, n uint64) {
	t.Helper()
	harness.Eventually(t, "Kafka acknowledges entries", func() bool { return s.Syncer.Stats().Acked >= n })
}

// neverHeldUp is what no call takes unless it waits for Kafka; it leaves room
// for a machine that has other things to do.
const neverHeldUp = 2 * time.Second

func checkCalls(t *testing.T, done load.Result) {
	t.Helper()
	if longest := time.Duration(done.Calls.Max()); longest > neverHeldUp {
		t.Errorf("a log call took %v", longest)
	}
}

// The program starts before Kafka does.
func TestDownAtStart(t *testing.T) {
	k := harness.NeedScript(t)
	topic := k.Topic(t)
	k.Kill(t)

	begin := time.Now()
	s := k.Open(t, topic, zapkafka.Options{DeliveryTimeout: 3 * time.Second})
	if took := time.Since(begin); took > time.Second {
		t.Errorf("opening the sink took %v with the broker down", took)
	}
	run := load.New(s.Logger.Logger, steady).Start()
	harness.Eventually(t, "entries are on file", func() bool {
		return s.Syncer.Stats().FellBack.Total() > 2*steadyRate
	})
	k.Start(t)
	awaitAcks(t, s, 3*steadyRate)
	done := run.Stop()
	s.Replayed(t)
	s.Finish(t)

	sheet := k.Sheet(t, "down at start", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	checkCalls(t, done)
	if s.Errors.Containing("franz") == nil {
		t.Errorf("the error handler did not hear that Kafka is down:\n%s", s.Errors)
	}
}

// The broker stops answering for five seconds: connections stay, nothing moves.
func TestFrozenInTheMiddle(t *testing.T) {
	k := harness.NeedScript(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{})
	run := load.New(s.Logger.Logger, steady).Start()
	await(t, run, 2*steadyRate)
	k.Pause(t)
	await(t, run, 5*steadyRate)
	k.Resume(t)
	awaitAcks(t, s, 2*steadyRate)
	done := run.Stop()
	s.Replayed(t)
	s.Finish(t)

	sheet := k.Sheet(t, "frozen for 5 s", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	checkCalls(t, done)
	// Well within the deadline, so an idempotent producer writes nothing twice.
	if n := sheet.Topic.Repeated(); n != 0 {
		t.Errorf("%d entries are in the topic more than once", n)
	}
}

// Frozen for longer than entries may take: they go on file at their deadline,
// and what the broker had received nevertheless may be in the topic twice when
// the file has been replayed.
func TestFrozenPastTheDeadline(t *testing.T) {
	k := harness.NeedScript(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{DeliveryTimeout: 2 * time.Second})
	run := load.New(s.Logger.Logger, steady).Start()
	await(t, run, steadyRate)
	k.Pause(t)
	await(t, run, 2*steadyRate)
	harness.Eventually(t, "entries past their deadline are on file", func() bool {
		return s.Syncer.Stats().FellBack.Total() > steadyRate
	})
	k.Resume(t)
	awaitAcks(t, s, 2*steadyRate)
	done := run.Stop()
	s.Replayed(t)
	s.Finish(t)

	sheet := k.Sheet(t, "frozen past the deadline", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	checkCalls(t, done)
	st := sheet.Stats
	t.Logf("%+v, possibly duplicate %d, late acked %d, late failed %d", st.FellBack, st.PossiblyDuplicate, st.LateAcked, st.LateFailed)
}

// The broker crashes and comes back with what it had stored.
func TestKilledInTheMiddle(t *testing.T) {
	k := harness.NeedScript(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{})
	run := load.New(s.Logger.Logger, steady).Start()
	await(t, run, 2*steadyRate)
	k.Kill(t)
	await(t, run, steadyRate)
	k.Start(t)
	awaitAcks(t, s, 3*steadyRate)
	done := run.Stop()
	s.Replayed(t)
	s.Finish(t)

	sheet := k.Sheet(t, "killed and started again", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	checkCalls(t, done)
	// SIGKILL takes nothing from the page cache: what was stored is stored, and
	// the broker finds the producers' sequence numbers in its log.
	if n := sheet.Topic.Repeated(); n != 0 {
		t.Errorf("%d entries are in the topic more than once", n)
	}
	// What was with the client waited for the broker, which was back before any
	// deadline; the rest did not.
	if st := sheet.Stats; st.FellBack.Total() != st.FellBack.Outage {
		t.Errorf("entries fell back for another reason than the outage: %+v", st.FellBack)
	}
}
