package rivals

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

// fallbackBytes is the cap of the fallback.
const fallbackBytes = 20 << 30

// sinks are this sink with every client of this build, as the README shows it:
// all options at their defaults, a fallback in a directory. Its cap alone is
// another, so that a minute at full speed loses nothing.
func sinks() []Rival {
	var all []Rival
	for _, a := range append(adaptors.All(), adaptors.Adaptor{
		Name: "alone", New: func([]string) (zapkafka.Producer, error) { return atOnce{}, nil },
	}) {
		for _, suffix := range []string{"", fastReplay} {
			r := Rival{Name: prefix + a.Name + suffix, Source: "the README, producer/" + a.Name, Kafka: true}
			if a.Name == "alone" {
				r.Source, r.Kafka = "before a producer that acknowledges at once: what the sink costs by itself", false
			}
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

// atOnce is a producer that acknowledges at once.
type atOnce struct{}

func (atOnce) Start(zapkafka.Limits, zapkafka.ErrorHandler) (zapkafka.Overhead, error) {
	return zapkafka.Overhead{}, nil
}

func (atOnce) Produce(_ context.Context, records []*zapkafka.Record) {
	for _, r := range records {
		r.Done(nil)
	}
}

func (atOnce) Flush(context.Context)       {}
func (atOnce) Close(context.Context) error { return nil }

// IsOwn reports whether a rival is this sink.
func IsOwn(name string) bool { return strings.HasPrefix(name, prefix) }

// own is this sink.
type own struct {
	*zapkafka.KafkaSyncer
	syncer   *zapkafka.KafkaSyncer
	fallback *zapkafka.Fallback // nil: a file on a disk that somebody else makes
	file     *os.File           // that file
	refused  atomic.Uint64
	closed   atomic.Bool
}

func openOwn(a adaptors.Adaptor, s Setup, rate int) (Sink, error) {
	producer, err := a.New(s.Brokers)
	if err != nil {
		return nil, err
	}
	o := &own{}
	var fallback zapcore.WriteSyncer
	if s.Disk == nil {
		o.fallback, err = zapkafka.OpenFallback(s.Dir, &zapkafka.FallbackOptions{MaxBytes: fallbackBytes})
		fallback = o.fallback
	} else {
		// A writer around a Fallback takes the replay away: this is a plain file.
		o.file, err = os.Create(filepath.Join(s.Dir, fallbackFile))
		fallback = s.Disk(o.file)
	}
	if err != nil {
		return nil, err
	}
	o.syncer, err = zapkafka.NewKafkaSyncer(producer, s.Topic, fallback, &zapkafka.Options{
		Replay: zapkafka.ReplayOptions{Rate: rate}, ErrorHandler: func(error) {},
	})
	if err != nil {
		return nil, err
	}
	o.KafkaSyncer = o.syncer
	return o, nil
}

func (o *own) Write(p []byte) (int, error) {
	n, err := o.syncer.Write(p)
	if err != nil {
		o.refused.Add(1)
	}
	return n, err
}

// Pending counts what is in memory, not what is on file.
func (o *own) Pending() uint64 { return o.syncer.Stats().PendingEntries }

// drained is what Drain is looked at for.
const drained = time.Millisecond

// Drain waits for Kafka to have everything, what went to the fallback included if
// that is replayed.
func (o *own) Drain(ctx context.Context) error {
	tick := time.NewTicker(drained)
	defer tick.Stop()
	for o.Pending() > 0 || o.files().OnFile > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d entries pending, %d on file: %w", o.Pending(), o.files().OnFile, ctx.Err())
		}
	}
	return nil
}

func (o *own) Close(ctx context.Context) error {
	defer o.closed.Store(true)
	if err := o.syncer.Shutdown(ctx); err != nil {
		return err
	}
	if o.fallback == nil {
		return o.file.Close()
	}
	return o.fallback.Close()
}

// files is the fallback's sheet; empty where it has none.
func (o *own) files() zapkafka.FallbackStats {
	if o.fallback == nil {
		return zapkafka.FallbackStats{}
	}
	return o.fallback.Stats()
}

func (o *own) Count() Count {
	st, f := o.syncer.Stats(), o.files()
	c := Count{Acked: st.Acked, Filed: st.FellBack.Total(), Replayed: f.Replayed, Refused: o.refused.Load()}
	c.Failed = st.Lost.Total() + st.Shed - min(c.Refused, st.Lost.Total()+st.Shed) // Write has told of the others
	if o.closed.Load() {
		c.Sheet = sheet(st, f, o.fallback != nil)
	}
	return c
}

// sheet holds the counts of a sink at rest against each other.
func sheet(st zapkafka.Stats, f zapkafka.FallbackStats, directory bool) string {
	var wrong []string
	if sum := st.Acked + st.FellBack.Total() + st.Shed + st.Lost.Total(); sum != st.Accepted || st.PendingEntries != 0 {
		wrong = append(wrong, fmt.Sprintf("%d acked + %d in the fallback + %d shed + %d lost = %d of %d accepted, %d pending",
			st.Acked, st.FellBack.Total(), st.Shed, st.Lost.Total(), sum, st.Accepted, st.PendingEntries))
	}
	if sum := f.Replayed + f.Rejected + f.Quarantined + f.Evicted + f.OnFile; sum != f.Inherited+f.Stored {
		wrong = append(wrong, fmt.Sprintf("fallback: %d inherited + %d stored, but %d in all", f.Inherited, f.Stored, sum))
	}
	if n := f.Stored + f.Oversize; directory && n != st.FellBack.Total() {
		wrong = append(wrong, fmt.Sprintf("the fallback was given %d, the sink says %d", n, st.FellBack.Total()))
	}
	if len(wrong) == 0 {
		return Balanced
	}
	return strings.Join(wrong, "; ")
}
