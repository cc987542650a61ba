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
// from it by With, Named and WithOptions, except of those whose name has a level
// of its own (see [Levels]). It takes effect at once, on entries logged from now
// on, and is safe for concurrent use. The entry in the log about it is waited for, at
// most 100 ms. It fails, and changes nothing, if level is none of zap's seven.
func (l *Logger) SetLevel(level zapcore.Level) error { return l.levels.SetLevel(level) }

// Level returns the level in force for names without one of their own.
func (l *Logger) Level() zapcore.Level { return l.levels.For("") }

// Levels returns the levels of the logger and of all loggers made from it: for
// levels by name, levels that end by themselves, and what is in force.
func (l *Logger) Levels() *Levels { return l.levels }

// AtomicLevel returns the variable that holds the level, for code that expects
// zap's own: it is a zapcore.LevelEnabler and an http.Handler, and shared with
// the logger. It knows nothing of names, ends a temporary level, and leaves an entry
// in the log only when [Levels] comes across the change; those, and the package
// levelhttp, do better.
func (l *Logger) AtomicLevel() zap.AtomicLevel { return l.levels.base }
