package producertest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// Entry is a log entry as it is in Kafka, or in the fallback. All of it belongs to
// who asked for it.
type Entry struct {
	// Topic is the topic that the entry is in, or is to go to.
	Topic string
	// Key is the record's key; nil if it has none.
	Key []byte
	// Headers are the record's headers in their order.
	Headers []zapkafka.Header
	// Time is the record's time stamp: when the entry was logged.
	Time time.Time
	// Value is the entry as it was encoded, without a final newline.
	Value []byte
	// Fields is Value decoded, if that is a JSON object, and nil otherwise. It has
	// everything that the encoder wrote: with the encoder of zapkafka.New "level",
	// "msg" and so on beside the fields of the call. Values are those of
	// encoding/json: every number is a float64.
	Fields map[string]any
	// Reason says why the entry is among the rejected ones; elsewhere it is empty.
	Reason string
}

// newEntry takes m over.
func newEntry(m Message) Entry {
	e := Entry{Topic: m.Topic, Key: m.Key, Headers: m.Headers, Time: m.Time, Value: m.Value}
	_ = json.Unmarshal(e.Value, &e.Fields) // it sets nothing if that is no object
	return e
}

// Header returns the value of the first header with that name; "" if there is
// none.
func (e Entry) Header(name string) string {
	for _, h := range e.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// String returns topic, key, headers and value in one line, for the message of a
// test that fails.
func (e Entry) String() string {
	var b strings.Builder
	b.WriteString(e.Topic)
	if e.Key != nil {
		fmt.Fprintf(&b, " key=%q", e.Key)
	}
	for _, h := range e.Headers {
		fmt.Fprintf(&b, " %s=%q", h.Key, h.Value)
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	fmt.Fprintf(&b, " %s", e.Value)
	return b.String()
}

// Entries are some entries in their order.
type Entries []Entry

// FilterMessage returns the entries with the message, which is the field "msg".
func (all Entries) FilterMessage(msg string) Entries {
	return all.FilterField(zap.String(plainConfig.MessageKey, msg))
}

// FilterField returns the entries that have the field with that value, as the
// encoder of zapkafka.New would write it: zap.Int("items", 3), or
// zap.String("level", "warn").
func (all Entries) FilterField(field zapcore.Field) Entries {
	want := decodedField(field)
	var some Entries
	for _, e := range all {
		if has(e.Fields, want) {
			some = append(some, e)
		}
	}
	return some
}

func has(fields, want map[string]any) bool {
	for key, value := range want {
		got, ok := fields[key]
		if !ok || !reflect.DeepEqual(got, value) {
			return false
		}
	}
	return true
}

// plainConfig is how zapkafka.New encodes.
var plainConfig = zapkafka.NewEncoderConfig()

// decodedField is what a field comes to in JSON. That is more than one key for one
// that is inlined.
func decodedField(field zapcore.Field) map[string]any {
	c := plainConfig
	for _, key := range []*string{&c.LevelKey, &c.TimeKey, &c.NameKey, &c.CallerKey, &c.FunctionKey, &c.MessageKey, &c.StacktraceKey} {
		*key = zapcore.OmitKey
	}
	line, err := zapcore.NewJSONEncoder(c).EncodeEntry(zapcore.Entry{}, []zapcore.Field{field})
	if err != nil {
		return map[string]any{field.Key: err} // which nothing is equal to
	}
	defer line.Free()
	return newEntry(Message{Value: line.Bytes()}).Fields
}
