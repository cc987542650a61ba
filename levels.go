package zapkafka

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Levels is one level for a logger and all that are made from it, and levels of
// their own for some of them by name, which can be changed at any time:
//
//	levels := zapkafka.NewLevels(zap.InfoLevel)
//	logger = logger.WithOptions(levels.Option()) // any *zap.Logger
//	err := levels.SetNamedLevelFor("db", zap.DebugLevel, 10*time.Minute)
//
// A [Logger] has its own: [Logger.Levels].
//
// Names are those of zap's Named, "db.pool" for logger.Named("db").Named("pool").
// What is set for "db" goes for "db.pool" too, unless that has a level itself, and
// not for "dbx". Every change goes for loggers that were made before it, at once,
// whatever With, Named, WithOptions or zapcore.NewTee have made of them.
//
// Every change is written to the log itself, whatever the level: an entry "log
// level changed" at Info with the fields name (empty for the level of all), old,
// new, until (of a temporary level), from (of a level that follows a temporary one)
// and by. The core of the first logger made with Option gets it, with what fields
// that has; changes made before there is one are written then. If so many wait that
// the oldest have to be left out, the next one says how many in a field left_out.
//
// Levels are made by [NewLevels]. All methods may be called concurrently. Those that
// change something wait up to 100 ms for their entry to be written; none else blocks.
type Levels struct {
	base zap.AtomicLevel // of names without a level of their own
	// names is what log calls read; nil as long as no name has a level.
	names atomic.Pointer[namedLevels]

	mu       sync.Mutex
	initial  zapcore.Level
	settings map[string]*levelSetting // by name; "" is the level of all, and always there; guarded by mu
	audit    audit
}

// LevelSetting is a level that is in force.
type LevelSetting struct {
	// Name is the name of the loggers that it is for; empty: all that no other
	// setting is for.
	Name string
	// Level is the lowest level that is logged.
	Level zapcore.Level
	// Until is when a temporary level ends; zero: the level stays.
	Until time.Time
	// Then is what follows a temporary level: zapcore.InvalidLevel if the name had
	// no level of its own.
	Then zapcore.Level
}

// NewLevels returns Levels with one level for all names; Info if level is none of
// zap's seven.
func NewLevels(level zapcore.Level) *Levels {
	if checkLevel(level) != nil {
		level = zapcore.InfoLevel
	}
	return &Levels{
		base: zap.NewAtomicLevelAt(level), initial: level,
		settings: map[string]*levelSetting{"": {level: level, then: noLevel}},
	}
}

// noLevel is the level of a name that has none of its own, and asks its parents.
const noLevel = zapcore.InvalidLevel

// For returns the level in force for the loggers of a name, "" for those without
// one. (A core below may let less through: it is asked too, but not here.)
func (l *Levels) For(name string) zapcore.Level {
	for {
		n := l.names.Load()
		if n != nil && name != "" {
			if level := n.level(name); level != noLevel {
				return level
			}
		}
		// Both may have changed since: then the level of all is not for those names.
		if level := l.base.Level(); l.names.Load() == n {
			return level
		}
	}
}

// lowest is the lowest level in force for any name.
func (l *Levels) lowest() zapcore.Level {
	level := l.base.Level()
	if n := l.names.Load(); n != nil && n.lowest < level {
		return n.lowest
	}
	return level
}

// All returns what is in force: the level of all first, then the names in their
// order. The slice is the caller's.
func (l *Levels) All() []LevelSetting {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noticeLocked()
	all := make([]LevelSetting, 0, len(l.settings))
	for name, s := range l.settings {
		all = append(all, LevelSetting{Name: name, Level: s.level, Until: s.until, Then: s.then})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// namedLevels is what For needs. It is made anew for every change.
type namedLevels struct {
	lowest zapcore.Level
	own    map[string]zapcore.Level // names that have a level themselves

	// hot has names that were asked for, with the level that they or their parents
	// have. To look them up in the map, one parent after the other, costs 10 ns and
	// more for each; here it is a hash and a comparison, mostly of two strings that
	// are the same memory.
	hot    [hotSlots]atomic.Pointer[hotName]
	misses atomic.Uint32
}

type hotName struct {
	name  string
	level zapcore.Level // noLevel: that of all
}

const (
	hotSlots = 512
	// replaceEvery is how many times a name has to be looked up in vain before one
	// takes another's place. A program that makes up names without end shall
	// neither fill the memory nor push the others out.
	replaceEvery = 64
)

// slotOf spreads names by their length and four of their bytes: a real hash would
// cost as much as all the rest.
func slotOf(name string) uint {
	n := uint(len(name))
	return (n + 7*uint(name[n/4]) + 31*uint(name[n/2]) + 131*uint(name[n-1]) + 17*uint(name[n*3/4])) % hotSlots
}

// level returns the level of a name, noLevel if it is that of all.
func (n *namedLevels) level(name string) zapcore.Level {
	slot := slotOf(name)
	if hot := n.hot[slot].Load(); hot != nil && hot.name == name {
		return hot.level
	}
	if hot := n.hot[slot^1].Load(); hot != nil && hot.name == name {
		return hot.level
	}
	level := n.inherited(name)
	if len(name) > maxLevelName {
		return level
	}
	for i := uint(0); i < 2; i++ {
		if n.hot[slot^i].Load() == nil {
			n.hot[slot^i].Store(&hotName{name, level})
			return level
		}
	}
	if m := n.misses.Add(1); m%replaceEvery == 0 {
		n.hot[slot^uint(m/replaceEvery%2)].Store(&hotName{name, level})
	}
	return level
}

func (n *namedLevels) inherited(name string) zapcore.Level {
	for {
		if level, ok := n.own[name]; ok {
			return level
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return noLevel
		}
		name = name[:dot]
	}
}

// Option returns the zap.Option that puts a logger under these levels. Several
// loggers may share them.
//
// The core that the logger has goes on applying its own level: what it does not
// let through stays out. So build it with the lowest level that you may want,
// Debug mostly. Give the option last, so that the levels are around a sampler:
// what they keep back then uses up no samples.
//
// zap's cores are asked about a level without being told the logger's name, and so
// Enabled and zapcore.LevelOf answer for the lowest level of any name. A Debug
// call that is disabled for its own name, while it is enabled for another, costs a
// reading of the clock and a lookup; one of a SugaredLogger formats its message
// first, and one of WithLazy encodes its fields. zap.IncreaseLevel looks at the
// lowest level, too, once, and is refused if that is above its own.
func (l *Levels) Option() zap.Option {
	return zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		l.audit.to(core)
		return &levelsCore{Core: core, levels: l}
	})
}

// levelsCore puts levels in front of a core that has its own.
type levelsCore struct {
	zapcore.Core
	levels *Levels
}

func (c *levelsCore) Enabled(level zapcore.Level) bool {
	return c.levels.lowest().Enabled(level) && c.Core.Enabled(level)
}

// Level is the lowest level that gets through; zapcore.LevelOf asks for it.
func (c *levelsCore) Level() zapcore.Level {
	own, inner := c.levels.lowest(), zapcore.LevelOf(c.Core)
	if inner > own {
		return inner
	}
	return own
}

func (c *levelsCore) With(fields []zapcore.Field) zapcore.Core {
	return &levelsCore{Core: c.Core.With(fields), levels: c.levels}
}

func (c *levelsCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.levels.For(e.LoggerName).Enabled(e.Level) {
		return ce
	}
	return c.Core.Check(e, ce)
}
