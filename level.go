package zapkafka

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// checkLevel accepts zap's seven levels, from Debug to Fatal.
func checkLevel(level zapcore.Level) error {
	if level < zapcore.DebugLevel || level > zapcore.FatalLevel {
		return fmt.Errorf("zapkafka: %d is not a level: use one from %v (%d) to %v (%d)",
			level, zapcore.DebugLevel, zapcore.DebugLevel, zapcore.FatalLevel, zapcore.FatalLevel)
	}
	return nil
}

// SetLevel changes the level of the logger and of all loggers that were made
// from it by With, Named and WithOptions. It takes effect at once, on entries
// logged from now on, and is safe for concurrent use. It fails, and changes
// nothing, if level is none of zap's seven.
func (l *Logger) SetLevel(level zapcore.Level) error {
	if err := checkLevel(level); err != nil {
		return err
	}
	l.level.SetLevel(level)
	return nil
}

// Level returns the level in force.
func (l *Logger) Level() zapcore.Level { return l.level.Level() }

// AtomicLevel returns the variable that holds the level, for code that expects
// zap's own: it is a zapcore.LevelEnabler and an http.Handler, and shared with
// the logger.
func (l *Logger) AtomicLevel() zap.AtomicLevel { return l.level }

// levelCore puts a level that can change in front of a core that has its own.
type levelCore struct {
	zapcore.Core
	level zap.AtomicLevel
}

func (c *levelCore) Enabled(level zapcore.Level) bool {
	return c.level.Enabled(level) && c.Core.Enabled(level)
}

// Level is the lowest level that gets through; zapcore.LevelOf asks for it.
func (c *levelCore) Level() zapcore.Level {
	own, inner := c.level.Level(), zapcore.LevelOf(c.Core)
	if inner > own {
		return inner
	}
	return own
}

func (c *levelCore) With(fields []zapcore.Field) zapcore.Core {
	return &levelCore{Core: c.Core.With(fields), level: c.level}
}

func (c *levelCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.level.Enabled(e.Level) {
		return ce
	}
	return c.Core.Check(e, ce)
}
