package rivals

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
)

// frozen is a clock that stands still.
type frozen struct{}

func (frozen) Now() time.Time                         { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
func (frozen) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// kept is a producer that keeps a copy of what it is given.
type kept struct {
	atOnce
	mu    sync.Mutex
	value string
}

func (k *kept) Produce(ctx context.Context, records []*zapkafka.Record) {
	k.mu.Lock()
	for _, r := range records {
		k.value += string(r.Value)
	}
	k.mu.Unlock()
	k.atOnce.Produce(ctx, records)
}

// The same call is the same entry to this sink and to every other rival: without
// the caller, unless it is asked for.
func TestLogger(t *testing.T) {
	for _, caller := range []bool{false, true} {
		producer := &kept{}
		sink, err := openOwn(adaptors.Adaptor{New: func([]string) (zapkafka.Producer, error) { return producer, nil }},
			Setup{Topic: "test", Dir: t.TempDir()}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var other bytes.Buffer
		for _, s := range []Sink{sink, discard{zapcore.AddSync(&other)}} {
			options := []zap.Option{zap.WithClock(frozen{})}
			if caller {
				options = append(options, zap.AddCaller())
			}
			Logger(s, options...).Info("test", zap.Int("n", 1))
		}
		if err := errors.Join(sink.Drain(t.Context()), sink.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSuffix(other.String(), "\n")
		if producer.value != want {
			t.Errorf("the sink's entry is %s, that of all others %s", producer.value, want)
		}
		if strings.Contains(want, `"caller"`) != caller {
			t.Errorf("%s: want caller=%v", want, caller)
		}
	}
}
