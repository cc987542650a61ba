package rivals

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// sarama's metrics have one for the process, which never ends.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		// slog-kafka's way leaves contexts behind that nobody cancels, and with them
		// whatever of kafka-go waits for them.
		goleak.IgnoreTopFunction("github.com/segmentio/kafka-go.(*connPool).discover"),
		// lumberjack never ends the one that rotates.
		goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// Every rival delivers what is logged, or says what became of it.
func TestRivals(t *testing.T) {
	const goroutines, each = 4, 50
	for _, r := range All() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			if r.External != "" {
				t.Skip("it needs a JVM: cmd/bench runs it")
			}
			if r.Name == "kafkago-sync" {
				t.Skip("a second a call: kafkago-sync-1ms is the same otherwise")
			}
			c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "test"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			sink, err := r.Open(Setup{Brokers: c.ListenAddrs(), Topic: "test", Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			logger := Logger(sink)
			var group sync.WaitGroup
			for range goroutines {
				group.Go(func() {
					for n := range each {
						logger.Info("test", zap.Int("n", n))
					}
				})
			}
			group.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := sink.Drain(ctx); err != nil {
				t.Error(err)
			}
			if err := sink.Close(ctx); err != nil {
				t.Error(err)
			}
			stored := uint64(0)
			for _, p := range c.PartitionInfos("test") {
				stored += uint64(p.HighWatermark)
			}
			count := sink.Count()
			const all = goroutines * each
			switch {
			case r.Kafka && strings.HasSuffix(r.Name, "-select"): // what Input does not take at once is on file
				if stored+count.Filed != all {
					t.Errorf("%d stored and %d on file, want %d", stored, count.Filed, all)
				}
			case r.Name == "published-kafkago": // nobody acknowledges: it says no more than that it was sent
				if stored > all {
					t.Errorf("%d stored, want %d at most", stored, all)
				}
			case r.Kafka:
				if stored != all {
					t.Errorf("%d stored, want %d; %+v", stored, all, count)
				}
			case r.File:
				if count.Filed != all {
					t.Errorf("%d on file, want %d", count.Filed, all)
				}
			}
			if IsOwn(r.Name) && (count.Sheet != Balanced || count.Acked+count.Replayed != all) {
				t.Errorf("%+v, want a balanced sheet and %d delivered", count, all)
			}
			if r.Source == "" {
				t.Error("it does not say where its set-up is from")
			}
		})
	}
}

// A disk is put around the files of all that have some.
func TestDisk(t *testing.T) {
	for _, name := range []string{"lock-file", "buffered-file", "lumberjack"} {
		r, ok := Find(name)
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		var seen countingDisk
		sink, err := r.Open(Setup{Dir: t.TempDir(), Disk: func(ws zapcore.WriteSyncer) zapcore.WriteSyncer {
			seen.WriteSyncer = ws
			return &seen
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte("entry\n")); err != nil {
			t.Error(err)
		}
		if err := sink.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := sink.Count().Filed; seen.bytes != len("entry\n") || n != 1 {
			t.Errorf("%s: %d bytes went through the disk and %d entries are on file, want %d and 1", name, seen.bytes, n, len("entry\n"))
		}
	}
}

type countingDisk struct {
	zapcore.WriteSyncer
	bytes int
}

func (c *countingDisk) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return c.WriteSyncer.Write(p)
}
