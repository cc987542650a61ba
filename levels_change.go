package zapkafka

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
)

// LevelChange is a change of a level, in full.
type LevelChange struct {
	// Name is the name of the loggers; empty: the level of all.
	Name string
	// Level is the new one.
	Level zapcore.Level
	// For makes the change temporary: so long after it the level goes back to what
	// it was. Zero: it stays. Negative: an error.
	For time.Duration
	// Reset takes the name's level away, so that its parents' goes for it, or brings
	// the level of all back to what NewLevels was given. Level and For are not looked
	// at.
	Reset bool
	// By says in the entry in the log who changes it, and from where. Default: "API".
	By string
}

// maxSettings bounds the names with a level of their own: somebody else's
// requests may be behind them.
const maxSettings = 1000

// maxLevelName is the longest name in bytes that can be given a level.
const maxLevelName = 256

// SetLevel sets the level of all names that have none of their own, and ends a
// temporary one. It fails, and changes nothing, if level is none of zap's seven.
func (l *Levels) SetLevel(level zapcore.Level) error { return l.Change(LevelChange{Level: level}) }

// SetNamedLevel sets the level of the loggers of that name, and of those below it
// that have none of their own, and ends a temporary one. It fails, and changes
// nothing, if level is none of zap's seven or no logger can have the name.
func (l *Levels) SetNamedLevel(name string, level zapcore.Level) error {
	if name == "" {
		return errNoName
	}
	return l.Change(LevelChange{Name: name, Level: level})
}

// SetLevelFor is SetLevel for a time: after d the level goes back, by itself, to
// what it was. Another temporary change before that replaces this one, and goes
// back to the same level. SetLevel meanwhile ends it. d must be positive.
func (l *Levels) SetLevelFor(level zapcore.Level, d time.Duration) error {
	if d <= 0 {
		return checkFor(d)
	}
	return l.Change(LevelChange{Level: level, For: d})
}

// SetNamedLevelFor is SetNamedLevel for a time; see [Levels.SetLevelFor]. A name
// that had no level of its own has none after it.
func (l *Levels) SetNamedLevelFor(name string, level zapcore.Level, d time.Duration) error {
	switch {
	case name == "":
		return errNoName
	case d <= 0:
		return checkFor(d)
	}
	return l.Change(LevelChange{Name: name, Level: level, For: d})
}

// ResetLevel takes the level of a name away, also a temporary one, so that its
// parents' goes for it again; for "" it brings the level of all back to what
// NewLevels was given. A name without a level of its own stays as it is.
func (l *Levels) ResetLevel(name string) error {
	return l.Change(LevelChange{Name: name, Reset: true})
}

var errNoName = errors.New("zapkafka: the logger's name is empty: name one, or use SetLevel for the level of all")

func checkFor(d time.Duration) error {
	return fmt.Errorf("zapkafka: a temporary level needs a time above 0, not %v: leave the time away for a level that stays", d)
}

// checkName accepts what can be the name of a logger and stand in the text form.
func checkName(name string) error {
	fault := ""
	switch {
	case name == "":
		return nil
	case len(name) > maxLevelName:
		return fmt.Errorf("the logger's name has %d bytes: the most is %d", len(name), maxLevelName)
	case strings.ContainsAny(name, ",= \t\r\n"):
		fault = "has a comma, an equals sign or white space in it"
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		fault = "has an empty part"
	default:
		return nil
	}
	return fmt.Errorf("logger name %q %s: names look like db or db.pool", name, fault)
}

func (c *LevelChange) check() error {
	if err := checkName(c.Name); err != nil {
		return fmt.Errorf("zapkafka: %w", err)
	}
	switch {
	case c.Reset:
		return nil
	case c.For < 0:
		return checkFor(c.For)
	}
	return checkLevel(c.Level)
}

// levelSetting is the level of a name. All is guarded by Levels.mu.
type levelSetting struct {
	level zapcore.Level
	// What follows if it is temporary.
	until time.Time
	then  zapcore.Level
	timer *time.Timer
}

// Change is what the other methods are short for. It fails, and changes nothing,
// if something is wrong with c, or if over 1,000 names would have a level.
func (l *Levels) Change(c LevelChange) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.By == "" {
		c.By = "API"
	}
	l.mu.Lock()
	if l.settings[c.Name] == nil && !c.Reset && len(l.settings) > maxSettings {
		l.mu.Unlock()
		return fmt.Errorf("zapkafka: %d names have a level already, which is the most: reset one of them", maxSettings)
	}
	l.changeLocked(c)
	l.mu.Unlock()
	l.audit.write()
	return nil
}

func (l *Levels) changeLocked(c LevelChange) {
	s, before := l.settingLocked(c.Name)
	old, until := s.level, s.until
	s.endTemporary()
	switch {
	case c.Reset && c.Name == "":
		s.level = l.initial
	case c.Reset:
		s.level = noLevel
	case c.For > 0:
		if until.IsZero() {
			s.then = old
		} else {
			s.then = before.then
		}
		s.level, s.until = c.Level, time.Now().Add(c.For)
		name := c.Name
		s.timer = time.AfterFunc(c.For, func() { l.expire(name, s) })
	default:
		s.level = c.Level
	}
	l.putLocked(c.Name, s)
	if old != s.level || !until.Equal(s.until) {
		l.audit.add(c.Name, old, s.level, s.until, c.By)
	}
}

// settingLocked returns a copy of the setting of a name to be changed and put in
// its place, and the one that is there; a timer that has fired and waits for the
// lock finds that it is not its own any more.
func (l *Levels) settingLocked(name string) (s *levelSetting, before levelSetting) {
	before = levelSetting{level: noLevel, then: noLevel}
	if there := l.settings[name]; there != nil {
		before = *there
	}
	if name == "" {
		before.level = l.base.Level() // somebody may have set it past us
	}
	next := before
	return &next, before
}

// endTemporary forgets what should have followed.
func (s *levelSetting) endTemporary() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer, s.until, s.then = nil, time.Time{}, noLevel
}

func (l *Levels) putLocked(name string, s *levelSetting) {
	if name == "" {
		l.settings[name] = s
		l.base.SetLevel(s.level)
		return
	}
	if s.level == noLevel {
		delete(l.settings, name)
	} else {
		l.settings[strings.Clone(name)] = s
	}
	l.publishLocked()
}

// expire ends a temporary level, unless something else was set meanwhile.
func (l *Levels) expire(name string, was *levelSetting) {
	l.mu.Lock()
	if l.settings[name] != was {
		l.mu.Unlock()
		return
	}
	s, before := l.settingLocked(name)
	s.endTemporary()
	if before.level == was.level {
		// Else somebody has set the AtomicLevel meanwhile, and means that to stay.
		s.level = before.then
		l.audit.add(name, before.level, s.level, time.Time{}, "end of the temporary level")
	}
	l.putLocked(name, s)
	l.mu.Unlock()
	l.audit.write()
}
