package chaos

import (
	"time"

	"github.com/zapkafka/zapkafka/integration/service"
)

// A long day with an outage in it: a twelfth of the time from a sixth of it on.
// Memory afterwards stays what it is.
func soak(x *trial) {
	total := *soakFor
	if total == 0 {
		total = long(2*time.Minute, 30*time.Second)
	}
	every := max(total/500, 250*time.Millisecond)
	p := x.healthy(0)
	x.watch(p, total/6, every)
	x.kafka.Pause(x)
	x.watch(p, max(total/12, 8*time.Second), every)
	x.kafka.Resume(x)
	x.figure("length", total)
	x.figure("time to replay", x.replayed(p))
	from := len(x.result.Samples)
	x.watch(p, total-time.Since(x.began), every)
	x.flat(x.result.Samples[from:])
	x.notDoubled(x.finish(p))
	x.resident()
}

// watch samples the process for some time.
func (x *trial) watch(p *service.Process, d, every time.Duration) {
	x.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		a := p.Ask(x, service.Stats)
		x.result.Samples = append(x.result.Samples, Sample{
			At: time.Since(x.began).Round(time.Millisecond), State: a.State, OnFile: a.Fallback.OnFile,
			Resident: a.Memory.Resident, Live: a.Memory.Live, Goroutines: a.Memory.Goroutines,
		})
		<-tick.C
	}
}

// flat compares the last quarter of the samples with the first: there may be a
// quarter more, and what a collection more or less makes.
func (x *trial) flat(samples []Sample) {
	x.Helper()
	quarter := len(samples) / 4
	if quarter == 0 {
		x.Errorf("only %d samples after the outage: the soak is too short", len(samples))
		return
	}
	for _, of := range []struct {
		name  string
		value func(Sample) float64
		slack float64
	}{
		{"resident MiB", func(s Sample) float64 { return float64(s.Resident) / (1 << 20) }, 8},
		{"live MiB", func(s Sample) float64 { return float64(s.Live) / (1 << 20) }, 4},
		{"goroutines", func(s Sample) float64 { return float64(s.Goroutines) }, 3},
	} {
		first, last := mean(samples[:quarter], of.value), mean(samples[len(samples)-quarter:], of.value)
		x.figure(of.name+" after the outage, first and last quarter", [2]int{int(first + 0.5), int(last + 0.5)})
		if last > first*1.25+of.slack {
			x.Errorf("%s grew from %.1f to %.1f after the outage", of.name, first, last)
		}
	}
}

func mean(samples []Sample, value func(Sample) float64) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += value(s)
	}
	return sum / float64(len(samples))
}
