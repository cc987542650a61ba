package healthhttp_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/healthhttp"
	"github.com/zapkafka/zapkafka/producertest"
)

func newSyncer(t *testing.T, p zapkafka.Producer, o zapkafka.Options) *zapkafka.KafkaSyncer {
	t.Helper()
	o.ErrorHandler = func(error) {}
	o.CloseTimeout = time.Second
	s, err := zapkafka.NewKafkaSyncer(p, "app-logs", zapcore.AddSync(io.Discard), &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func ask(h http.Handler, method string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/ready", http.NoBody))
	return w
}

func health(t *testing.T, w *httptest.ResponseRecorder) healthhttp.Health {
	t.Helper()
	var h healthhttp.Health
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return h
}

func TestHandlerOfAHealthySyncer(t *testing.T) {
	t.Parallel()
	begin := time.Now().Add(-time.Second) // the body has whole seconds
	s := newSyncer(t, producertest.NewProducer(), zapkafka.Options{})
	h := healthhttp.Handler(s, &healthhttp.Options{Strict: true})
	if got := health(t, ask(h, http.MethodGet)); got.LastDelivery != "" {
		t.Errorf("%+v, want no delivery yet", got)
	}
	if _, err := s.Write([]byte("one\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	w := ask(h, http.MethodGet)
	got := health(t, w)
	for _, text := range []*string{&got.Since, &got.LastDelivery} {
		if at, err := time.Parse(time.RFC3339, *text); err != nil || at.Before(begin) || at.After(time.Now()) {
			t.Errorf("a time is %q: %v", *text, err)
		}
		*text = ""
	}
	if want := (healthhttp.Health{State: "healthy", Accepted: 1, Acked: 1}); w.Code != http.StatusOK || got != want {
		t.Errorf("%d %+v, want 200 %+v", w.Code, got, want)
	}
	if w.Header().Get("Content-Type") != "application/json; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", w.Header())
	}
}

// In an outage a probe goes on succeeding, unless it is to be strict.
func TestHandlerInAnOutage(t *testing.T) {
	t.Parallel()
	p := producertest.NewProducer()
	p.Hold()
	s := newSyncer(t, p, zapkafka.Options{OutageAfter: 20 * time.Millisecond})
	if _, err := s.Write([]byte("one\n")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; <-time.After(time.Millisecond) {
		if state, _ := s.State(); state == zapkafka.FallbackOnly {
			break
		}
		if time.Now().After(end) {
			t.Fatal("waited in vain for the outage")
		}
	}
	for name, row := range map[string]struct {
		options *healthhttp.Options
		status  int
	}{
		"default": {nil, http.StatusOK},
		"zero":    {&healthhttp.Options{}, http.StatusOK},
		"strict":  {&healthhttp.Options{Strict: true}, http.StatusServiceUnavailable},
	} {
		h := healthhttp.Handler(s, row.options)
		w := ask(h, http.MethodGet)
		if got := health(t, w); w.Code != row.status || got.State != "fallback only" || got.Pending != 1 {
			t.Errorf("%s: %d %+v, want %d, fallback only, 1 pending", name, w.Code, got, row.status)
		}
		if w = ask(h, http.MethodHead); w.Code != row.status || w.Body.Len() != 0 {
			t.Errorf("%s: HEAD gives %d and %q", name, w.Code, w.Body)
		}
	}
	p.Release()
	h := healthhttp.Handler(s, &healthhttp.Options{Strict: true})
	if w := ask(h, http.MethodGet); w.Code != http.StatusOK {
		t.Errorf("%d after the acknowledgement, want 200: %s", w.Code, w.Body)
	}
}

func TestHandlerRefusesOtherMethods(t *testing.T) {
	t.Parallel()
	h := healthhttp.Handler(newSyncer(t, producertest.NewProducer(), zapkafka.Options{}), nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := ask(h, method)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %d %v %s", method, w.Code, w.Header(), w.Body)
		}
	}
}

func TestHandlerOfNothingPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	healthhttp.Handler(nil, nil)
}
