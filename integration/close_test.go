package integration

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// A program ends while the broker is frozen: in time, with everything on file.
func TestShutdownWhileFrozen(t *testing.T) {
	k := harness.NeedScript(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{})
	run := load.New(s.Logger.Logger, steady).Start()
	awaitAcks(t, s, steadyRate)
	k.Pause(t)
	await(t, run, 2*steadyRate)
	done := run.Stop()
	took, err := s.Shutdown(2 * time.Second)
	if err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if took > 2500*time.Millisecond {
		t.Errorf("Shutdown with 2 s took %v", took)
	}
	t.Logf("Shutdown with 2 s took %v", took)
	// All of it is there before the broker can have done anything.
	onFile(t, s)
	k.Resume(t)

	sheet := k.Sheet(t, "shutdown while frozen", s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	checkCalls(t, done)
}

// The same with a broker that is gone, through Close; and what is logged later
// is on file too.
func TestCloseWhileKilled(t *testing.T) {
	k := harness.NeedScript(t)
	s := k.Open(t, k.Topic(t), zapkafka.Options{CloseTimeout: 2 * time.Second})
	run := load.New(s.Logger.Logger, steady).Start()
	awaitAcks(t, s, steadyRate)
	k.Kill(t)
	await(t, run, 2*steadyRate)
	done := run.Stop()
	begin := time.Now()
	if err := s.Syncer.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	took := time.Since(begin)
	if took > 2500*time.Millisecond {
		t.Errorf("Close with 2 s took %v", took)
	}
	t.Logf("Close with 2 s took %v", took)
	for range 10 {
		s.Logger.Info("after Close", zap.Bool("late", true))
	}
	onFile(t, s)
	k.Start(t)

	sheet := k.Sheet(t, "close while killed", s, done.Counts, done.Calls)
	sheet.Others = 10
	sheet.Check(t)
	sheet.None(t)
	checkCalls(t, done)
}

// onFile checks, by the files alone, that what Kafka has not acknowledged is on
// file at this moment.
func onFile(t *testing.T, s *harness.Sink) {
	t.Helper()
	st := s.Syncer.Stats()
	files, err := harness.ReadFallback(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := uint64(files.Distinct() + files.Foreign); n != st.Accepted-st.Acked || st.Lost.Total() != 0 || st.PendingEntries != 0 {
		t.Errorf("%d entries are on file, want %d, those that Kafka did not acknowledge; %+v", n, st.Accepted-st.Acked, st)
	}
}
