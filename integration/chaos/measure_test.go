package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zapkafka/zapkafka/integration/service"
)

const (
	bufferBytes  = 64 << 20 // the sink's default
	mostResident = 48 << 20 // above it
	mostReplay   = time.Minute
	mostSlower   = 2 // times the healthy day's
	latencyTries = 3 // one of them has to hold: a p99 on a busy machine is luck now and then
)

// After an outage of a minute everything is in Kafka within another, by itself,
// while the load goes on, and nothing is left on the disk.
func outage60(x *trial) {
	p := x.healthy(long(5*time.Second, 2*time.Second))
	x.kafka.Pause(x)
	x.logged(p, long(60*time.Second, 10*time.Second))
	x.kafka.Resume(x)
	behind := p.Ask(x, service.Stats).Fallback.OnFile
	took := x.replayed(p)
	x.figure("on file when the broker was back", behind)
	x.figure("time to replay", took)
	if took > mostReplay {
		x.Errorf("the replay took %v, want %v at most", took, mostReplay)
	}
	x.eventuallyWithin(patience(), "no segment is left but an empty one", func() bool { return segments(x) == "" })
	x.notDoubled(x.finish(p))
	x.resident()
}

// segments lists those that hold something.
func segments(x *trial) (found string) {
	names, err := filepath.Glob(filepath.Join(x.dir, "*.log"))
	if err != nil {
		x.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			found += " " + filepath.Base(name)
		}
	}
	return found
}

// resident checks what memory the process took, where the race detector's does
// not count.
func (x *trial) resident() {
	x.Helper()
	if over := int64(x.result.Resident) - bufferBytes; over > mostResident {
		x.Errorf("resident memory was %d MiB, %d above the bound of %d; allowed is %d", x.result.Resident>>20, over>>20, bufferBytes>>20, mostResident>>20)
	}
}

// Calls with a broker that is frozen take no longer than on a healthy day, and
// allocate no more.
func callTimes(x *trial) {
	d := long(20*time.Second, 8*time.Second)
	p := x.healthy(time.Second)
	var why string
	for try := range latencyTries {
		healthy, a := x.lap(p, d)
		x.kafka.Pause(x)
		ill, b := x.lap(p, d)
		x.kafka.Resume(x)
		x.replayed(p)
		why = ""
		if ill.Calls.P50 > mostSlower*healthy.Calls.P50 || ill.Calls.P99 > mostSlower*healthy.Calls.P99 {
			why = fmt.Sprintf("p50 and p99 of a call are %v and %v with a frozen broker, on a healthy day %v and %v",
				ill.Calls.P50, ill.Calls.P99, healthy.Calls.P50, healthy.Calls.P99)
		}
		x.figure(fmt.Sprintf("try %d", try+1), fmt.Sprintf("healthy p50 %v, p99 %v, %.3f allocations an entry; frozen p50 %v, p99 %v, %.3f allocations",
			healthy.Calls.P50, healthy.Calls.P99, a, ill.Calls.P50, ill.Calls.P99, b))
		if b > a+0.1 {
			x.Errorf("an entry costs %.3f allocations with a frozen broker, %.3f on a healthy day", b, a)
		}
		if why == "" {
			break
		}
	}
	if why != "" {
		x.Error(why)
	}
	x.finish(p)
	x.resident()
}

// lap measures the calls of some time, and the allocations for each entry.
func (x *trial) lap(p *service.Process, d time.Duration) (service.Answer, float64) {
	x.Helper()
	begin := p.Ask(x, service.Lap)
	x.logged(p, d)
	end := p.Ask(x, service.Lap)
	return end, float64(end.Mallocs-begin.Mallocs) / float64(end.Calls.Entries)
}
