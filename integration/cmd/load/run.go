package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/load"
	"github.com/zapkafka/zapkafka/integration/memory"
	"github.com/zapkafka/zapkafka/producer/franz"
)

const (
	// warm entries are logged before anything is measured, so that the client
	// is connected and knows the topic.
	warm     = 100
	patience = time.Minute
)

func run(c config) (*load.Report, error) {
	padding, length := paddingFor(c)
	plan := load.Plan{Workers: c.workers, Rate: c.rate, Padding: padding}
	report := &load.Report{EntryBytes: length, BufferBytes: c.buffer}

	// The garbage collector works in both: forced collections are part of the
	// measurement.
	baseline := load.New(logger(c, zapcore.AddSync(io.Discard)), plan)
	w := startWatch(nil, nil)
	baseline.Start()
	<-time.After(c.baseline)
	report.Baseline = baseline.Stop().Summary()
	w.end()
	if c.discard {
		return report, nil
	}
	return report, runSink(c, plan, report)
}

func runSink(c config, plan load.Plan, report *load.Report) (err error) {
	producer, err := franz.New(c.brokers)
	if err != nil {
		return err
	}
	fallback, err := zapkafka.OpenFallback(c.fallback, &zapkafka.FallbackOptions{MaxBytes: 4 << 30})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fallback.Close()) }()
	syncer, err := zapkafka.NewKafkaSyncer(producer, c.topic, fallback, &zapkafka.Options{BufferBytes: c.buffer})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, syncer.Close()) }()
	log := logger(c, syncer)

	first, err := warmUp(c, syncer, log, plan)
	if err != nil {
		return err
	}
	plan.FirstSeq = warm
	main := load.New(log, plan)
	idle := load.Memory{IdleLive: memory.Live(), IdleResident: memory.Status("VmRSS")}
	if c.script != "" {
		if err := kafka(c, "pause"); err != nil {
			return err
		}
		report.Frozen = true
	}
	thaw := sync.OnceValue(func() error {
		if !report.Frozen {
			return nil
		}
		return kafka(c, "resume")
	})
	defer func() { err = errors.Join(err, thaw()) }()

	memory.ResetHighWater()
	// At a steady rate the collector's work is part of what calls are measured
	// with; at full speed memory is what counts.
	var collect func(func())
	if c.rate == 0 {
		collect = main.Hold
	}
	main.Start()
	w := startWatch(collect, func() int64 { return syncer.Stats().PendingBytes })
	<-time.After(c.duration)
	most := w.end()
	done := main.Stop()
	most.IdleLive, most.IdleResident = idle.IdleLive, idle.IdleResident
	report.Memory = most
	report.Sink = done.Summary()
	report.Counts = done.Counts
	for i, n := range first.Counts {
		report.Counts[i] += n
	}
	if err := heapProfile(c.profile); err != nil {
		return err
	}

	if err := thaw(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begin := time.Now()
	if err := syncer.Shutdown(ctx); err != nil {
		report.ShutdownError = err.Error()
	}
	report.Shutdown = time.Since(begin)
	report.Stats, report.Fallback = syncer.Stats(), fallback.Stats()
	runtime.KeepAlive(main) // it was there when the idle program was measured
	return nil
}

// warmUp logs a little and waits until Kafka has it.
func warmUp(c config, syncer *zapkafka.KafkaSyncer, log *zap.Logger, plan load.Plan) (load.Result, error) {
	plan.PerWorker, plan.Rate = warm, 0
	first := load.New(log, plan).Start().Wait()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for syncer.Stats().Acked < uint64(first.Total()) {
		select {
		case <-tick.C:
		case <-deadline.C:
			return first, fmt.Errorf("no acknowledgement of the first %d entries by Kafka at %v within %v: %+v", first.Total(), c.brokers, patience, syncer.Stats())
		}
	}
	return first, nil
}

func kafka(c config, command string) error {
	if out, err := exec.Command(c.script, command).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", c.script, command, err, out)
	}
	return nil
}

func heapProfile(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
}
