package zapkafka

import (
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// audit writes an entry for each change of a level, in their order, from a
// goroutine that lives as long as there are any: a core may block, and it may
// change levels itself while it holds a lock of its own.
type audit struct {
	mu      sync.Mutex
	core    zapcore.Core // nil: there is none yet
	entries []auditEntry
	leftOut int           // since the last entry that said so
	written chan struct{} // closed when entries is empty again; nil: it is
	serial  int
}

type auditEntry struct {
	at     time.Time
	fields []zap.Field
}

const (
	// mostAudit bounds the entries that wait. One Set may change twice as many names
	// as can have a level.
	mostAudit = 2*maxSettings + 100
	// auditWait is how long the one who changes a level waits for the entry. Mostly it
	// is there when he goes on.
	auditWait = 100 * time.Millisecond
)

const auditMessage = "log level changed"

// to makes core the one that is told, unless there is one. A core that takes no
// entries at all, as that of zap.NewNop, is none.
func (a *audit) to(core zapcore.Core) {
	if zapcore.LevelOf(core) == zapcore.InvalidLevel {
		return
	}
	a.mu.Lock()
	if a.core == nil {
		a.core = core
	}
	a.mu.Unlock()
	a.write(auditWait)
}

func (a *audit) add(name string, before, after zapcore.Level, by string, more ...zap.Field) {
	fields := append([]zap.Field{
		zap.String("name", name), zap.String("old", levelText(before)), zap.String("new", levelText(after)),
	}, more...)
	fields = append(fields, zap.String("by", by))
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.entries) == mostAudit {
		a.entries = append(a.entries[:0], a.entries[1:]...)
		a.leftOut++
	}
	a.entries = append(a.entries, auditEntry{time.Now(), fields})
}

// levelText is the level of a name that may have none.
func levelText(level zapcore.Level) string {
	if level == noLevel {
		return "inherited"
	}
	return level.String()
}

// write sees to it that what was added is written, and waits for that, but not for
// ever.
func (a *audit) write(wait time.Duration) {
	a.mu.Lock()
	if len(a.entries) > 0 && a.core != nil && a.written == nil {
		a.written = make(chan struct{})
		go a.run()
	}
	written := a.written
	a.mu.Unlock()
	if written == nil || wait == 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-written:
	case <-t.C:
	}
}

func (a *audit) run() {
	for {
		a.mu.Lock()
		if len(a.entries) == 0 {
			close(a.written)
			a.written = nil
			a.mu.Unlock()
			return
		}
		e := a.entries[0]
		a.entries = append(a.entries[:0], a.entries[1:]...)
		if a.leftOut > 0 {
			e.fields = append(e.fields, zap.Int("left_out", a.leftOut))
			a.leftOut = 0
		}
		a.serial++
		core, serial := a.core, a.serial
		a.mu.Unlock()
		writeAudit(core, serial, e)
	}
}

// writeAudit gives an entry to the core, which the level must not keep from it.
func writeAudit(core zapcore.Core, serial int, e auditEntry) {
	// A core that panics, as one does that writes to a test which has ended, must not
	// take the program along: nobody called it.
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(os.Stderr, "%s zapkafka: the core panicked with the entry about a changed level: %v\n", time.Now().UTC().Format(time.RFC3339), p)
		}
	}()
	// Cores may do their work in Check: they add others to the checked entry. So each
	// is asked in the ordinary way at first. If none takes it, it is asked for an
	// entry that is too important to be refused, with a text that no sampler has seen.
	entry := zapcore.Entry{Level: zapcore.InfoLevel, Time: e.at, Message: auditMessage}
	checked := core.Check(entry, nil)
	if checked == nil {
		urgent := entry
		urgent.Level, urgent.Message = zapcore.FatalLevel, fmt.Sprint(auditMessage, " ", serial)
		checked = core.Check(urgent, nil)
	}
	if checked == nil {
		_ = core.Write(entry, e.fields) // it said no twice
		return
	}
	checked.Entry = entry
	checked.ErrorOutput = zapcore.Lock(os.Stderr)
	checked.Write(e.fields...)
}
