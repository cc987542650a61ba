package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/levelhttp"
)

func serveLevels(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL + "/log/level?key=sesame"
}

func TestLevel(t *testing.T) {
	levels := zapkafka.New(io.Discard, zap.InfoLevel).Levels()
	t.Setenv("ZAPKAFKA_LEVEL_URL", serveLevels(t, levelhttp.Handler(levels)))

	want(t, exitWell, []string{"level", "get"}, "(all)  info")
	want(t, exitWell, []string{"level", "set", "db=debug", "--for", "10m"}, "(all)  info", "db     debug  until ", ", then inherited")
	if all := levels.All(); len(all) != 2 || all[1].Name != "db" || time.Until(all[1].Until) < 9*time.Minute {
		t.Errorf("levels %+v", all)
	}
	want(t, exitWell, []string{"level", "set", "warn", "http=error,db.pool=info"}, "(all)    warn", "db.pool  info", "http     error")
	if got := levels.String(); got != "warn,db=debug,db.pool=info,http=error" {
		t.Errorf("levels %s", got)
	}
	out, _ := want(t, exitWell, []string{"level", "reset", "db", "http", "--all", "--json"})
	var state levelhttp.State
	if err := json.Unmarshal([]byte(out), &state); err != nil || state.Level != "info" || len(state.Loggers) != 1 {
		t.Errorf("%v in %s", err, out)
	}
	if got := levels.String(); got != "info,db.pool=info" {
		t.Errorf("levels %s", got)
	}
}

func TestLevelIsRefused(t *testing.T) {
	levels := zapkafka.NewLevels(zap.InfoLevel)
	url := serveLevels(t, levelhttp.Handler(levels))
	for _, test := range []struct {
		code int
		args []string
		say  string
	}{
		{exitUsage, []string{"get"}, "--url"},
		{exitUsage, []string{"get", "--url", "localhost:8080"}, "it looks like http://"},
		{exitUsage, []string{"get", "--url", "http://me:secret@localhost/"}, "ZAPKAFKA_LEVEL_TOKEN"},
		{exitUsage, []string{"get", "--url", url, "--timeout=-1s"}, "above 0"},
		{exitUsage, []string{"set", "--url", url}, "level set --help"},
		{exitUsage, []string{"set", "loud", "--url", url}, `"loud" is not a level`},
		{exitUsage, []string{"set", "db=", "--url", url}, `"" is not a level`},
		{exitUsage, []string{"set", "=debug", "--url", url}, "no name before"},
		{exitUsage, []string{"set", "debug", "--for=-1m", "--url", url}, "above 0"},
		{exitUsage, []string{"reset", "--url", url}, "--all"},
		{exitUsage, []string{"reset", "", "--url", url}, "a name is empty"},
		{exitNot, []string{"set", "a..b=debug", "--url", url}, "refused: logger name"},
		{exitNot, []string{"set", "db=debug", "a..b=debug", "--url", url}, "the 1 before it were made"},
		{exitNot, []string{"get", "--url", "http://127.0.0.1:1/?token=secret"}, "http://127.0.0.1:1/"},
		{exitNot, []string{"set", "db=debug", "--url", serveLevels(t, zap.NewAtomicLevel())}, "not a levelhttp handler: nothing was changed"},
		{exitNot, []string{"get", "--url", serveLevels(t, http.NotFoundHandler())}, "404"},
		{exitNot, []string{"get", "--url", serveLevels(t, http.RedirectHandler("/elsewhere", http.StatusFound))}, "use that address"},
		{exitNot, []string{"get", "--url", serveLevels(t, says("<html>"))}, "is it the address"},
		{exitNot, []string{"get", "--url", serveLevels(t, says(`{"status":"up"}`))}, "is it the address"},
		{exitNot, []string{"get", "--url", serveLevels(t, hangs(t)), "--timeout", "50ms"}, "within 50ms"},
	} {
		out, errs := want(t, test.code, append([]string{"level"}, test.args...), test.say)
		if text := out + errs; strings.Contains(text, "secret") || strings.Contains(text, "sesame") || strings.Contains(text, "\x1b") {
			t.Errorf("level %q says %q", test.args, text)
		}
	}
	if got := levels.String(); got != "info,db=debug" {
		t.Errorf("levels %s", got)
	}
	// zap's own handler can be asked.
	want(t, exitWell, []string{"level", "get", "--url", serveLevels(t, zap.NewAtomicLevelAt(zap.WarnLevel))}, "(all)  warn")
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// hangs does not answer before the test ends.
func hangs(t *testing.T) http.Handler {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
}

func TestLevelToken(t *testing.T) {
	levels := zapkafka.NewLevels(zap.InfoLevel)
	h := levelhttp.Handler(levels)
	url := serveLevels(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	want(t, exitNot, []string{"level", "set", "debug", "--url", url}, "401", levelToken)
	t.Setenv(levelToken, "s3cret")
	want(t, exitWell, []string{"level", "set", "debug", "--url", url}, "(all)  debug")
}
