package chaos

import (
	"fmt"
	"time"

	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/ids"
	"github.com/zapkafka/zapkafka/integration/service"
)

// apart is what lies between the numbers of two processes' first workers.
const apart = 100

// Three processes have one fallback directory. In an outage the owner of the
// directory itself is killed; the others adopt what it left.
func threeProcesses(x *trial) {
	x.makeTopic()
	var all []*service.Process
	for i := range 3 {
		all = append(all, x.start("-first-worker", fmt.Sprint(i*apart), "-rate", fmt.Sprint(x.rate/3)))
	}
	for _, p := range all {
		x.acked(p, 100)
	}
	x.kafka.Pause(x)
	for _, p := range all {
		x.outage(p)
	}
	dead, alive := all[0], all[1:]
	x.logged(dead, long(10*time.Second, time.Second))
	before := dead.Ask(x, service.Stats)
	dead.Kill()
	x.kafka.Resume(x)
	inherited := func() (n uint64) {
		for _, p := range alive {
			a := x.asked(p, "all that fell back is in Kafka", func(a service.Answer) bool {
				return a.State != "fallback only" && a.Fallback.OnFile == 0
			})
			n += a.Fallback.Inherited
		}
		return n
	}
	// They look for dead owners once a minute.
	x.figure("time until the dead one's entries are in Kafka", x.timed(func() {
		x.eventuallyWithin(2*time.Minute, "what the dead one left is replayed", func() bool { return inherited() >= before.Fallback.OnFile })
	}))

	var last []service.Answer
	for _, p := range alive {
		x.stop(p)
		last = append(last, p.Shutdown(x))
	}
	topic := x.kafka.Read(x, x.topic)
	for i, p := range alive {
		x.balanced(p, (i+1)*apart, last[i], topic)
	}
	x.remains(dead, before, topic)
}

// The program is killed in the middle of a replay, and a new one goes on with
// the directory.
func killedReplaying(x *trial) {
	p := x.healthy(long(3*time.Second, time.Second), "-replay", fmt.Sprint(2*x.rate))
	x.kafka.Pause(x)
	x.outage(p)
	x.logged(p, long(20*time.Second, 3*time.Second))
	x.kafka.Resume(x)
	before := x.asked(p, "the replay is under way", func(a service.Answer) bool { return a.Fallback.Replayed > 0 })
	p.Kill()

	next := x.start("-first-worker", fmt.Sprint(apart))
	x.asked(next, "something was inherited", func(a service.Answer) bool { return a.Fallback.Inherited > 0 })
	x.figure("time to replay", x.replayed(next))
	x.stop(next)
	last := next.Shutdown(x)
	topic := x.kafka.Read(x, x.topic)
	x.balanced(next, apart, last, topic)
	x.remains(p, before, topic)
}

// balanced checks the sheets of a process that ended well, whose first worker
// has this number, and adds them to the result.
func (x *trial) balanced(p *service.Process, first int, last service.Answer, topic *harness.Tally) {
	x.Helper()
	files, err := harness.ReadFallback(x.dir)
	if err != nil {
		x.Errorf("the fallback is damaged: %v", err)
	}
	s := &harness.Sheet{
		Scenario: x.result.Scenario, Counts: append(make([]int, first), p.Begun()...), Stats: last.Stats, Fallback: last.Fallback,
		Topic: topic, Files: files,
	}
	s.Check(x)
	s.None(x)
	if n := s.Fallback.OnFile + s.Fallback.Quarantined + s.Fallback.Evicted; n != 0 {
		x.Errorf("%d entries are not in Kafka: %+v", n, s.Fallback)
	}
	x.note(s)
}

// remains checks what a process that was killed took with it: at most what was in
// memory when it was last asked, and what it began to log later.
func (x *trial) remains(p *service.Process, before service.Answer, topic *harness.Tally) {
	x.Helper()
	absent := 0
	for worker, n := range p.Begun() {
		for seq := range n {
			if topic.Times(ids.ID{Worker: worker, Seq: seq}) == 0 {
				absent++
			}
		}
	}
	most := int(before.Stats.PendingEntries) + p.Logged() - int(before.Stats.Accepted)
	x.figure("logged by the one that was killed", p.Logged())
	x.figure("what it took with it", fmt.Sprintf("%d of at most %d", absent, most))
	x.result.Unknown = absent
	if absent > most {
		x.Errorf("%d entries of the process that was killed are nowhere, but only %d were in memory", absent, most)
	}
	if n := topic.Unmarked; x.client.Idempotent && n > 0 {
		x.Errorf("%d records are in the topic again without a mark", n)
	}
}
