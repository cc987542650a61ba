package chaos

import (
	"time"

	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/service"
)

// heldUp is what no log call takes unless it waits for Kafka, which is away for
// longer; it leaves room for a machine that has brokers and other things to run.
func heldUp() time.Duration { return long(2*time.Second, 5*time.Second) }

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
	if a.Calls.Max > heldUp() {
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
	return x.checkWith(p, stopped, last, topic, func(*harness.Sheet) {})
}

// checkWith is check of a sheet that is completed first.
func (x *trial) checkWith(p *service.Process, stopped, last service.Answer, topic *harness.Tally, complete func(*harness.Sheet)) *harness.Sheet {
	x.Helper()
	files, err := harness.ReadFallback(x.dir)
	if err != nil {
		x.Errorf("the fallback is damaged: %v", err)
	}
	sheet := &harness.Sheet{
		Scenario: x.result.Scenario, Counts: p.Begun(), Stats: last.Stats, Fallback: last.Fallback,
		Topic: topic, Files: files, LongestCall: stopped.Calls.Max, P999: stopped.Calls.P999,
	}
	complete(sheet)
	sheet.Check(x)
	x.note(sheet)
	return sheet
}

// note adds the sheet to the result.
func (x *trial) note(s *harness.Sheet) {
	r, st, f := x.result, s.Stats, s.Fallback
	r.Accepted += st.Accepted
	r.Acked += st.Acked
	r.FellBack += st.FellBack.Total()
	r.Shed += st.Shed
	r.Lost += st.Lost.Total()
	r.Inherited += f.Inherited
	r.Replayed += f.Replayed
	r.Rejected += f.Rejected
	r.Quarantined += f.Quarantined
	r.Evicted += f.Evicted
	r.OnFile += f.OnFile
	r.Missing += s.Missing()
	r.Duplicate = s.Topic.Repeated()
	if st.PossiblyDuplicate > 0 {
		x.figure("possibly duplicate", st.PossiblyDuplicate)
	}
}

// notDoubled fails if entries are in the topic again without a mark: with a client
// that is idempotent nobody else can have doubled them.
func (x *trial) notDoubled(s *harness.Sheet) {
	x.Helper()
	if n := s.Topic.Unmarked; x.client.Idempotent && n > 0 {
		x.Errorf("%d records are in the topic again without a mark", n)
	}
}
