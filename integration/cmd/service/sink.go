package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/ids"
	"github.com/zapkafka/zapkafka/integration/load"
	"github.com/zapkafka/zapkafka/integration/memory"
	"github.com/zapkafka/zapkafka/integration/service"
)

// sink is the sink under test and the load on it.
type sink struct {
	config   config
	fallback *zapkafka.Fallback
	syncer   *zapkafka.KafkaSyncer
	logger   *zapkafka.Logger
	progress *service.Progress
	begun    []int64 // of progress

	load   *load.Run // nil: there is none, or it has ended
	lapped time.Time // when the present lap began
	large  int       // entries of Large so far
	closed bool
	noise  *rand.Rand
}

// open opens the sink and begins the load. What it opens is closed by shutdown,
// or by the end of the process.
func open(c config) (*sink, error) {
	s := &sink{config: c, noise: rand.New(rand.NewPCG(1, 2))}
	c.options.ErrorHandler = report
	c.options.OnStateChange = func(state zapkafka.State, since time.Time) {
		report(fmt.Errorf("the state is %v since %s", state, since.Format("15:04:05.000")))
	}
	var err error
	if s.progress, err = service.OpenProgress(c.progress); err != nil {
		return nil, err
	}
	s.begun = s.progress.Begun()
	p, err := producer(c)
	if err != nil {
		return nil, err
	}
	if s.fallback, err = zapkafka.OpenFallback(c.fallback, &zapkafka.FallbackOptions{MaxBytes: c.cap}); err != nil {
		return nil, err
	}
	if s.syncer, err = zapkafka.NewKafkaSyncer(p, c.topic, s.fallback, &c.options); err != nil {
		return nil, err
	}
	// As New does it, but that the sink adds no entry about what it shed: the sheets are
	// held against what the load has logged.
	s.logger = zapkafka.NewWithCore(zapkafka.NewCore(zapcore.NewJSONEncoder(zapkafka.NewEncoderConfig()), s.syncer, zapcore.DebugLevel,
		&zapkafka.CoreOptions{NoShedEntry: true}), zapcore.InfoLevel)
	if c.rate > 0 {
		padding, _ := load.PaddingFor(func(ws zapcore.WriteSyncer) *zap.Logger {
			return zapkafka.New(ws, zapcore.InfoLevel).Logger
		}, c.size)
		s.load = load.New(s.logger.Logger, load.Plan{
			Workers: c.workers, FirstWorker: c.firstWorker, Rate: c.rate, Padding: padding,
			Keys: keys(c.keys), Begun: s.begun,
		})
		s.lapped = time.Now()
		s.load.Start()
	}
	return s, nil
}

func keys(n int) []zap.Field {
	var all []zap.Field
	for i := range n {
		all = append(all, zapkafka.Key("key-"+strconv.Itoa(i)))
	}
	return all
}

// first is the answer which says that the sink is open.
func (s *sink) first() service.Answer {
	a := s.now("start")
	a.Versions = map[string]string{"go": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			a.Versions[m.Path] = m.Version
		}
	}
	return a
}

// now is how things are.
func (s *sink) now(command string) service.Answer {
	state, _ := s.syncer.State()
	return service.Answer{
		Command: command, State: state.String(), Dir: s.fallback.Dir(),
		Stats: s.syncer.Stats(), Fallback: s.fallback.Stats(),
		Memory: service.Memory{
			Resident: memory.Status("VmRSS"), HighWater: memory.Status("VmHWM"),
			Live: memory.Read(memory.LiveMetric), Goroutines: runtime.NumGoroutine(),
		},
	}
}

// answer does what the command says.
func (s *sink) answer(line string) service.Answer {
	command, argument, _ := strings.Cut(line, " ")
	var err error
	var calls *load.Calls
	var mallocs uint64
	var took time.Duration
	switch {
	case command == service.Stats:
	case command == service.Lap && s.load != nil:
		calls, mallocs = s.lap()
	case command == service.Large:
		err = s.logLarge(argument)
	case command == service.Stop && s.load != nil:
		c := s.load.Stop().Summary()
		s.load, calls = nil, &c
		memory.Live() // so that the answer has it
	case command == service.Shutdown && s.load == nil:
		took, err = s.shutdown()
	default:
		err = fmt.Errorf("%q: no such command, or not at this moment", line)
	}
	a := s.now(command)
	a.Calls, a.Mallocs, a.Took = calls, mallocs, took
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// lap returns what the calls since the last one took.
func (s *sink) lap() (*load.Calls, uint64) {
	var stats runtime.MemStats
	h := s.load.Lap(func() { runtime.ReadMemStats(&stats) })
	now := time.Now()
	calls := load.Summarize(h, now.Sub(s.lapped))
	s.lapped = now
	return &calls, stats.Mallocs
}

// logLarge logs an entry of about so many bytes that do not compress.
func (s *sink) logLarge(size string) error {
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	at := service.LargeWorker(s.config.workers)
	worker, seq := ids.ID{Worker: s.config.firstWorker + at, Seq: s.large}.Fields()
	s.large++
	atomic.StoreInt64(&s.begun[at], int64(s.large))
	s.logger.Info("large", worker, seq, zap.String("noise", s.text(n)))
	return nil
}

// text is n letters at random.
func (s *sink) text(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[s.noise.IntN(len(letters))]
	}
	return string(b)
}

// patience is what Shutdown has.
const patience = time.Minute

func (s *sink) shutdown() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begin := time.Now()
	err := s.syncer.Shutdown(ctx)
	took := time.Since(begin)
	s.closed = true
	return took, errors.Join(err, s.fallback.Close())
}
