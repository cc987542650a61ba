package zapkafka

import (
	"io"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logger is a *zap.Logger whose level can be changed while it runs. All methods
// of zap.Logger are there; pass logger.Logger where a *zap.Logger is wanted.
//
// Sync brings everything logged so far to Kafka or to disk. A Logger closes
// nothing: shut a [KafkaSyncer] down yourself, or leave it to `defer
// logger.Sync()` and the end of the process.
type Logger struct {
	*zap.Logger
	levels *Levels
}

// New returns a Logger that writes JSON to w: zap's production keys, the time
// in RFC 3339 with milliseconds under "logtime" (see [NewEncoderConfig]), the
// caller, and a stack trace from Error up. Nothing is sampled: what is logged
// is written.
//
// w may be a [KafkaSyncer], a [Tee] of several writers, or any other io.Writer,
// which is put behind zapcore.Lock. (That goes for a writer of your own around a
// KafkaSyncer too, and a Sync would then hold up all log calls: build a core
// with it and use [NewWithCore].) A nil w panics.
// A level that is none of zap's seven is taken as Info.
//
// opts may undo any of this: zap.WithCaller(false) switches the caller off,
// zap.AddStacktrace(zapcore.FatalLevel+1) the stack traces, zap.WrapCore brings
// sampling back. The Logger's [Levels] are around whatever they make of the core.
func New(w io.Writer, level zapcore.Level, opts ...zap.Option) *Logger {
	if isNil(w) {
		panic("zapkafka: New: the writer is nil: pass a *KafkaSyncer, os.Stderr or any other io.Writer")
	}
	enc := zapcore.NewJSONEncoder(NewEncoderConfig())
	if out, ok := w.(entryWriter); ok {
		return newLogger(newCore(enc, out, zapcore.DebugLevel, nil, true), level, opts)
	}
	return newLogger(zapcore.NewCore(enc, writeSyncer(w), zapcore.DebugLevel), level, opts)
}

// NewWithCore returns a Logger around a core of one's own: another encoder
// (zapcore.NewCore(encoder, syncer, zapcore.DebugLevel)), a zapcore.Tee, a
// sampler. An entry is logged if both the Logger's level and the core let it
// through. Caller, stack traces, level and opts are as with [New]. A nil core
// panics.
func NewWithCore(core zapcore.Core, level zapcore.Level, opts ...zap.Option) *Logger {
	if isNil(core) {
		panic("zapkafka: NewWithCore: the core is nil: make one with zapcore.NewCore")
	}
	return newLogger(core, level, opts)
}

func newLogger(core zapcore.Core, level zapcore.Level, opts []zap.Option) *Logger {
	levels := NewLevels(level)
	all := append([]zap.Option{
		zap.AddCaller(),
		zap.AddStacktrace(zapcore.ErrorLevel),
		// zap writes a line here for each entry that could not be written: in
		// the worst overload one for each call, from all goroutines.
		zap.ErrorOutput(&limitedOutput{w: zapcore.Lock(os.Stderr)}),
	}, opts...)
	return &Logger{Logger: zap.New(core, append(all, levels.Option())...), levels: levels}
}

// NewEncoderConfig returns the configuration of the JSON that [New] writes, for
// those who build a core of their own: zap's production configuration (keys
// level, logger, caller, msg, stacktrace; durations in seconds) with the time as
// RFC 3339 with milliseconds under the key "logtime".
func NewEncoderConfig() zapcore.EncoderConfig {
	c := zap.NewProductionEncoderConfig()
	c.TimeKey = "logtime"
	c.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00")
	return c
}

// writeSyncer makes w safe for concurrent use. What is so already stays as it
// is: behind a lock one goroutine's Sync would hold up everybody's Write.
func writeSyncer(w io.Writer) zapcore.WriteSyncer {
	switch ws := w.(type) {
	case *KafkaSyncer:
		return ws
	case *teeSyncer:
		return ws
	case *Fallback:
		return ws
	}
	return zapcore.Lock(zapcore.AddSync(w))
}

// limitedOutput passes on one write a second and drops the rest. A caller that
// finds another one inside does not wait for it.
type limitedOutput struct {
	w    zapcore.WriteSyncer
	mu   sync.Mutex
	last time.Time
}

func (o *limitedOutput) Write(p []byte) (int, error) {
	if !o.mu.TryLock() {
		return len(p), nil
	}
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.last) >= time.Second {
		o.last = now
		return o.w.Write(p)
	}
	return len(p), nil
}

// Sync does nothing: zap calls it after each of its lines.
func (o *limitedOutput) Sync() error { return nil }
