package chaos

import "time"

// The broker crashes and comes back.
func killed(x *trial) {
	p := x.healthy(long(10*time.Second, 3*time.Second))
	x.kafka.Kill(x)
	x.outage(p)
	x.logged(p, long(10*time.Second, time.Second))
	x.kafka.Start(x)
	x.figure("time to replay", x.replayed(p))
	x.logged(p, long(5*time.Second, time.Second))
	x.notDoubled(x.finish(p))
}

// The broker stops answering and goes on later: connections stay, nothing moves.
func frozen(x *trial) {
	p := x.healthy(long(10*time.Second, 3*time.Second))
	x.kafka.Pause(x)
	x.outage(p)
	x.logged(p, long(40*time.Second, time.Second)) // 45 s in all, past the deadline
	x.kafka.Resume(x)
	x.figure("time to replay", x.replayed(p))
	x.logged(p, long(5*time.Second, time.Second))
	x.notDoubled(x.finish(p))
}

// The program starts before Kafka does.
func downAtStart(x *trial) {
	x.makeTopic()
	x.kafka.Kill(x)
	begin := time.Now()
	p := x.start()
	x.figure("start", time.Since(begin))
	x.outage(p)
	x.logged(p, long(20*time.Second, time.Second))
	x.kafka.Start(x)
	x.figure("time to replay", x.replayed(p))
	x.logged(p, long(5*time.Second, time.Second))
	x.notDoubled(x.finish(p))
}
