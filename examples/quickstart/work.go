package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

const goroutines = 10

// levels are those that the logger has in the four quarters of the work.
var levels = [...]zapcore.Level{zap.InfoLevel, zap.DebugLevel, zap.WarnLevel, zap.InfoLevel}

// workload is what a busy service logs: a known number of entries, each with an
// id, spread evenly over some time.
type workload struct {
	entries int // of each goroutine
	pace    time.Duration
	logged  [goroutines]int // how many of them were logged, from the first
}

func newWorkload(entries int, pace time.Duration) *workload {
	return &workload{entries: entries, pace: pace}
}

// run logs everything, or until ctx ends. Levels change between quarters, when
// nobody logs, so that it is known of each entry whether it gets through.
func (w *workload) run(ctx context.Context, logger *zapkafka.Logger) {
	begin := time.Now()
	for quarter, level := range levels {
		// logger.SetLevel would leave an entry in the log, and those are counted here.
		logger.AtomicLevel().SetLevel(level)
		from, to := w.entries*quarter/len(levels), w.entries*(quarter+1)/len(levels)
		var group sync.WaitGroup
		for g := range goroutines {
			own := logger.Named("orders").With(zap.Int("worker", g))
			group.Go(func() {
				for i := from; i < to && w.due(ctx, begin, i); i++ {
					logEntry(own, level, g, i)
					w.logged[g]++
				}
			})
		}
		group.Wait()
		if ctx.Err() != nil {
			return
		}
	}
}

// due waits for the moment of entry i, and reports false when ctx ended. Ten
// entries share a moment.
func (w *workload) due(ctx context.Context, begin time.Time, i int) bool {
	if ctx.Err() != nil {
		return false
	}
	left := time.Until(begin.Add(w.pace * time.Duration(i-i%10) / time.Duration(w.entries)))
	return left <= 0 || wait(ctx, left)
}

var errDeclined = errors.New("card declined")

// logEntry logs one entry that the level lets through, and now and then one
// that it does not.
func logEntry(logger *zap.Logger, level zapcore.Level, g, i int) {
	fields := []zap.Field{
		zap.String("id", id(g, i)),
		zap.Int("customer", (i*7919+g)%100_003),
		zap.Float64("amount", float64(i%997)/4),
		zap.String("currency", "EUR"),
		zap.Bool("express", i%3 == 0),
		zap.Duration("took", time.Duration(i%250)*time.Millisecond),
	}
	switch {
	case i%200 == 199: // these have a stack trace too
		logger.Error("order failed", append(fields, zap.Error(errDeclined))...)
	case i%10 == 9:
		logger.Warn("order is late", fields...)
	default:
		logger.Log(level, "order placed", fields...)
	}
	if i%10 == 0 && level > zap.DebugLevel {
		logger.Log(level-1, "below the level", zap.String("id", id(g, i)+" must not be there"))
	}
}

func id(g, i int) string { return fmt.Sprintf("%d-%05d", g, i) }

// ids returns what was logged.
func (w *workload) ids() []string {
	var ids []string
	for g, n := range w.logged {
		for i := range n {
			ids = append(ids, id(g, i))
		}
	}
	return ids
}
