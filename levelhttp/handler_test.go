package levelhttp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/levelhttp"
)

const form = "application/x-www-form-urlencoded"

// ask sends one request to a new handler, and returns what it answers.
func ask(levels *zapkafka.Levels, method, query, kind, body string) (int, http.Header, string) {
	r := httptest.NewRequest(method, "/log/level"+query, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	levelhttp.Handler(levels).ServeHTTP(w, r)
	return w.Code, w.Result().Header, strings.TrimSpace(w.Body.String())
}

func TestChanges(t *testing.T) {
	for _, test := range []struct{ query, kind, body, want string }{
		// What zap's handler takes.
		{"", "", `{"level":"debug"}`, "debug"},
		{"", "application/json", `{"level":"ERROR"}`, "error"},
		{"", "text/plain", ` {"level":"debug"} `, "debug"},
		{"", form, "level=debug", "debug"},
		{"?level=debug", form, "", "debug"},
		{"?level=debug", form, "level=error", "error"},
		{"?level=debug", "", "", "debug"},
		{"", "", `{"Level":"debug"}`, "debug"},
		{"?token=x&a=%zz", "", `{"level":"debug"}`, "debug"}, // somebody else's
		// And beside it.
		{"", "application/json; charset=utf-8", `{"level":"debug","logger":"db"}`, "info,db=debug"},
		{"", form + "; charset=utf-8", "level=debug&logger=db.pool&for=1h", "info,db.pool=debug"},
		{"?logger=db", form, "level=debug", "info,db=debug"},
		{"", "", `{"level":"debug","logger":"db","for":"10m"}`, "info,db=debug"},
		{"", "", `{"level":"debug","for":"1h30m","reset":false}`, "debug"},
		{"", "", `{"logger":"old","reset":true}`, "info"},
		{"", form, `reset=true&logger=never`, "info,old=warn"},
		{"", "", `{"reset":true}`, "info,old=warn"},
	} {
		levels := zapkafka.NewLevels(zap.InfoLevel)
		if err := levels.SetNamedLevel("old", zap.WarnLevel); err != nil {
			t.Fatal(err)
		}
		want := test.want
		if !strings.Contains(test.body, "old") && !strings.HasSuffix(want, ",old=warn") {
			want += ",old=warn"
		}
		code, header, got := ask(levels, http.MethodPut, test.query, test.kind, test.body)
		if code != http.StatusOK || levels.String() != want {
			t.Errorf("PUT %s %q %q: %d %s, levels %s, want %s", test.query, test.kind, test.body, code, got, levels, want)
		}
		if header.Get(levelhttp.Header) == "" {
			t.Errorf("the answer does not say whose it is: %v", header)
		}
		if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
			t.Errorf("the answer is of type %q", kind)
		}
		if _, _, state := ask(levels, http.MethodGet, "", "", ""); state != got {
			t.Errorf("PUT answers %s, and GET after it %s", got, state)
		}
		zapsOwn := struct{ Level zapcore.Level }{zapcore.InvalidLevel}
		if err := json.Unmarshal([]byte(got), &zapsOwn); err != nil || zapsOwn.Level != levels.For("") {
			t.Errorf("zap's clients cannot read %s: %v", got, err)
		}
	}
}

// As a program calls it that serves no real request.
func TestNoBody(t *testing.T) {
	levels := zapkafka.NewLevels(zap.InfoLevel)
	r, err := http.NewRequest(http.MethodPut, "/?level=debug", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	levelhttp.Handler(levels).ServeHTTP(w, r)
	if w.Code != http.StatusOK || levels.String() != "debug" {
		t.Errorf("%d, levels %s", w.Code, levels)
	}
}

func TestState(t *testing.T) {
	levels := zapkafka.NewLevels(zap.InfoLevel)
	if _, _, got := ask(levels, http.MethodGet, "", "", ""); got != `{"level":"info"}` {
		t.Errorf("GET answers %s, want what zap's handler does", got)
	}
	for _, err := range []error{
		levels.SetLevelFor(zap.WarnLevel, time.Hour),
		levels.SetNamedLevel("db", zap.ErrorLevel),
		levels.SetNamedLevelFor("db", zap.DebugLevel, time.Hour),
		levels.SetNamedLevelFor("http", zap.DebugLevel, time.Hour),
		levels.SetNamedLevel("cache", zap.FatalLevel),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, got := ask(levels, http.MethodGet, "", "", "")
	var state levelhttp.State
	if err := json.Unmarshal([]byte(got), &state); err != nil {
		t.Fatal(err)
	}
	check := func(name string, s levelhttp.Setting, level, then string) {
		t.Helper()
		if s.Level != level || s.Then != then {
			t.Errorf("%s: %+v, want %s and %q then", name, s, level, then)
		}
		if then == "" {
			if s.Until != "" {
				t.Errorf("%s ends at %q", name, s.Until)
			}
			return
		}
		if until, err := time.Parse(time.RFC3339, s.Until); err != nil || time.Until(until) > time.Hour || time.Until(until) < 50*time.Minute {
			t.Errorf("%s ends at %q: want about an hour from now", name, s.Until)
		}
	}
	check("all", state.Setting, "warn", "info")
	check("db", state.Loggers["db"], "debug", "error")
	check("http", state.Loggers["http"], "debug", "inherited")
	check("cache", state.Loggers["cache"], "fatal", "")
}

func TestBadInput(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		query, kind, body string
		status            int
		want              string // in the message
	}{
		{"", json, "", 400, "not the JSON"},
		{"", json, "level=debug", 400, "not the JSON"},
		{"", json, `{"level":"loud"}`, 400, `"loud" is not a level: use debug`},
		{"", json, `{}`, 400, "level is missing"},
		{"", json, `{"level":""}`, 400, "level is empty"},
		{"", json, `{"level":null}`, 400, "level must be a string"},
		{"", json, `{"level":"debug","logger":""}`, 400, "logger is empty"},
		{"", json, `{"level":"debug","for":""}`, 400, "for is empty"},
		{"", json, `{"level":"debug","Level":"info"}`, 400, "given twice"},
		{"", json, `{"level":"debug","logger":"db","logger":"db"}`, 400, "given twice"},
		{"", json, `{"level":"debug"`, 400, "not the JSON"},
		{"", json, `{"level":}`, 400, "not the JSON"},
		{"", form, "level=debug&logger=&for=", 400, "is empty"},
		{"", json, `{"level":-1}`, 400, "level must be a string"},
		{"", json, `{"level":"debug","for":600}`, 400, "for must be a string"},
		{"", json, `{"level":"debug","for":"10"}`, 400, `"10" is not a time`},
		{"", json, `{"level":"debug","for":"-5m"}`, 400, "above 0"},
		{"", json, `{"level":"debug","for":"0s"}`, 400, "above 0"},
		{"", json, `{"level":"debug","duration":"10m"}`, 400, `"duration" means nothing here`},
		{"", json, `{"level":"debug","logger":"a b"}`, 400, `"a b" has a comma`},
		{"", json, `{"level":"debug","logger":"` + strings.Repeat("x", 300) + `"}`, 400, "the most is 256"},
		{"", json, `{"level":"debug"}{"level":"info"}`, 400, "one at a time"},
		{"", json, `{"level":"debug"}]`, 400, "behind the JSON"},
		{"", json, `["debug"]`, 400, "not the JSON"},
		{"", json, `{"reset":true,"level":"debug"}`, 400, "leave out level"},
		{"", json, `{"reset":1}`, 400, "true or false"},
		{"?logger=db", json, `{"level":"debug"}`, 400, "one of the two"},
		{"", form, "", 400, "level is missing"},
		{"", form, "level=debug&level=info", 400, "given twice"},
		{"", form, "level=debug&name=db", 400, `"name" means nothing`},
		{"", form, "level=debug&reset=yes", 400, "true or false"},
		{"?level=debug&duration=10m", form, "", 400, `"duration" means nothing`},
		{"", form, "level=%zz", 400, "form cannot be read"},
		{"?level=debug&a=%zz", form, "", 400, "query cannot be read"},
		{"?level=" + strings.Repeat("%00", 2000), form, "", 400, "6006 bytes: the most is 4096"},
		{"", json, `{"level":"debug"` + strings.Repeat(" ", 5000) + "}", 413, "4096 bytes"},
	} {
		levels := zapkafka.NewLevels(zap.InfoLevel)
		code, _, got := ask(levels, http.MethodPut, test.query, test.kind, test.body)
		if code != test.status || !strings.Contains(unescape(got), test.want) {
			t.Errorf("PUT %s %q %.60q: %d %s, want %d with %s", test.query, test.kind, test.body, code, got, test.status, test.want)
		}
		if levels.String() != "info" {
			t.Errorf("PUT %.60q changed the levels to %s", test.body, levels)
		}
	}
	for _, method := range []string{"POST", "DELETE", "PATCH", "HEAD", "OPTIONS", strings.Repeat("X", 5000)} {
		levels := zapkafka.NewLevels(zap.InfoLevel)
		code, header, got := ask(levels, method, "?level=debug", "", "")
		if code != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, PUT" || levels.String() != "info" || len(got) > 200 {
			t.Errorf("%.10s: %d, Allow %q, levels %s, %.300s", method, code, header.Get("Allow"), levels, got)
		}
	}
}

func unescape(body string) string {
	var e levelhttp.Error
	if json.Unmarshal([]byte(body), &e) != nil {
		return body
	}
	return e.Error
}

// The log says who it was.
func TestTheLogNamesTheAddress(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	logger := zapkafka.NewWithCore(core, zap.ErrorLevel)
	server := httptest.NewServer(levelhttp.Handler(logger.Levels()))
	defer server.Close()
	r, err := http.NewRequest(http.MethodPut, server.URL, strings.NewReader(`{"level":"fatal","logger":"db"}`))
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); !bytes.Contains(body, []byte(`"db":{"level":"fatal"}`)) {
		t.Errorf("answer %s", body)
	}
	all := logs.All()
	if len(all) != 1 {
		t.Fatalf("%d entries, want one", len(all))
	}
	if by := fmt.Sprint(all[0].ContextMap()["by"]); !strings.HasPrefix(by, "HTTP 127.0.0.1:") {
		t.Errorf("by %q", by)
	}
}

func FuzzHandler(f *testing.F) {
	for _, body := range []string{`{"level":"debug"}`, `{"level":"debug","logger":"db","for":"10m"}`, "level=debug&for=1h", `{"reset":true}`, "{", "%"} {
		f.Add("PUT", "", "application/json", body)
		f.Add("PUT", "logger=db", form, body)
	}
	f.Add("GET", "", "", "")
	f.Fuzz(func(t *testing.T, method, query, kind, body string) {
		levels := zapkafka.NewLevels(zap.WarnLevel)
		defer func() { _ = levels.Set("warn", "") }() // ends timers
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header["Content-Type"] = []string{kind}
		w := httptest.NewRecorder()
		levelhttp.Handler(levels).ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK:
			var s levelhttp.State
			if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || s.Level != levels.For("").String() {
				t.Errorf("answer %q: %v", w.Body, err)
			}
		case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
			var e levelhttp.Error
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == "" {
				t.Errorf("answer %q: %v", w.Body, err)
			}
			if levels.String() != "warn" {
				t.Errorf("refused with %d, and the levels are %s", w.Code, levels)
			}
		default:
			t.Errorf("status %d", w.Code)
		}
	})
}
