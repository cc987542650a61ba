package rivals

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
)

// prefix begins the names of this sink with each of its clients.
const prefix = "zapkafka-"

// fastReplay ends the name of the sink that may replay as fast as it goes. With
// the default of 50,000 a second what did not fit into memory at full speed comes
// late, as it should in a service.
const fastReplay = "-fast-replay"

// sinks are this sink with every client of this build, as the README shows it:
// all options at their defaults, a fallback in a directory. Its cap alone is
// taken away, so that a long run at full speed loses nothing.
func sinks() []Rival {
	var all []Rival
	for _, a := range adaptors.All() {
		for _, suffix := range []string{"", fastReplay} {
			r := Rival{Name: prefix + a.Name + suffix, Source: "the README, producer/" + a.Name, Kafka: true}
			rate := 0
			if suffix == fastReplay {
				r.Source += ", with a Replay.Rate of ten million a second"
				rate = 10_000_000
			}
			r.Open = func(s Setup) (Sink, error) { return openOwn(a, s, rate) }
			all = append(all, r)
		}
	}
	return all
}

// IsOwn reports whether a rival is this sink.
func IsOwn(name string) bool { return strings.HasPrefix(name, prefix) }

// own is this sink.
type own struct {
	*zapkafka.KafkaSyncer
	syncer   *zapkafka.KafkaSyncer
	fallback *zapkafka.Fallback
	refused  atomic.Uint64
	closed   atomic.Bool
}

func openOwn(a adaptors.Adaptor, s Setup, rate int) (Sink, error) {
	producer, err := a.New(s.Brokers)
	if err != nil {
		return nil, err
	}
	fallback, err := zapkafka.OpenFallback(s.Dir, &zapkafka.FallbackOptions{MaxBytes: -1})
	if err != nil {
		return nil, err
	}
	var disk zapcore.WriteSyncer = fallback // by itself, so that it is replayed
	if s.Disk != nil {
		disk = s.Disk(fallback)
	}
	syncer, err := zapkafka.NewKafkaSyncer(producer, s.Topic, disk, &zapkafka.Options{
		BufferBytes: s.BufferBytes, Replay: zapkafka.ReplayOptions{Rate: rate}, ErrorHandler: func(error) {},
	})
	if err != nil {
		return nil, err
	}
	return &own{KafkaSyncer: syncer, syncer: syncer, fallback: fallback}, nil
}

func (o *own) Write(p []byte) (int, error) {
	n, err := o.syncer.Write(p)
	if err != nil {
		o.refused.Add(1)
	}
	return n, err
}

// drained is what Drain is looked at for.
const drained = time.Millisecond

// Drain waits for Kafka to have everything, what went to the fallback included if
// that is replayed.
func (o *own) Drain(ctx context.Context) error {
	tick := time.NewTicker(drained)
	defer tick.Stop()
	for o.syncer.Stats().PendingEntries > 0 || o.fallback.Stats().OnFile > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d entries pending, %d on file: %w", o.syncer.Stats().PendingEntries, o.fallback.Stats().OnFile, ctx.Err())
		}
	}
	return nil
}

func (o *own) Close(ctx context.Context) error {
	defer o.closed.Store(true)
	if err := o.syncer.Shutdown(ctx); err != nil {
		return err
	}
	return o.fallback.Close()
}

func (o *own) Count() Count {
	st, f := o.syncer.Stats(), o.fallback.Stats()
	c := Count{Acked: st.Acked, Filed: st.FellBack.Total(), Replayed: f.Replayed, Failed: st.Lost.Total() + st.Shed, Refused: o.refused.Load()}
	if o.closed.Load() {
		c.Sheet = sheet(st, f)
	}
	return c
}

// sheet holds the counts of a sink at rest against each other.
func sheet(st zapkafka.Stats, f zapkafka.FallbackStats) string {
	var wrong []string
	if sum := st.Acked + st.FellBack.Total() + st.Shed + st.Lost.Total(); sum != st.Accepted || st.PendingEntries != 0 {
		wrong = append(wrong, fmt.Sprintf("%d acked + %d in the fallback + %d shed + %d lost = %d of %d accepted, %d pending",
			st.Acked, st.FellBack.Total(), st.Shed, st.Lost.Total(), sum, st.Accepted, st.PendingEntries))
	}
	if sum := f.Replayed + f.Rejected + f.Quarantined + f.Evicted + f.OnFile; sum != f.Inherited+f.Stored {
		wrong = append(wrong, fmt.Sprintf("fallback: %d inherited + %d stored, but %d in all", f.Inherited, f.Stored, sum))
	}
	if n := f.Stored + f.Oversize; n != st.FellBack.Total() {
		wrong = append(wrong, fmt.Sprintf("the fallback was given %d, the sink says %d", n, st.FellBack.Total()))
	}
	if len(wrong) == 0 {
		return "balanced"
	}
	return strings.Join(slices.Compact(wrong), "; ")
}
