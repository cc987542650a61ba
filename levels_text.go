package zapkafka

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LevelEnv is the environment variable that [Levels.SetFromEnv] reads.
const LevelEnv = "ZAPKAFKA_LEVEL"

// SetFromEnv sets the levels that the environment variable ZAPKAFKA_LEVEL has in
// the text form of [Levels.Set]. It does nothing if the variable is not set or
// empty. No other function of this package reads it.
func (l *Levels) SetFromEnv() error {
	text := os.Getenv(LevelEnv)
	if strings.TrimSpace(text) == "" {
		return nil
	}
	if err := l.Set(text, "environment"); err != nil {
		return fmt.Errorf("environment variable %s: %w", LevelEnv, err)
	}
	return nil
}

// Set replaces all levels by those of a text like
//
//	info,db=debug,db.pool=warn
//
// which are parts between commas (line breaks will do too): one level for all, and
// for some names a level of their own; white space and empty parts are nothing.
// Names that are not in it have no level of their own any more, and without a
// level for all, that which NewLevels was given counts. A temporary level stays
// in force and then goes over into what the text says.
//
// An error names the part that is wrong; nothing has changed then. by is who
// changes it, for the entry in the log, as in [LevelChange].
func (l *Levels) Set(text, by string) error {
	levels, err := parseLevels(text)
	if err != nil {
		return err
	}
	if _, ok := levels[""]; !ok {
		levels[""] = l.initial
	}
	if by == "" {
		by = "API"
	}
	l.mu.Lock()
	l.noticeLocked()
	for name := range l.settings {
		if _, ok := levels[name]; !ok {
			levels[name] = noLevel
		}
	}
	names := make([]string, 0, len(levels))
	for name := range levels {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		l.replaceLocked(name, levels[name], by)
	}
	l.publishLocked()
	l.mu.Unlock()
	l.audit.write(auditWait)
	return nil
}

// replaceLocked sets what stays of a name, below a temporary level if there is one.
func (l *Levels) replaceLocked(name string, level zapcore.Level, by string) {
	s := l.settingLocked(name)
	switch {
	case s.timer != nil && s.then != level:
		l.audit.add(name, s.then, level, by, zap.String("from", s.until.UTC().Format(time.RFC3339)))
		s.then = level // in place: its timer goes on
	case s.timer == nil && s.level != level:
		l.putLocked(name, &levelSetting{level: level, then: noLevel})
		l.audit.add(name, s.level, level, by)
	}
}

// parseLevels reads the text form. "" is the name of the level of all.
func parseLevels(text string) (map[string]zapcore.Level, error) {
	levels := map[string]zapcore.Level{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, word, named := strings.Cut(part, "=")
		name, word = strings.TrimSpace(name), strings.TrimSpace(word)
		if !named {
			name, word = "", name
		}
		if err := parsePart(levels, name, word, named); err != nil {
			return nil, fmt.Errorf("zapkafka: levels: in %q: %w", cutText(part, 100), err)
		}
	}
	names := len(levels)
	if _, ok := levels[""]; ok {
		names--
	}
	if names > maxSettings {
		return nil, fmt.Errorf("zapkafka: levels: %d names: the most is %d", names, maxSettings)
	}
	return levels, nil
}

func parsePart(levels map[string]zapcore.Level, name, word string, named bool) error {
	switch {
	case named && name == "":
		return fmt.Errorf("there is no name before the equals sign: write db=debug, or debug alone for all")
	case named && strings.Contains(word, "="):
		return fmt.Errorf("there are two equals signs: put a comma between two names")
	}
	if err := checkName(name); err != nil {
		return err
	}
	level, err := parseLevel(word)
	if err != nil {
		return err
	}
	if _, twice := levels[name]; twice {
		if name == "" {
			return fmt.Errorf("the level of all is given twice")
		}
		return fmt.Errorf("%s is given twice", name)
	}
	levels[name] = level
	return nil
}

// parseLevel reads the name of a level, in small letters or in capitals.
func parseLevel(word string) (zapcore.Level, error) {
	var level zapcore.Level
	if word == "" || level.UnmarshalText([]byte(word)) != nil || checkLevel(level) != nil {
		return 0, fmt.Errorf("%q is not a level: use debug, info, warn, error, dpanic, panic or fatal", cutText(word, 50))
	}
	return level, nil
}

// String is the text form of what is in force, which Set reads, temporary levels
// included.
func (l *Levels) String() string {
	var b strings.Builder
	for _, s := range l.All() {
		if s.Name != "" {
			b.WriteString("," + s.Name + "=")
		}
		b.WriteString(s.Level.String())
	}
	return b.String()
}
