package zapkafka

import (
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap/zapcore"
)

// CoreOptions say what a core of [NewCore] makes of an entry beside its record's
// value and time. The fields [Key], [Topic] and [RecordHeader] of an entry win over
// them. A nil *CoreOptions and the zero value of each field mean: nothing.
//
// What they say of an entry survives in a [Fallback], and its replayed record has
// it too. On file such an entry stands in an envelope (a line of JSON around it),
// not as the plain line that it is otherwise.
type CoreOptions struct {
	// Key is what the record's key is made of. Records with the same key go to the
	// same partition, and stay in order there. Few keys use few partitions.
	// Default: no key; the client spreads the records.
	Key RecordBy

	// Topic is what the name of the record's topic is made of. Where it says
	// nothing, that is the syncer's topic. The topics must exist, or the client be
	// allowed to make them. A name that Kafka does not allow is refused by NewCore
	// if it is known there; otherwise it is reported to Options.ErrorHandler, and
	// the entry goes to the syncer's topic. So does, in order that a name with a
	// number in it does not fill the client's memory and the brokers', what would
	// go to more than 256 topics whose names come from entries (ByLoggerName,
	// ByField, ByFunc). Default: the syncer's topic.
	Topic RecordBy

	// Headers are the record's headers, in their order, behind those of the entry's
	// fields. One that says nothing of an entry, or of whose name the entry has a
	// RecordHeader, is left out. Default: none.
	Headers []HeaderBy

	// NoShedEntry: the core writes no entry about what was shed. Otherwise the first
	// core of a syncer does, when entries were dropped for their level (Stats.Shed) and
	// that is over: at Warn, whatever the core's own level, under the logger's name
	// "zapkafka", to the syncer's topic, at most one a minute, and the rest at
	// Shutdown. Its message is "N entries shed, M to the fallback, between T1 and T2";
	// the fields shed, shed_by_level, fell_back, lost, from and to have the numbers. It
	// is an entry like any other. Without it Options.ErrorHandler is told. Default:
	// false, there is such an entry.
	NoShedEntry bool
}

// HeaderBy is a header of each record of a core.
type HeaderBy struct {
	// Name is the header's name; not empty.
	Name string
	// By is what its value is made of.
	By RecordBy
}

// RecordBy says what of an entry a part of its record is made of: a key, a topic or
// a header. The zero value says nothing of any entry.
type RecordBy struct {
	kind   byKind
	text   string
	levels map[zapcore.Level]string
	names  map[string]string
	call   func(zapcore.Entry, []zapcore.Field) string
}

type byKind uint8

const (
	byNothing byKind = iota
	byText
	byLevel
	byLoggerName
	byHost
	byField
	byFunc
	byLevels
	byNames
)

// ByText is the same text for every entry: the name of the service, in a header.
func ByText(text string) RecordBy { return RecordBy{kind: byText, text: text} }

// ByLevel is the entry's level in lower case: "debug" to "fatal".
func ByLevel() RecordBy { return RecordBy{kind: byLevel} }

// ByLoggerName is the name that zap's Named has given to the logger; nothing for a
// logger without one.
func ByLoggerName() RecordBy { return RecordBy{kind: byLoggerName} }

// ByHost is the name of the host, as os.Hostname says it when NewCore is called; a
// failure is reported to Options.ErrorHandler, and says nothing of any entry.
func ByHost() RecordBy { return RecordBy{kind: byHost} }

// ByField is the text of the entry's field of that name: the last one of the call,
// else the last one of With; nothing if there is neither. Strings, Stringers,
// numbers and errors are as they are printed, and whatever else there is as
// fmt.Sprint has it. A namespace (zap.Namespace) before the field does not change
// its name; what is inside of objects is not looked at.
func ByField(name string) RecordBy { return RecordBy{kind: byField, text: name} }

// ByFunc is what call makes of the entry and its fields, those of With first; ""
// says nothing. It is called for every entry, on the goroutine that logs it and
// concurrently, and must be quick and neither log nor keep or change the fields. A
// panic in it is reported to Options.ErrorHandler, and the entry goes on as if it
// had returned "".
func ByFunc(call func(e zapcore.Entry, fields []zapcore.Field) string) RecordBy {
	return RecordBy{kind: byFunc, call: call}
}

// PerLevel is a text for each level in the map and those above it, up to the next
// one in the map: {zap.ErrorLevel: "app-errors"} sends what is Error and above to
// that topic. It says nothing of entries below the lowest, and of those for which
// the text is "". The map is copied.
func PerLevel(texts map[zapcore.Level]string) RecordBy {
	copied := make(map[zapcore.Level]string, len(texts))
	for level, text := range texts {
		copied[level] = text
	}
	return RecordBy{kind: byLevels, levels: copied}
}

// PerLoggerName is a text for each logger's name in the map and the names below
// it, unless these are there themselves: what is there for "db" goes for "db.pool"
// too, and not for "dbx". It says nothing of other names, and of those for which
// the text is ""; the name "" in the map is that of the root, and goes for all that have
// nothing nearer. The map is copied.
func PerLoggerName(texts map[string]string) RecordBy {
	copied := make(map[string]string, len(texts))
	for name, text := range texts {
		copied[name] = text
	}
	return RecordBy{kind: byNames, names: copied}
}

// check returns what is wrong with by, whatever it is for.
func (by RecordBy) check() error {
	switch {
	case by.kind == byFunc && by.call == nil:
		return errors.New("ByFunc got no function")
	case by.kind == byField && by.text == "":
		return errors.New("ByField got no name of a field")
	}
	for level := range by.levels {
		if checkLevel(level) != nil {
			return fmt.Errorf("PerLevel: %d is not a level: use those from %v (%d) to %v (%d)", level,
				zapcore.DebugLevel, zapcore.DebugLevel, zapcore.FatalLevel, zapcore.FatalLevel)
		}
	}
	return nil
}

// checkTopics returns what is wrong with the texts that are known already, as names
// of topics.
func (by RecordBy) checkTopics() error {
	var errs []error
	check := func(text string) {
		if text != "" {
			errs = append(errs, checkTopic(text))
		}
	}
	if by.kind == byText {
		check(by.text)
	}
	for _, text := range by.levels {
		check(text)
	}
	for _, text := range by.names {
		check(text)
	}
	return errors.Join(errs...)
}

// newRecordRules prepares the options; nil if they say nothing. The error names all
// that is wrong.
func newRecordRules(options *CoreOptions) (*recordRules, error) {
	if options == nil {
		return nil, nil
	}
	var errs []error
	bad := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("CoreOptions.%s: %w", what, err))
		}
	}
	bad("Key", options.Key.check())
	bad("Topic", options.Topic.check())
	bad("Topic", options.Topic.checkTopics())
	for i, h := range options.Headers {
		what := fmt.Sprintf("Headers[%d]", i)
		if h.Name == "" {
			bad(what, errors.New("the header has no name"))
		}
		if h.By.kind == byNothing {
			bad(what, fmt.Errorf("the header %q has no value: say what it is made of, e.g. ByLevel()", h.Name))
		}
		bad(what, h.By.check())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if options.Key.kind == byNothing && options.Topic.kind == byNothing && len(options.Headers) == 0 {
		return nil, nil
	}
	r := &recordRules{topics: &topicNames{}}
	r.key = r.newRule(options.Key)
	r.topic = r.newRule(options.Topic)
	for _, h := range options.Headers {
		r.headers = append(r.headers, headerRule{h.Name, r.newRule(h.By)})
	}
	return r, nil
}

// hostname is os.Hostname; tests replace it.
var hostname = os.Hostname
