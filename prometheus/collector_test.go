package zapkafkaprom

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producertest"
)

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// newSink returns a syncer with a fallback, both of which end with the test.
func newSink(t *testing.T, p zapkafka.Producer, o *zapkafka.Options) (*zapkafka.KafkaSyncer, *zapkafka.Fallback) {
	t.Helper()
	f, err := zapkafka.OpenFallback(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if o == nil {
		o = &zapkafka.Options{}
	}
	o.ErrorHandler = func(error) {}
	o.CloseTimeout = time.Second
	s, err := zapkafka.NewKafkaSyncer(p, "app-logs", f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		_ = f.Close()
	})
	return s, f
}

func mustCollect(t *testing.T, sinks ...Sink) *Collector {
	t.Helper()
	c, err := NewCollector(sinks...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// gather returns the value of each series, such as name{a="b",sink="s"}, and for a
// histogram those of _count, _sum and _bucket.
func gather(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			in := "{" + strings.Join(labels, ",") + "}"
			switch {
			case m.Histogram != nil:
				values[f.GetName()+"_count"+in] = float64(m.Histogram.GetSampleCount())
				values[f.GetName()+"_sum"+in] = m.Histogram.GetSampleSum()
				for _, b := range m.Histogram.GetBucket() {
					values[fmt.Sprintf("%s_bucket{le=%q}%s", f.GetName(), fmt.Sprint(b.GetUpperBound()), in)] = float64(b.GetCumulativeCount())
				}
			case m.Counter != nil:
				values[f.GetName()+in] = m.Counter.GetValue()
			default:
				values[f.GetName()+in] = m.Gauge.GetValue()
			}
		}
	}
	return values
}

// sum adds the series up whose names begin like this.
func sum(values map[string]float64, prefix string) float64 {
	total := 0.0
	for name, v := range values {
		if strings.HasPrefix(name, prefix) {
			total += v
		}
	}
	return total
}

// The numbers of two sinks that work, side by side, in balance.
func TestCollector(t *testing.T) {
	t.Parallel()
	good, goodFile := newSink(t, producertest.NewProducer(), nil)
	refusing := producertest.NewProducer()
	refusing.Fail(errors.New("no"))
	bad, badFile := newSink(t, refusing, &zapkafka.Options{Replay: zapkafka.ReplayOptions{Rate: -1}})
	c := mustCollect(t, Sink{"good", good, goodFile}, Sink{"bad", bad, badFile})
	for _, s := range []*zapkafka.KafkaSyncer{good, bad} {
		for i := 0; i < 10; i++ {
			if _, err := s.Write([]byte("ten bytes\n")); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	v := gather(t, c)
	for name, want := range map[string]float64{
		`zapkafka_entries_total{level="unknown",outcome="acked",sink="good"}`:    10,
		`zapkafka_entries_total{level="unknown",outcome="fell_back",sink="bad"}`: 10,
		`zapkafka_entries_total{level="error",outcome="lost",sink="bad"}`:        0, // there from the beginning
		`zapkafka_fell_back_entries_total{reason="delivery_failed",sink="bad"}`:  10,
		`zapkafka_fell_back_entries_total{reason="delivery_failed",sink="good"}`: 0,
		`zapkafka_accepted_bytes_total{sink="good"}`:                             100,
		`zapkafka_acked_bytes_total{sink="good"}`:                                100,
		`zapkafka_fell_back_bytes_total{sink="bad"}`:                             100,
		`zapkafka_pending_entries{sink="good"}`:                                  0,
		`zapkafka_buffer_limit_bytes{sink="good"}`:                               64 << 20,
		`zapkafka_state{sink="good",state="healthy"}`:                            1,
		`zapkafka_state{sink="good",state="fallback_only"}`:                      0,
		`zapkafka_delivery_latency_seconds_count{sink="good"}`:                   10,
		`zapkafka_batch_entries_sum{sink="good"}`:                                10,
		`zapkafka_fallback_entries{sink="bad"}`:                                  10,
		`zapkafka_fallback_entries{sink="good"}`:                                 0,
		`zapkafka_fallback_stored_entries_total{sink="bad"}`:                     10,
		`zapkafka_fallback_limit_bytes{sink="bad"}`:                              zapkafka.DefaultFallbackBytes,
		`zapkafka_last_delivery_timestamp_seconds{sink="bad"}`:                   0,
		`zapkafka_possibly_duplicate_entries_total{sink="bad"}`:                  10,
		`zapkafka_lost_entries_total{reason="fallback_full",sink="bad"}`:         0,
		`zapkafka_oldest_pending_age_seconds{sink="good"}`:                       0,
		`zapkafka_accepted_entries_total{level="unknown",sink="good"}`:           10,
		`zapkafka_fallback_rejected_entries_total{sink="bad"}`:                   0,
		`zapkafka_late_reports_total{report="acked",sink="good"}`:                0,
	} {
		if got, there := v[name]; !there || got != want {
			t.Errorf("%s is %v (there: %v), want %v", name, got, there, want)
		}
	}
	if n := v[`zapkafka_last_delivery_timestamp_seconds{sink="good"}`]; time.Since(time.UnixMilli(int64(n*1000))) > time.Minute {
		t.Errorf("the last delivery is of %v", n)
	}
	if a, b := sum(v, "zapkafka_accepted_entries_total"), sum(v, "zapkafka_entries_total")+sum(v, "zapkafka_pending_entries"); a != 20 || b != 20 {
		t.Errorf("accepted %v, with an outcome or pending %v", a, b)
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	s, f := newSink(t, producertest.NewProducer(), nil)
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(mustCollect(t, Sink{"app-logs", s, f}))
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What waits has an age, and what is in flight is told.
func TestCollectorWhileKafkaIsMute(t *testing.T) {
	t.Parallel()
	p := producertest.NewProducer()
	p.Hold()
	s, _ := newSink(t, p, nil)
	defer p.Release()
	c := mustCollect(t, Sink{Name: "app-logs", Syncer: s})
	if _, err := s.Write([]byte("waits\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an entry in flight that has an age", func() bool {
		v := gather(t, c)
		return v[`zapkafka_in_flight_entries{sink="app-logs"}`] == 1 && v[`zapkafka_in_flight_bytes{sink="app-logs"}`] > 0 &&
			v[`zapkafka_oldest_pending_age_seconds{sink="app-logs"}`] > 0
	})
}

func TestRegisterTwice(t *testing.T) {
	t.Parallel()
	s, f := newSink(t, producertest.NewProducer(), nil)
	other, _ := newSink(t, producertest.NewProducer(), nil)
	r := prometheus.NewRegistry()
	c := mustCollect(t, Sink{"app-logs", s, f})
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	var already prometheus.AlreadyRegisteredError
	if err := r.Register(mustCollect(t, Sink{"app-logs", other, f})); !errors.As(err, &already) || already.ExistingCollector != prometheus.Collector(c) {
		t.Errorf("a second collector for the name: %v", err)
	}
	if err := r.Register(mustCollect(t, Sink{Name: "app-logs", Syncer: other})); err == nil || !strings.Contains(err.Error(), `sink="app-logs"`) {
		t.Errorf("a second collector for the name, without a fallback: %v", err)
	}
	if err := r.Register(mustCollect(t, Sink{Name: "audit", Syncer: other})); err != nil {
		t.Errorf("another name: %v", err)
	}
	if !r.Unregister(c) {
		t.Error("Unregister found nothing")
	}
	if err := r.Register(mustCollect(t, Sink{Name: "app-logs", Syncer: s})); err != nil {
		t.Errorf("after Unregister: %v", err)
	}
	if _, err := r.Gather(); err != nil {
		t.Error(err)
	}
}

func TestNewCollectorRefuses(t *testing.T) {
	t.Parallel()
	s, f := newSink(t, producertest.NewProducer(), nil)
	for want, sinks := range map[string][]Sink{
		`no sinks`:                       nil,
		`sink 0 has no name`:             {{Syncer: s}},
		`is not UTF-8`:                   {{Name: "\xff", Syncer: s}},
		`sink "a" has neither`:           {{Name: "a"}},
		`two sinks have the name "a"`:    {{Name: "a", Syncer: s}, {Name: "a", Fallback: f}},
		`Syncer of sink "b" is also`:     {{Name: "a", Syncer: s}, {Name: "b", Syncer: s}},
		`Fallback of sink "b" is also`:   {{Name: "a", Fallback: f}, {Name: "b", Fallback: f}},
		`sink 1 has no name: give each`:  {{Name: "a"}, {Syncer: s}}, // all that is wrong
		`that of sink "a": it would be`:  {{Name: "a", Syncer: s, Fallback: f}, {Name: "b", Fallback: f}},
		`zapkafka: prometheus: sink "a"`: {{Name: "a"}},
	} {
		if c, err := NewCollector(sinks...); err == nil || c != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", sinks, err, want)
		}
	}
}

// A collector works while its sink is shut down, and after it.
func TestCollectDuringAndAfterShutdown(t *testing.T) {
	t.Parallel()
	s, f := newSink(t, producertest.NewProducer(), nil)
	c := mustCollect(t, Sink{"app-logs", s, f})
	if _, err := s.Write([]byte("one\n")); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(s.Close(), f.Close()) }()
	for running := true; running; {
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
			running = false
		default:
		}
		if n := testutil.CollectAndCount(c); n == 0 {
			t.Error("nothing collected")
		}
	}
	if n := sum(gather(t, c), "zapkafka_entries_total"); n != 1 {
		t.Errorf("%v entries with an outcome, want 1", n)
	}
}

// A fallback whose disk hangs inside a write does not hold up a Collect: the numbers
// of both come from memory.
func TestCollectDoesNotWaitForTheFallback(t *testing.T) {
	t.Parallel()
	p := producertest.NewProducer()
	p.Fail(errors.New("no"))
	inside, release := make(chan struct{}), make(chan struct{})
	s, err := zapkafka.NewKafkaSyncer(p, "app-logs", zapcore.AddSync(writerFunc(func(b []byte) (int, error) {
		close(inside)
		<-release
		return len(b), nil
	})), &zapkafka.Options{ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		close(release)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.Write([]byte("one\n")); err != nil {
		t.Fatal(err)
	}
	<-inside
	if v := gather(t, mustCollect(t, Sink{Name: "app-logs", Syncer: s})); v[`zapkafka_pending_entries{sink="app-logs"}`] != 1 {
		t.Errorf("%v", v)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Every number of both sheets is exported: each gets a value of its own here, which
// some series has.
func TestEveryFieldIsExported(t *testing.T) {
	t.Parallel()
	next := uint64(0)
	var stats zapkafka.Stats
	var fallback zapkafka.FallbackStats
	want := map[float64]string{}
	var fill func(name string, v reflect.Value)
	fill = func(name string, v reflect.Value) {
		next += 1000
		switch v.Kind() {
		case reflect.Uint64:
			v.SetUint(next)
		case reflect.Int64, reflect.Int:
			if v.Type() == reflect.TypeOf(zapkafka.State(0)) {
				v.SetInt(int64(zapkafka.FallbackOnly)) // see TestCollector
				return
			}
			v.SetInt(int64(next))
		case reflect.Float64:
			v.SetFloat(float64(next))
		case reflect.Array:
			for i := 0; i < v.Len(); i++ {
				fill(fmt.Sprintf("%s[%d]", name, i), v.Index(i))
			}
			return
		case reflect.Struct:
			if v.Type() == reflect.TypeOf(time.Time{}) {
				v.Set(reflect.ValueOf(time.Unix(int64(next), 0)))
				break
			}
			for i := 0; i < v.NumField(); i++ {
				fill(name+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		default:
			t.Fatalf("%s is a %v: teach the test what to do with it", name, v.Kind())
		}
		if !strings.HasSuffix(name, ".UpTo") { // the others are found by these
			want[float64(next)] = name
		}
	}
	fill("Stats", reflect.ValueOf(&stats).Elem())
	fill("FallbackStats", reflect.ValueOf(&fallback).Elem())
	// Entries are exported by level, which adds up to these, and ages, of which now is
	// the other half.
	for v, name := range want {
		if name == "Stats.Accepted" || name == "Stats.Acked" || name == "Stats.Shed" {
			delete(want, v)
		}
	}
	now := time.Unix(0, 0)
	c := &Collector{
		syncers:   []source[syncerSnapshot]{newSource("s", syncerMetrics, func() syncerSnapshot { return syncerSnapshot{stats, now} })},
		fallbacks: []source[fallbackSnapshot]{newSource("s", fallbackMetrics, func() fallbackSnapshot { return fallbackSnapshot{fallback, now} })},
	}
	now = time.Unix(10_000_000, 0)
	for _, v := range gather(t, c) {
		delete(want, v)
		delete(want, 10_000_000-v)
	}
	for _, name := range want {
		t.Errorf("no metric has %s", name)
	}
}
