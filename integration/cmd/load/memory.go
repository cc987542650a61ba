package main

import (
	"runtime"
	"sync"
	"time"

	"github.com/zapkafka/zapkafka/integration/load"
	"github.com/zapkafka/zapkafka/integration/memory"
)

const (
	sampleEvery  = 50 * time.Millisecond
	collectEvery = 2 * time.Second
)

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
		if exact := memory.Live(); exact > w.most.LiveExact {
			w.most.LiveExact, w.most.Charged = exact, charged
		}
	})
}

func (w *watch) sample() {
	w.most.Live = max(w.most.Live, memory.Read(memory.LiveMetric))
	w.most.InUse = max(w.most.InUse, memory.Read(memory.InUseMetric))
	if resident := memory.Status("VmRSS"); resident > w.most.Resident {
		w.most.Resident = resident
		w.most.Made = made()
	}
}

// made says what the Go part of resident memory consists of.
func made() map[string]uint64 {
	parts := map[string]string{
		"heap objects":  memory.InUseMetric,
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
		out[name] = memory.Read(metric)
	}
	return out
}

func (w *watch) end() load.Memory {
	close(w.stop)
	w.group.Wait()
	w.sample()
	w.most.HighWater = memory.Status("VmHWM")
	var last runtime.MemStats
	runtime.ReadMemStats(&last)
	w.most.Collections = last.NumGC - w.first.NumGC
	return w.most
}
