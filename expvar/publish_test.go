package expvar_test

import (
	"encoding/json"
	stdexpvar "expvar"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/expvar"
	"github.com/zapkafka/zapkafka/producertest"
)

// published makes the names of a test's variables its own: they cannot be taken back,
// and the test may run more than once.
var published atomic.Int32

func newName(t *testing.T) string { return fmt.Sprint(t.Name(), published.Add(1)) }

func newSyncer(t *testing.T, fallback zapcore.WriteSyncer) *zapkafka.KafkaSyncer {
	t.Helper()
	s, err := zapkafka.NewKafkaSyncer(producertest.NewProducer(), "app-logs", fallback, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// What /debug/vars has is valid JSON with the fields of both sheets.
func TestPublish(t *testing.T) {
	t.Parallel()
	f, err := zapkafka.OpenFallback(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := newSyncer(t, f)
	name, fallbackName := newName(t), newName(t)
	if err := expvar.Publish(name, s); err != nil {
		t.Fatal(err)
	}
	if err := expvar.PublishFallback(fallbackName, f); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("one\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	stdexpvar.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/vars", http.NoBody))
	var vars map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &vars); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	var got struct {
		Accepted, Acked uint64
		State           string
		FellBack        zapkafka.FellBack
		Levels          map[string]zapkafka.LevelCounts
		DeliveryLatency zapkafka.Histogram
	}
	if err := json.Unmarshal(vars[name], &got); err != nil {
		t.Fatal(err)
	}
	unknown := zapkafka.LevelCounts{Accepted: 1, Acked: 1}
	if got.Accepted != 1 || got.Acked != 1 || got.State != "healthy" || len(got.Levels) != 1 || got.Levels["unknown"] != unknown || got.DeliveryLatency.Count != 1 {
		t.Errorf("%s", vars[name])
	}
	var fallback zapkafka.FallbackStats
	if err := json.Unmarshal(vars[fallbackName], &fallback); err != nil {
		t.Fatal(err)
	}
	if fallback != f.Stats() {
		t.Errorf("%+v, want %+v", fallback, f.Stats())
	}
}

// A name that is taken, by us or by others, is an error and no panic.
func TestPublishTwice(t *testing.T) {
	t.Parallel()
	s := newSyncer(t, zapcore.AddSync(io.Discard))
	others := newName(t)
	stdexpvar.NewInt(others).Set(7)
	if err := expvar.Publish(others, s); err == nil || !strings.Contains(err.Error(), strconv.Quote(others)) {
		t.Errorf("the name of somebody else's variable: %v", err)
	}
	if v := stdexpvar.Get(others).String(); v != "7" {
		t.Errorf("that variable is %s now", v)
	}
	for round := 0; round < 50; round++ {
		name := newName(t)
		var ok atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := 0; i < 4; i++ {
			wg.Add(1)
			go func(name string) {
				defer wg.Done()
				<-start
				if expvar.Publish(name, s) == nil {
					ok.Add(1)
				}
			}(name)
		}
		close(start)
		wg.Wait()
		if ok.Load() != 1 {
			t.Fatalf("%d of 4 have published the same name, want 1", ok.Load())
		}
	}
}

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"name is empty":      expvar.Publish("", newSyncer(t, zapcore.AddSync(io.Discard))),
		"syncer is nil":      expvar.Publish(t.Name(), nil),
		"fallback is nil":    expvar.PublishFallback(t.Name(), nil),
		"zapkafka: expvar: ": expvar.Publish(t.Name(), nil),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if stdexpvar.Get(t.Name()) != nil {
		t.Error("there is a variable all the same")
	}
}
