package zapkafka

import (
	"fmt"
	"io"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// BenchmarkLevels compares a log call of zap alone with those under levels,
// disabled and enabled, in one run. "clock" is what zap reads before it asks a core
// about an entry.
func BenchmarkLevels(b *testing.B) {
	core := func(level zapcore.LevelEnabler) zapcore.Core {
		return zapcore.NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), zapcore.AddSync(io.Discard), level)
	}
	under := func(overrides int, last zapcore.Level) *zap.Logger {
		levels := NewLevels(zap.InfoLevel)
		for i := 0; i < overrides; i++ {
			level := zap.WarnLevel
			if i == overrides-1 {
				level = last
			}
			must(b, levels.SetNamedLevel(fmt.Sprint("part", i, ".sub"), level))
		}
		return zap.New(core(zap.DebugLevel), levels.Option()).Named("service").Named("db")
	}
	for _, l := range []struct {
		name   string
		logger *zap.Logger
	}{
		{"zap", zap.New(core(zap.NewAtomicLevelAt(zap.InfoLevel))).Named("service").Named("db")},
		{"levels", under(0, 0)},
		{"10 overrides", under(10, zap.WarnLevel)},
		{"10 overrides, one at debug", under(10, zap.DebugLevel)},
		{"10 overrides, one at debug, 300 names in use", inUse(under(10, zap.DebugLevel))},
	} {
		b.Run("disabled/"+l.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				l.logger.Debug("m")
			}
		})
		b.Run("enabled/"+l.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				l.logger.Info("m")
			}
		})
	}
	b.Run("clock", func(b *testing.B) {
		for i := 0; i < b.N; i++ {
			_ = zapcore.DefaultClock.Now()
		}
	})
}

// inUse lets other names be asked for, as in a large program.
func inUse(logger *zap.Logger) *zap.Logger {
	for i := 0; i < 300; i++ {
		logger.Named(fmt.Sprint("worker-", i)).Debug("m")
	}
	return logger
}

func TestLevelsAllocNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	levels := NewLevels(zap.InfoLevel)
	must(t, levels.SetNamedLevel("db", zap.DebugLevel))
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(NewEncoderConfig()), zapcore.AddSync(io.Discard), zap.DebugLevel), levels.Option())
	db, http := logger.Named("db").Named("pool"), logger.Named("http")
	for name, call := range map[string]func(){
		"enabled":  func() { db.Debug("m") },
		"disabled": func() { http.Debug("m") },
	} {
		call()
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s: %v allocations a call", name, n)
		}
	}
}
