package integration

import (
	"testing"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// Every client behind the same promise: 100,000 entries, and the broker crashes
// and comes back in the middle of them.
func TestKilledWithEachClient(t *testing.T) {
	k := harness.NeedScript(t)
	const entries, rate = 100_000, 10_000
	for _, a := range adaptors.All() {
		t.Run(a.Name, func(t *testing.T) {
			a.SkipIfItRaces(t)
			producer, err := a.New(k.Brokers)
			if err != nil {
				t.Fatal(err)
			}
			k.Start(t)
			s := harness.OpenWith(t, producer, k.Topic(t), zapkafka.Options{})
			run := load.New(s.Logger.Logger, load.Plan{Workers: 10, Rate: rate, PerWorker: entries / 10}).Start()
			await(t, run, entries/4)
			k.Kill(t)
			await(t, run, rate)
			k.Start(t)
			done := run.Wait()
			s.Replayed(t)
			s.Finish(t)

			sheet := k.Sheet(t, a.Name+": killed and started again", s, done.Counts, done.Calls)
			sheet.Check(t)
			sheet.None(t)
			checkCalls(t, done)
			if n := done.Total(); n != entries {
				t.Errorf("%d entries were logged, want %d", n, entries)
			}
			twice := sheet.Topic.Repeated()
			t.Logf("%s: %d entries are more than once in the topic; fell back %+v; the error handler was told:\n%s", a.Name, twice, s.Syncer.Stats().FellBack, s.Errors)
			if a.Idempotent && twice != 0 {
				t.Errorf("%d entries are more than once in the topic; the client is idempotent", twice)
			}
		})
	}
}
