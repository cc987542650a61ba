package chaos

import (
	"time"

	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/service"
)

// neverHeldUp is what no log call takes unless it waits for Kafka; it leaves room
// for a machine that has brokers and other things to run.
const neverHeldUp = 2 * time.Second

// stop ends the load and notes what calls took and what the process holds.
func (x *trial) stop(p *service.Process) service.Answer {
	x.Helper()
	a := p.Ask(x, service.Stop)
	x.calls(a)
	return a
}

func (x *trial) calls(a service.Answer) {
	x.Helper()
	r := x.result
	r.MaxCall, r.P999 = max(r.MaxCall, a.Calls.Max), max(r.P999, a.Calls.P999)
	r.Resident, r.Live, r.Goroutines = max(r.Resident, a.Memory.HighWater), max(r.Live, a.Memory.Live), max(r.Goroutines, a.Memory.Goroutines)
	if a.Calls.Max > neverHeldUp {
		x.Errorf("a log call took %v", a.Calls.Max)
	}
}

// finish ends load and program in good order, reads everything back, and checks
// both sheets. Nothing may be lost.
func (x *trial) finish(p *service.Process) *harness.Sheet {
	x.Helper()
	sheet := x.sheet(p)
	sheet.None(x)
	if n := sheet.Fallback.OnFile + sheet.Fallback.Quarantined + sheet.Fallback.Evicted; n != 0 {
		x.Errorf("%d entries are not in Kafka: %+v", n, sheet.Fallback)
	}
	return sheet
}

// sheet is finish for scenarios in which something may be lost, or stay on file.
func (x *trial) sheet(p *service.Process) *harness.Sheet {
	x.Helper()
	stopped := x.stop(p)
	last := p.Shutdown(x)
	return x.check(p, stopped, last, x.kafka.Read(x, x.topic))
}

// check holds what the program says against what was found.
func (x *trial) check(p *service.Process, stopped, last service.Answer, topic *harness.Tally) *harness.Sheet {
	x.Helper()
	files, err := harness.ReadFallback(x.dir)
	if err != nil {
		x.Errorf("the fallback is damaged: %v", err)
	}
	sheet := &harness.Sheet{
		Scenario: x.result.Scenario, Counts: p.Begun(), Stats: last.Stats, Fallback: last.Fallback,
		Topic: topic, Files: files, LongestCall: stopped.Calls.Max, P999: stopped.Calls.P999,
	}
	sheet.Check(x)
	x.note(sheet)
	return sheet
}

// note puts the sheet into the result.
func (x *trial) note(s *harness.Sheet) {
	r, st, f := x.result, s.Stats, s.Fallback
	r.Accepted, r.Acked, r.FellBack, r.Shed, r.Lost = st.Accepted, st.Acked, st.FellBack.Total(), st.Shed, st.Lost.Total()
	r.Inherited, r.Replayed, r.Rejected = f.Inherited, f.Replayed, f.Rejected
	r.Quarantined, r.Evicted, r.OnFile = f.Quarantined, f.Evicted, f.OnFile
	r.Missing, r.Duplicate = s.Missing(), s.Topic.Repeated()
	if st.PossiblyDuplicate > 0 {
		x.figure("possibly duplicate", st.PossiblyDuplicate)
	}
}

// notDoubled fails if entries are in the topic twice without being marked: an
// idempotent client and entries that never were with it leave no room for that.
func (x *trial) notDoubled(s *harness.Sheet) {
	x.Helper()
	if n := s.Topic.Repeated(); x.client.Idempotent && uint64(n) > s.Stats.PossiblyDuplicate {
		x.Errorf("%d entries are in the topic more than once, but only %d are possibly duplicate", n, s.Stats.PossiblyDuplicate)
	}
}

