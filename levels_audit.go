package zapkafka

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// audit writes an entry for each change of a level, in their order. Nobody waits
// for it with a lock of Levels in his hands: a core may do anything, change levels
// too.
type audit struct {
	mu      sync.Mutex
	core    zapcore.Core // nil: nobody to be told
	entries []auditEntry
	writing bool // somebody is in write, and takes what is added
}

type auditEntry struct {
	at     time.Time
	fields []zapcore.Field
}

// mostAudit bounds the entries that wait for a core which does not come back.
const mostAudit = 1000

// to makes core the one that is told. The first one stays.
func (a *audit) to(core zapcore.Core) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.core == nil {
		a.core = core
	}
}

func (a *audit) add(name string, before, after zapcore.Level, until time.Time, by string) {
	fields := []zapcore.Field{
		zap.String("name", name), zap.String("old", levelText(before)), zap.String("new", levelText(after)),
	}
	if !until.IsZero() {
		fields = append(fields, zap.String("until", until.UTC().Format(time.RFC3339)))
	}
	fields = append(fields, zap.String("by", by))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.core != nil && len(a.entries) < mostAudit {
		a.entries = append(a.entries, auditEntry{time.Now(), fields})
	}
}

// levelText is the level of a name that may have none.
func levelText(level zapcore.Level) string {
	if level == noLevel {
		return "inherited"
	}
	return level.String()
}

// write writes what was added, past all levels: it does not ask the core whether
// it wants it. Of several callers one does it for all.
func (a *audit) write() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.writing {
		return
	}
	a.writing = true
	// Also if the core panics.
	defer func() { a.writing = false }()
	for len(a.entries) > 0 {
		e := a.entries[0]
		a.entries = append(a.entries[:0], a.entries[1:]...)
		a.writeOne(e)
	}
}

func (a *audit) writeOne(e auditEntry) {
	core := a.core
	a.mu.Unlock()
	defer a.mu.Lock()
	// An error is the core's to report, as for any entry.
	_ = core.Write(zapcore.Entry{Level: zapcore.InfoLevel, Time: e.at, Message: "log level changed"}, e.fields)
}
