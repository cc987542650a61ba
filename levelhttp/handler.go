// Package levelhttp serves the levels of a running program over HTTP.
//
// It takes what the handler of zap's AtomicLevel is documented to take, and names
// and times beside it:
//
//	curl localhost:8080/log/level
//	curl -X PUT localhost:8080/log/level -d level=debug
//	curl -X PUT localhost:8080/log/level -H 'Content-Type: application/json' \
//	     -d '{"level":"debug","logger":"db","for":"10m"}'
//
// The handler lets in everybody who reaches it. Who can set the level to debug can
// fill your topic and your disk, and who can set it to fatal can hide what he
// does: put it behind a check of your own, as in the example. A port on the loopback
// interface keeps out other machines, but neither other users of this one nor web
// pages that have their own name resolve to it.
//
// What zap's handler lets pass and this one does not are mistakes: members that it
// does not know (a misspelt "for" would make a level stay), members given twice or
// empty, something behind the JSON.
package levelhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// Header is in the header of every answer, so that a client knows that names and
// times are understood: zap's own handler would set the level of all for
// {"level":"debug","logger":"db"}.
const Header = "Zapkafka-Levels"

// maxBody is the longest body, and query, of a request in bytes.
const maxBody = 4 << 10

// State is the body of an answer: the level of all, and those of names that have
// one of their own.
type State struct {
	Setting
	// Loggers has the names with a level of their own; no member if there is none.
	Loggers map[string]Setting `json:"loggers,omitempty"`
}

// Setting is a level in a [State].
type Setting struct {
	// Level is the one in force.
	Level string `json:"level"`
	// Until is when a temporary level ends, RFC 3339 in UTC; not there if it stays.
	Until string `json:"until,omitempty"`
	// Then is what follows a temporary level, "inherited" if the name had none.
	Then string `json:"then,omitempty"`
}

// Change is the body of a PUT request. Members that are empty are left out; a request
// in which one is given and empty is refused, as it is a variable that was not set,
// mostly.
type Change struct {
	// Level is the new level: debug, info, warn, error, dpanic, panic or fatal, in
	// small letters or capitals.
	Level string `json:"level,omitempty"`
	// Logger is the name of the loggers; empty: the level of all.
	Logger string `json:"logger,omitempty"`
	// For makes it temporary: a duration as Go writes it, such as 10m or 1h30m.
	For string `json:"for,omitempty"`
	// Reset takes the name's level away, or brings the level of all back to what the
	// program began with. Level and For must not be there then.
	Reset bool `json:"reset,omitempty"`
}

// Error is the body of an answer to a request that was refused.
type Error struct {
	// Error says what is wrong and what would be right.
	Error string `json:"error"`
}

// Handler returns a handler for levels.
//
// GET answers with a [State]. PUT takes a [Change] as JSON, or the same members as
// a form (application/x-www-form-urlencoded, in the body or in the query; the body
// counts where both have one), and answers with the State after it. What is wrong
// is answered with status 400 (413 for a body of over 4 KiB) and an [Error], and
// changes nothing; unknown members are wrong. A query that has none of the members,
// such as a token for somebody before this handler, is passed over. Other methods
// get 405.
//
// The entry in the log about a change names the address that the request came
// from, which may be that of a proxy.
//
// A nil levels panics.
func Handler(levels *zapkafka.Levels) http.Handler {
	if levels == nil {
		panic("levelhttp: Handler: the levels are nil: use logger.Levels()")
	}
	return handler{levels}
}

type handler struct{ levels *zapkafka.Levels }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(Header, "1")
	switch r.Method {
	case http.MethodGet:
	case http.MethodPut:
		change, err := readChange(w, r)
		if err == nil {
			err = h.change(change, r.RemoteAddr)
		}
		if err != nil {
			answer(w, statusOf(err), Error{strings.TrimPrefix(err.Error(), "zapkafka: ")})
			return
		}
	default:
		w.Header().Set("Allow", "GET, PUT")
		answer(w, http.StatusMethodNotAllowed, Error{fmt.Sprintf("%s is not a way to ask or to change the level: use GET or PUT", method(r))})
		return
	}
	answer(w, http.StatusOK, StateOf(h.levels))
}

// method is r's, if it looks like one.
func method(r *http.Request) string {
	if len(r.Method) > 20 {
		return "this method"
	}
	return r.Method
}

// StateOf returns what is in force.
func StateOf(levels *zapkafka.Levels) State {
	var s State
	for _, l := range levels.All() {
		setting := Setting{Level: l.Level.String()}
		if !l.Until.IsZero() {
			setting.Until, setting.Then = l.Until.UTC().Format(time.RFC3339), "inherited"
			if l.Then != zapcore.InvalidLevel {
				setting.Then = l.Then.String()
			}
		}
		if l.Name == "" {
			s.Setting = setting
			continue
		}
		if s.Loggers == nil {
			s.Loggers = map[string]Setting{}
		}
		s.Loggers[l.Name] = setting
	}
	return s
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked has gone
}

func statusOf(err error) int {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// change does what a request asks for.
func (h handler) change(c Change, from string) error {
	do := zapkafka.LevelChange{Name: c.Logger, Reset: c.Reset, By: "HTTP " + from}
	if c.Reset {
		if c.Level != "" || c.For != "" {
			return errors.New("reset takes the level away: leave out level and for")
		}
		return h.levels.Change(do)
	}
	if c.Level == "" {
		return errors.New(`the level is missing: give one, such as {"level":"debug"} or level=debug`)
	}
	var err error
	if do.Level, err = zapcore.ParseLevel(c.Level); err != nil {
		return fmt.Errorf("%.100q is not a level: use debug, info, warn, error, dpanic, panic or fatal", c.Level)
	}
	if c.For != "" {
		if do.For, err = time.ParseDuration(c.For); err != nil || do.For <= 0 {
			return fmt.Errorf("%.100q is not a time for a level to last: use one above 0, such as 10m or 1h30m", c.For)
		}
	}
	return h.levels.Change(do)
}

// readChange reads the body, or the query, of a request.
func readChange(w http.ResponseWriter, r *http.Request) (Change, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			return Change{}, fmt.Errorf("the body cannot be read (the most are %d bytes): %w", maxBody, err)
		}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	query, err := readQuery(r.URL.RawQuery)
	if err != nil {
		return Change{}, err
	}
	if kind == formType || len(body) == 0 && len(query) > 0 {
		return readForm(string(body), query)
	}
	if len(query) > 0 {
		return Change{}, errors.New("there are members in the query beside the JSON: put all of them into one of the two")
	}
	members, err := readJSON(body)
	if err != nil {
		return Change{}, err
	}
	return members.change()
}

const formType = "application/x-www-form-urlencoded"

// readQuery returns the query, if it is about a change.
func readQuery(raw string) (url.Values, error) {
	if len(raw) > maxBody {
		return nil, fmt.Errorf("the query has %d bytes: the most is %d", len(raw), maxBody)
	}
	query, err := url.ParseQuery(raw)
	for name := range query {
		if isMember(name) {
			if err != nil {
				return nil, fmt.Errorf("the query cannot be read: %w", err)
			}
			return query, nil
		}
	}
	return nil, nil
}

func isMember(name string) bool {
	return name == "level" || name == "logger" || name == "for" || name == "reset"
}

// readForm reads members of the body, and of the query where it does not have them.
func readForm(body string, query url.Values) (Change, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return Change{}, fmt.Errorf("the form cannot be read: %w", err)
	}
	for name, values := range query {
		if _, there := form[name]; !there {
			form[name] = values
		}
	}
	m := members{}
	for name, values := range form {
		if len(values) != 1 {
			return Change{}, twice(name)
		}
		m[name] = values[0]
		if name == "reset" {
			switch values[0] {
			case "true":
				m[name] = true
			case "false":
				m[name] = false
			}
		}
	}
	return m.change()
}

// members are those of a request: strings, but for reset.
type members map[string]any

func (m members) change() (Change, error) {
	var c Change
	for name, value := range m {
		if name == "reset" {
			is, ok := value.(bool)
			if !ok {
				return c, errors.New("reset must be true or false")
			}
			c.Reset = is
			continue
		}
		to, example := (*string)(nil), ""
		switch name {
		case "level":
			to, example = &c.Level, "debug"
		case "logger":
			to, example = &c.Logger, "db"
		case "for":
			to, example = &c.For, "10m"
		default:
			return c, fmt.Errorf("%.100q means nothing here: there are level, logger, for and reset", name)
		}
		text, ok := value.(string)
		switch {
		case !ok:
			return c, fmt.Errorf("%s must be a string, such as %q", name, example)
		case text == "":
			return c, fmt.Errorf("%s is empty: give it, such as %q, or leave it out", name, example)
		}
		*to = text
	}
	return c, nil
}

func twice(name string) error { return fmt.Errorf("%.100q is given twice: give it once", name) }

// readJSON reads one object. encoding/json would let the last of two members of the
// same name count.
func readJSON(body []byte) (members, error) {
	fault := func(err error) error {
		return fmt.Errorf(`the body is not the JSON of a change, such as {"level":"debug"}: %w`, err)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil {
		return nil, fault(err)
	} else if open != json.Delim('{') {
		return nil, fault(errors.New("it is no object"))
	}
	m := members{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, fault(err)
		}
		// As encoding/json, and so zap's handler, reads names.
		name := strings.ToLower(fmt.Sprint(token))
		if _, there := m[name]; there {
			return nil, twice(name)
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return nil, fault(err)
		}
		m[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, fault(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("there is something behind the JSON of the change: send one at a time")
	}
	return m, nil
}
