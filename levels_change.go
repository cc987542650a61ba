package zapkafka

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"go.uber.org/zap"
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
// nothing, if level is none of zap's seven or the name cannot be given a level: one
// that is empty, has an empty part, white space, a comma, an equals sign, or
// anything that cannot be printed, or is over 256 bytes long.
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
	case strings.IndexFunc(name, notInNames) >= 0:
		fault = "has a comma, an equals sign, white space or something in it that cannot be printed"
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		fault = "has an empty part"
	default:
		return nil
	}
	return fmt.Errorf("logger name %q %s: names look like db or db.pool", name, fault)
}

func notInNames(r rune) bool {
	return r == ',' || r == '=' || r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
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

// levelSetting is the level of a name. All is guarded by Levels.mu, and only then
// changes.
type levelSetting struct {
	level zapcore.Level
	// What follows if it is temporary.
	until time.Time
	then  zapcore.Level
	timer *time.Timer // nil: it is not
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
	l.noticeLocked()
	if l.settings[c.Name] == nil && !c.Reset && len(l.settings) > maxSettings {
		l.mu.Unlock()
		return fmt.Errorf("zapkafka: %d names have a level already, which is the most: reset one of them", maxSettings)
	}
	l.changeLocked(c)
	l.mu.Unlock()
	l.audit.write(auditWait)
	return nil
}

func (l *Levels) changeLocked(c LevelChange) {
	before := l.settingLocked(c.Name)
	s := &levelSetting{level: c.Level, then: noLevel}
	switch {
	case c.Reset && c.Name == "":
		s.level = l.initial
	case c.Reset:
		s.level = noLevel
	case c.For > 0:
		s.then = before.level
		if before.timer != nil {
			s.then = before.then
		}
		s.until = time.Now().Add(c.For)
		name := c.Name
		s.timer = time.AfterFunc(c.For, func() { l.expire(name, s) })
	}
	l.putLocked(c.Name, s)
	l.publishLocked()
	if before.level != s.level || !before.until.Equal(s.until) {
		l.audit.add(c.Name, before.level, s.level, c.By, until(s.until))
	}
}

// until is the field that says when a temporary level ends.
func until(t time.Time) zap.Field {
	if t.IsZero() {
		return zap.Skip()
	}
	return zap.String("until", t.UTC().Format(time.RFC3339))
}

// settingLocked returns the setting of a name; that of one which has none does not
// belong to anybody.
func (l *Levels) settingLocked(name string) *levelSetting {
	if s := l.settings[name]; s != nil {
		return s
	}
	return &levelSetting{level: noLevel, then: noLevel}
}

// putLocked puts a setting in the place of what the name has. It is always another
// one: by that a timer which has fired, and waits for the lock, finds that it is too
// late.
func (l *Levels) putLocked(name string, s *levelSetting) {
	if before := l.settings[name]; before != nil && before.timer != nil {
		before.timer.Stop()
	}
	if s.level == noLevel {
		delete(l.settings, name)
	} else {
		l.settings[strings.Clone(name)] = s
	}
}

// noticeLocked takes over what somebody has set the AtomicLevel to, past us. He
// means it to stay.
func (l *Levels) noticeLocked() {
	level, s := l.base.Level(), l.settings[""]
	if level == s.level {
		return
	}
	l.putLocked("", &levelSetting{level: level, then: noLevel})
	l.audit.add("", s.level, level, "AtomicLevel")
}

// expire ends a temporary level, unless something else was set meanwhile.
func (l *Levels) expire(name string, was *levelSetting) {
	l.mu.Lock()
	l.noticeLocked()
	if l.settings[name] != was {
		l.mu.Unlock()
		return
	}
	l.putLocked(name, &levelSetting{level: was.then, then: noLevel})
	l.publishLocked()
	l.audit.add(name, was.level, was.then, "end of the temporary level")
	l.mu.Unlock()
	l.audit.write(0)
}

// publishLocked makes log calls see the settings. The level of all and the names'
// are seen one after the other, in the order in which no name is let through in
// between that neither the old settings nor the new ones do.
func (l *Levels) publishLocked() {
	n := &namedLevels{lowest: noLevel, own: make(map[string]zapcore.Level, len(l.settings))}
	for name, s := range l.settings {
		if name == "" {
			continue
		}
		n.own[name] = s.level
		if s.level < n.lowest {
			n.lowest = s.level
		}
	}
	if len(n.own) == 0 {
		n = nil
	}
	level := l.settings[""].level
	if level < l.base.Level() {
		l.names.Store(n)
		l.base.SetLevel(level)
		return
	}
	l.base.SetLevel(level)
	l.names.Store(n)
}
