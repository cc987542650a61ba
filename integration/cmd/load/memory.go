package main

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka/integration/load"
)

const (
	liveMetric  = "/gc/heap/live:bytes" // marked by the last collection
	inUseMetric = "/memory/classes/heap/objects:bytes"

	sampleEvery  = 50 * time.Millisecond
	collectEvery = 2 * time.Second
)

// live collects garbage and returns what is left. Twice, so that what the first
// one found and nobody wants any more is gone.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	return read(liveMetric)
}

func read(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// status reads a line such as VmRSS of /proc/self/status; 0 where there is none.
func status(name string) uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range bytes.Split(text, []byte("\n")) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == name+":" {
			kib, _ := strconv.ParseUint(string(fields[1]), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// resetHighWater makes VmHWM begin anew.
func resetHighWater() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// watch samples memory until it is told to end.
type watch struct {
	// collect runs f, which collects garbage, at a moment that suits the load.
	collect func(f func())
	charged func() int64 // what the sink counts against its bound

	stop  chan struct{}
	group sync.WaitGroup
	most  load.Memory
	first runtime.MemStats
}

func startWatch(collect func(f func()), charged func() int64) *watch {
	w := &watch{collect: collect, charged: charged, stop: make(chan struct{})}
	runtime.ReadMemStats(&w.first)
	w.group.Go(w.run)
	return w
}

func (w *watch) run() {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	collected := time.Now()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
		if time.Since(collected) >= collectEvery {
			w.collectNow()
			collected = time.Now()
		}
		w.sample()
	}
}

// collectNow looks at the live heap also when the collector sees no need to.
func (w *watch) collectNow() {
	if w.collect == nil {
		runtime.GC()
		return
	}
	w.collect(func() {
		charged := uint64(max(0, w.charged()))
		if exact := live(); exact > w.most.LiveExact {
			w.most.LiveExact, w.most.Charged = exact, charged
		}
	})
}

func (w *watch) sample() {
	w.most.Live = max(w.most.Live, read(liveMetric))
	w.most.InUse = max(w.most.InUse, read(inUseMetric))
	if resident := status("VmRSS"); resident > w.most.Resident {
		w.most.Resident = resident
		w.most.Made = made()
	}
}

// made says what the Go part of resident memory consists of.
func made() map[string]uint64 {
	parts := map[string]string{
		"heap objects":  inUseMetric,
		"heap unused":   "/memory/classes/heap/unused:bytes",
		"heap free":     "/memory/classes/heap/free:bytes",
		"stacks":        "/memory/classes/heap/stacks:bytes",
		"runtime other": "/memory/classes/other:bytes",
		"mspan":         "/memory/classes/metadata/mspan/inuse:bytes",
		"metadata":      "/memory/classes/metadata/other:bytes",
		"profiling":     "/memory/classes/profiling/buckets:bytes",
	}
	out := make(map[string]uint64, len(parts))
	for name, metric := range parts {
		out[name] = read(metric)
	}
	return out
}

func (w *watch) end() load.Memory {
	close(w.stop)
	w.group.Wait()
	w.sample()
	w.most.HighWater = status("VmHWM")
	var last runtime.MemStats
	runtime.ReadMemStats(&last)
	w.most.Collections = last.NumGC - w.first.NumGC
	return w.most
}
