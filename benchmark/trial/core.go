package trial

import (
	"sync"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka/benchmark/load"
)

// callCore makes a log call of the case's for each entry of whatever logger.
type callCore struct{ call load.Call }

func (callCore) Enabled(zapcore.Level) bool          { return true }
func (c callCore) With([]zapcore.Field) zapcore.Core { return c }
func (callCore) Sync() error                         { return nil }
func (c callCore) Write(zapcore.Entry, []zapcore.Field) error {
	c.call(0, 0)
	return nil
}

func (c callCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, c)
}

// slowWriter lets so many bytes a second through, as a device does that takes one
// write after another.
type slowWriter struct {
	zapcore.WriteSyncer
	rate float64

	mu   sync.Mutex
	free time.Time // when the device has room for more
}

func newSlowDisk(bytesPerSecond int) func(zapcore.WriteSyncer) zapcore.WriteSyncer {
	return func(ws zapcore.WriteSyncer) zapcore.WriteSyncer {
		return &slowWriter{WriteSyncer: ws, rate: float64(bytesPerSecond)}
	}
}

// burst is how much of a write's time may be owed: a timer is no better than that.
const burst = 2 * time.Millisecond

func (s *slowWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(time.Duration(float64(len(p)) / s.rate * float64(time.Second)))
	if wait := s.free.Sub(now); wait > burst {
		<-time.After(wait)
	}
	return s.WriteSyncer.Write(p)
}
