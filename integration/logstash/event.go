package logstash

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Document is what goes into the search engine.
type Document struct {
	Index  string
	ID     string // "": the engine makes one
	Fields map[string]any
}

// Run does to a record what the configuration says. The event's own time is now
// unless a filter sets it.
func (c Config) Run(r *kgo.Record, now time.Time) (Document, error) {
	e, err := c.receive(r, now)
	if err != nil {
		return Document{}, err
	}
	if err := e.run(c.Filter); err != nil {
		return Document{}, err
	}
	if err := e.run(c.Output); err != nil {
		return Document{}, err
	}
	if e.out == nil {
		return Document{}, fmt.Errorf("logstash: no output takes the event %v", e.fields)
	}
	delete(e.fields, "@metadata") // which no output shows
	e.fields["@timestamp"] = e.time.UTC().Format("2006-01-02T15:04:05.000Z")
	e.out.Fields = e.fields
	return *e.out, nil
}

// event is one on its way.
type event struct {
	fields map[string]any
	time   time.Time
	out    *Document
}

// receive makes the event of a record, as the kafka input does.
func (c Config) receive(r *kgo.Record, now time.Time) (*event, error) {
	if len(c.Input) != 1 || c.Input[0].Plugin != "kafka" || c.Input[0].Settings["codec"] != "plain" {
		return nil, fmt.Errorf("logstash: one kafka input with the codec plain is known, not %v", c.Input)
	}
	e := &event{fields: map[string]any{"message": string(r.Value), "@version": "1"}, time: now}
	decorate := c.Input[0].Settings["decorate_events"]
	if decorate == "basic" || decorate == "extended" {
		e.set("[@metadata][kafka][timestamp]", r.Timestamp.UnixMilli())
	}
	for _, h := range r.Headers {
		if decorate == "extended" {
			e.set("[@metadata][kafka][headers]["+h.Key+"]", string(h.Value))
		}
	}
	return e, nil
}

// path splits a field such as [a][b]; a bare name is one of the event itself.
func path(field string) []string {
	if !strings.HasPrefix(field, "[") {
		return []string{field}
	}
	return strings.Split(strings.Trim(field, "[]"), "][")
}

func (e *event) get(field string) (any, bool) {
	var value any = e.fields
	for _, name := range path(field) {
		object, _ := value.(map[string]any)
		inner, ok := object[name]
		if !ok {
			return nil, false
		}
		value = inner
	}
	return value, true
}

func (e *event) set(field string, value any) {
	names := path(field)
	object := e.fields
	for _, name := range names[:len(names)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[names[len(names)-1]] = value
}

func (e *event) remove(field string) {
	names := path(field)
	parent, ok := any(e.fields), true
	if len(names) > 1 {
		parent, ok = e.get("[" + strings.Join(names[:len(names)-1], "][") + "]")
	}
	if object, isObject := parent.(map[string]any); ok && isObject {
		delete(object, names[len(names)-1])
	}
}

func (e *event) run(steps []Step) error {
	for _, s := range steps {
		if s.If != "" {
			holds, err := e.holds(s.If)
			if err != nil {
				return err
			}
			branch := s.Then
			if !holds {
				branch = s.Else
			}
			if err := e.run(branch); err != nil {
				return err
			}
			continue
		}
		plugin, ok := plugins[s.Plugin]
		if !ok {
			return fmt.Errorf("logstash: the plugin %s is not known here", s.Plugin)
		}
		for name := range s.Settings {
			if !slices.Contains(plugin.settings, name) {
				return fmt.Errorf("logstash: the setting %s of %s is not known here", name, s.Plugin)
			}
		}
		if err := plugin.run(e, s.Settings); err != nil {
			return err
		}
	}
	return nil
}

var (
	isField = regexp.MustCompile(`^(\[[@\w-]+\])+$`)
	isIn    = regexp.MustCompile(`^"([^"]*)" in (\[\w+\])$`)
)

// holds knows two conditions: a field is there, and a text is in a list.
func (e *event) holds(condition string) (bool, error) {
	if isField.MatchString(condition) {
		value, ok := e.get(condition)
		return ok && value != nil && value != false, nil
	}
	if m := isIn.FindStringSubmatch(condition); m != nil {
		list, _ := e.get(m[2])
		texts, _ := list.([]string)
		return slices.Contains(texts, m[1]), nil
	}
	return false, fmt.Errorf("logstash: the condition %q is not known here", condition)
}

type plugin struct {
	settings []string
	run      func(*event, map[string]any) error
}

var plugins = map[string]plugin{
	"date":          {[]string{"match", "remove_field"}, (*event).date},
	"json":          {[]string{"source"}, (*event).json},
	"mutate":        {[]string{"rename", "add_field"}, (*event).mutate},
	"elasticsearch": {[]string{"hosts", "index", "document_id", "manage_template"}, (*event).elasticsearch},
}

func (e *event) tag(text string) {
	tags, _ := e.fields["tags"].([]string)
	e.fields["tags"] = append(tags, text)
}

// date sets the time of the event, and on success only removes fields.
func (e *event) date(settings map[string]any) error {
	match, _ := settings["match"].([]string)
	if len(match) != 2 {
		return fmt.Errorf("logstash: date: a field and one pattern are known, not %q", match)
	}
	value, ok := e.get(match[0])
	if !ok {
		return nil
	}
	switch match[1] {
	case "UNIX_MS":
		milliseconds, isInt := value.(int64)
		if !isInt {
			return fmt.Errorf("logstash: date: %v is no number of milliseconds", value)
		}
		e.time = time.UnixMilli(milliseconds)
	case "ISO8601":
		text, _ := value.(string)
		at, ok := iso8601(text)
		if !ok {
			e.tag("_dateparsefailure")
			return nil
		}
		e.time = at
	default:
		return fmt.Errorf("logstash: date: the pattern %s is not known here", match[1])
	}
	removed, _ := settings["remove_field"].([]string)
	for _, field := range removed {
		e.remove(field)
	}
	return nil
}

// iso8601 reads what Logstash reads without a pattern of one's own. Of the forms
// that ISO 8601 allows for a zone the encoders here use two.
func iso8601(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000Z0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// json puts the fields of an object into the event. A field @timestamp is its time.
func (e *event) json(settings map[string]any) error {
	source, _ := settings["source"].(string)
	value, _ := e.get(source)
	text, _ := value.(string)
	object := map[string]any{}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		e.tag("_jsonparsefailure")
		return nil
	}
	if stamp, ok := object["@timestamp"]; ok {
		delete(object, "@timestamp")
		text, _ := stamp.(string)
		if at, ok := iso8601(text); ok {
			e.time = at
		} else {
			object["_@timestamp"] = stamp
			e.tag("_timestampparsefailure")
		}
	}
	for key, value := range object {
		e.fields[key] = value
	}
	return nil
}

func (e *event) mutate(settings map[string]any) error {
	renames, _ := settings["rename"].(map[string]string)
	for from, to := range renames {
		if value, ok := e.get(from); ok {
			e.remove(from)
			e.set(to, value)
		}
	}
	fields, _ := settings["add_field"].(map[string]string)
	for field, text := range fields {
		e.set(field, e.format(text))
	}
	return nil
}

func (e *event) elasticsearch(settings map[string]any) error {
	if e.out != nil {
		return fmt.Errorf("logstash: two outputs take the event %v", e.fields)
	}
	index, _ := settings["index"].(string)
	id, _ := settings["document_id"].(string)
	e.out = &Document{Index: e.format(index), ID: e.format(id)}
	return nil
}

var reference = regexp.MustCompile(`%\{[^}]+\}`)

// format puts fields and the day of the event in the place of what refers to them.
func (e *event) format(text string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		field := ref[2 : len(ref)-1]
		if field == "+YYYY.MM.dd" {
			return e.time.UTC().Format("2006.01.02")
		}
		if value, ok := e.get(field); ok {
			return fmt.Sprint(value)
		}
		return ref // as Logstash does
	})
}
