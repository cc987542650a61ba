package zapkafka

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap/zapcore"
)

// recordRules are CoreOptions as a core uses them. They do not change, and are
// shared by all cores that With makes.
type recordRules struct {
	key, topic recordRule
	headers    []headerRule
	fields     []string // names of the fields that ByField wants
	calls      bool     // there is a ByFunc, so all fields are kept
	topics     *topicNames
	hostErr    error
}

type headerRule struct {
	name string
	rule recordRule
}

// recordRule is one RecordBy. Texts that are known beforehand are there as bytes,
// too, so that they cost nothing for an entry.
type recordRule struct {
	kind   byKind
	fixed  knownText
	levels [zapcore.FatalLevel - zapcore.DebugLevel + 1]knownText
	names  map[string]knownText
	field  int // index in recordRules.fields
	call   func(zapcore.Entry, []zapcore.Field) string
}

// knownText is a text that does not come from an entry.
type knownText struct {
	text  string
	bytes []byte // the same
}

func known(text string) knownText { return knownText{text, []byte(text)} }

// newRule prepares by.
func (r *recordRules) newRule(by RecordBy) recordRule {
	rule := recordRule{kind: by.kind, call: by.call}
	switch by.kind {
	case byText:
		rule.fixed = known(by.text)
	case byHost:
		name, err := hostname()
		if err != nil {
			r.hostErr = fmt.Errorf("zapkafka: ByHost says nothing of the entries: %w", err)
		}
		rule.fixed = known(name)
	case byLevel:
		for i := range rule.levels {
			rule.levels[i] = known((zapcore.DebugLevel + zapcore.Level(i)).String())
		}
	case byLevels:
		text := ""
		for i := range rule.levels {
			if own, there := by.levels[zapcore.DebugLevel+zapcore.Level(i)]; there {
				text = own
			}
			rule.levels[i] = known(text)
		}
	case byNames:
		rule.names = make(map[string]knownText, len(by.names))
		for name, text := range by.names {
			rule.names[name] = known(text)
		}
	case byField:
		rule.field = r.fieldIndex(by.text)
	case byFunc:
		r.calls = true
	}
	return rule
}

// fieldIndex is the index of name in r.fields.
func (r *recordRules) fieldIndex(name string) int {
	for i := range r.fields {
		if r.fields[i] == name {
			return i
		}
	}
	r.fields = append(r.fields, name)
	return len(r.fields) - 1
}

// withFields is what the rules want of the fields of With. It does not change.
type withFields struct {
	found []string        // texts of recordRules.fields, "" for none; nil: none at all
	all   []zapcore.Field // if there is a ByFunc
}

// with adds fields to w.
func (r *recordRules) with(w withFields, fields []zapcore.Field) withFields {
	if len(r.fields) > 0 {
		found := make([]string, len(r.fields))
		copy(found, w.found)
		r.find(found, fields)
		w.found = found
	}
	if r.calls {
		// A logger may have several children: none appends to the parent's array.
		w.all = append(w.all[:len(w.all):len(w.all)], fields...)
	}
	return w
}

// find puts the texts of those fields into found that the rules want; the last of a
// name counts.
func (r *recordRules) find(found []string, fields []zapcore.Field) {
	for i := range fields {
		for k, name := range r.fields {
			if fields[i].Key == name && fields[i].Type != zapcore.SkipType {
				found[k] = textOf(&fields[i])
			}
		}
	}
}

// apply adds to s.meta what the rules make of an entry, beside what its own fields
// say.
func (r *recordRules) apply(c *core, s *scratch, e *zapcore.Entry, fields []zapcore.Field) {
	m := &s.meta
	s.text = s.text[:0]
	if len(r.fields) > 0 {
		s.found = append(s.found[:0], c.with.found...)
		for len(s.found) < len(r.fields) {
			s.found = append(s.found, "")
		}
		r.find(s.found, fields)
	}
	if r.calls {
		s.fields = append(append(s.fields[:0], c.with.all...), fields...)
	}
	if m.key == nil {
		if key := r.bytes(&r.key, c, s, e); len(key) > 0 {
			m.key = key
		}
	}
	if m.topic == "" {
		m.topic = r.topicFor(c, s, e)
	}
	own := m.headers
	for i := range r.headers {
		h := &r.headers[i]
		if hasHeader(own, h.name) {
			continue
		}
		if value := r.bytes(&h.rule, c, s, e); len(value) > 0 {
			m.headers = append(m.headers, Header{Key: h.name, Value: value})
		}
	}
	s.headers = m.headers
	if len(m.headers) == 0 {
		m.headers = nil // as it is without rules: the entry may be a bare line
	}
}

func hasHeader(headers []Header, name string) bool {
	for i := range headers {
		if headers[i].Key == name {
			return true
		}
	}
	return false
}

// say returns what rule makes of an entry: a text, or one that is known.
func (r *recordRules) say(rule *recordRule, c *core, s *scratch, e *zapcore.Entry) knownText {
	switch rule.kind {
	case byText, byHost:
		return rule.fixed
	case byLevel, byLevels:
		if i := int(e.Level - zapcore.DebugLevel); i >= 0 && i < len(rule.levels) {
			return rule.levels[i]
		}
		if rule.kind == byLevel {
			return knownText{text: e.Level.String()}
		}
	case byLoggerName:
		return knownText{text: e.LoggerName}
	case byNames:
		for name := e.LoggerName; name != ""; {
			if text, there := rule.names[name]; there {
				return text
			}
			name = name[:strings.LastIndexByte(name, '.')+1]
			name = strings.TrimSuffix(name, ".")
		}
		return rule.names[""]
	case byField:
		return knownText{text: s.found[rule.field]}
	case byFunc:
		return knownText{text: callSafely(rule.call, c, e, s.fields)}
	}
	return knownText{}
}

// bytes is what rule makes of an entry, for a key or a header. It is in s.text unless
// it is known beforehand; that may move when it grows, and what was taken from it
// before stays where it was.
func (r *recordRules) bytes(rule *recordRule, c *core, s *scratch, e *zapcore.Entry) []byte {
	said := r.say(rule, c, s, e)
	if said.bytes != nil {
		return said.bytes
	}
	first := len(s.text)
	s.text = append(s.text, said.text...)
	return s.text[first:len(s.text):len(s.text)]
}

// topicFor is the topic that the rules send an entry to; "" for the syncer's.
func (r *recordRules) topicFor(c *core, s *scratch, e *zapcore.Entry) string {
	said := r.say(&r.topic, c, s, e)
	if said.text == "" {
		return ""
	}
	switch r.topic.kind {
	case byText, byLevels, byNames: // NewCore has checked these
		return said.text
	}
	topic, err := r.topics.check(said.text)
	if err != nil {
		c.out.tell("topic", fmt.Errorf("zapkafka: an entry stays in the syncer's topic: %w", err))
	}
	return topic
}

// callSafely calls a function of the user's, which must not take the entry along, let
// alone the program, when it panics.
func callSafely(call func(zapcore.Entry, []zapcore.Field) string, c *core, e *zapcore.Entry, fields []zapcore.Field) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = ""
			c.out.tell("ByFunc", fmt.Errorf("zapkafka: the function of a ByFunc panicked, and its entry goes on without: %v", p))
		}
	}()
	return call(*e, fields)
}

// textOf is the text of a field.
func textOf(f *zapcore.Field) (text string) {
	switch f.Type {
	case zapcore.StringType:
		return f.String
	case zapcore.Int64Type, zapcore.Int32Type, zapcore.Int16Type, zapcore.Int8Type:
		return strconv.FormatInt(f.Integer, 10)
	}
	// What a Stringer or a marshaler of the user's panics with, the encoder has met
	// or will meet: that is where it is dealt with.
	defer func() {
		if recover() != nil {
			text = ""
		}
	}()
	m := zapcore.NewMapObjectEncoder()
	f.AddTo(m)
	if value, there := m.Fields[f.Key]; there && value != nil {
		return fmt.Sprint(value)
	}
	return ""
}

// maxTopics bounds the topics of a core whose names come from entries.
const maxTopics = 256

// topicNames are the topics that entries were sent to by what they contain.
type topicNames struct {
	names atomic.Pointer[map[string]string] // never changed, but replaced
	mu    sync.Mutex                        // held for replacing it
}

// check returns name, or why it cannot be a topic. A name that was met before costs
// one look into a map.
func (t *topicNames) check(name string) (string, error) {
	if names := t.names.Load(); names != nil {
		if name, there := (*names)[name]; there {
			return name, nil
		}
		if len(*names) >= maxTopics {
			return "", fmt.Errorf("topic %q would be the %dth that is named by entries: keep to fewer, as brokers and clients hold something for each", cutName(name), maxTopics+1)
		}
	}
	if err := checkTopic(name); err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	grown := map[string]string{name: name}
	if names := t.names.Load(); names != nil {
		if len(*names) >= maxTopics {
			return "", fmt.Errorf("topic %q would be one of over %d that are named by entries", name, maxTopics)
		}
		for name := range *names {
			grown[name] = name
		}
	}
	t.names.Store(&grown)
	return name, nil
}

// cutName keeps a report short.
func cutName(name string) string {
	if len(name) > 60 {
		return name[:60] + "..."
	}
	return name
}
