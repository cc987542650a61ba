package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// keys are those of the JSON that the library writes. zapTimeKey is what zap's
// own production configuration has for the time.
var keys = zapkafka.NewEncoderConfig()

const zapTimeKey = "ts"

// entry is a log entry read back from JSON.
type entry struct {
	zapcore.Entry
	hasLevel bool
	fields   []zapcore.Field // what has no place in Entry, in its order
}

// parseEntry reads a line of JSON. It reports false for anything that is not one
// JSON object.
func parseEntry(line []byte) (entry, bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return entry{}, false
	}
	var e entry
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return entry{}, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return entry{}, false
		}
		name, ok := key.(string)
		if !ok || !e.set(name, value) {
			e.fields = append(e.fields, zap.Reflect(name, value))
		}
	}
	if _, err := d.Token(); err != nil { // the brace
		return entry{}, false
	}
	_, err := d.Token()
	return e, err == io.EOF
}

// set puts the value in the place that its key has in an entry, if it fits
// there and the place is free.
func (e *entry) set(key string, value json.RawMessage) bool {
	if key == zapTimeKey && e.Time.IsZero() {
		if seconds, err := strconv.ParseFloat(string(value), 64); err == nil && math.Abs(seconds) < 1e11 {
			e.Time = time.UnixMilli(int64(seconds * 1000))
			return true
		}
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil || string(value) == "null" {
		return false
	}
	switch {
	case key == keys.LevelKey && !e.hasLevel:
		e.hasLevel = e.Level.UnmarshalText([]byte(text)) == nil
		return e.hasLevel
	case (key == keys.TimeKey || key == zapTimeKey) && e.Time.IsZero():
		t, err := time.Parse(time.RFC3339Nano, text)
		e.Time = t
		return err == nil
	case key == keys.NameKey && e.LoggerName == "":
		e.LoggerName = text
	case key == keys.CallerKey && !e.Caller.Defined:
		e.Caller = parseCaller(text)
		return e.Caller.Defined
	case key == keys.MessageKey && e.Message == "":
		e.Message = text
	case key == keys.StacktraceKey && e.Stack == "":
		e.Stack = text
	default:
		return false
	}
	return true
}

// parseCaller takes "file.go:12" apart.
func parseCaller(text string) zapcore.EntryCaller {
	i := strings.LastIndexByte(text, ':')
	if i <= 0 {
		return zapcore.EntryCaller{}
	}
	line, err := strconv.Atoi(text[i+1:])
	return zapcore.EntryCaller{Defined: err == nil, File: text[:i], Line: line}
}

// console is the entry as zap's console encoder writes it, with a newline at
// its end.
func (e entry) console(colour bool) (*buffer.Buffer, error) {
	c := zap.NewDevelopmentEncoderConfig()
	c.EncodeCaller = zapcore.FullCallerEncoder // it was shortened when it was logged
	if colour {
		c.EncodeLevel = zapcore.CapitalColorLevelEncoder
	}
	if !e.hasLevel {
		c.LevelKey = zapcore.OmitKey
	}
	if e.Time.IsZero() {
		c.TimeKey = zapcore.OmitKey
	}
	return zapcore.NewConsoleEncoder(c).EncodeEntry(e.Entry, e.fields)
}

// disarm makes all that is printed as it is harmless; fields are printed as JSON.
func (e *entry) disarm() {
	for _, text := range []*string{&e.Message, &e.Stack, &e.LoggerName, &e.Caller.File} {
		*text = harmless(*text)
	}
}

// harmless is the text without what a terminal would take for a command: a log
// has in it what others have sent.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
