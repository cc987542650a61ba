package encoders

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/harness"
)

// moment is when everything is logged: a clock whose zone is not UTC.
var moment = time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 5*3600+1800))

type clock struct{}

func (clock) Now() time.Time                         { return moment }
func (clock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// arrived logs through a sink on a broker in this process, and returns the records
// in the order of their calls.
func arrived(t *testing.T, core func(*zapkafka.KafkaSyncer) zapcore.Core, log func(zapcore.Core)) []*kgo.Record {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "logs", "audit"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	k := harness.With(cluster.ListenAddrs())
	s := k.Open(t, "logs", zapkafka.Options{IDHeader: true})
	log(core(s.Syncer))
	s.Finish(t)
	if st := s.Syncer.Stats(); st.Acked != st.Accepted {
		t.Fatalf("%d of %d entries were acknowledged:\n%s", st.Acked, st.Accepted, s.Errors)
	}
	var records []*kgo.Record
	for _, topic := range []string{"logs", "audit"} {
		if cluster.PartitionInfos(topic)[0].HighWatermark > 0 {
			k.ReadRecords(t, topic, func(r *kgo.Record) { records = append(records, r) })
		}
	}
	return records
}

// parse reads the record as a consumer does: one object, on one line, and no key
// twice, of which every consumer would take another one.
func parse(t *testing.T, r *kgo.Record) map[string]any {
	t.Helper()
	if bytes.ContainsAny(r.Value, "\n\r") {
		t.Errorf("a newline in %q", r.Value)
	}
	e := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(r.Value))
	next := func() json.Token {
		token, err := decoder.Token()
		if err != nil {
			t.Fatalf("not one JSON object: %v in %q", err, r.Value)
		}
		return token
	}
	for next(); decoder.More(); {
		key, _ := next().(string)
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatalf("%s: %v in %q", key, err, r.Value)
		}
		if _, ok := e[key]; ok {
			t.Errorf("the key %q is there twice in %s", key, r.Value)
		}
		e[key] = value
	}
	next()
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("more than one JSON object in %q", r.Value)
	}
	return e
}

type order struct{ number string }

func (o order) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("number", o.number)
	return nil
}

const awkward = "a line\nand a \"second\"\twith \\ ü 漢字 \u2028 and \xff"

func TestEntriesArriveAsTheyAreExpected(t *testing.T) {
	// Keys that every entry has, beside time, message and level, and what is
	// different from encoder to encoder.
	type shape struct {
		name, caller, stack string
		level               map[zapcore.Level]string
		always              map[string]any
		time                string
		took                float64
		failure             any
	}
	lower := map[zapcore.Level]string{zap.DebugLevel: "debug", zap.InfoLevel: "info", zap.WarnLevel: "warn", zap.ErrorLevel: "error"}
	upper := map[zapcore.Level]string{zap.DebugLevel: "DEBUG", zap.InfoLevel: "INFO", zap.WarnLevel: "WARN", zap.ErrorLevel: "ERROR"}
	shapes := map[string]shape{
		"zap": {"logger", "caller", "stacktrace", lower, nil,
			"2026-01-02T03:04:05.678+05:30", 1.5, "no route"},
		// ECS has nanoseconds, and an object for errors.
		"ecs": {"log.logger", "log.origin", "log.origin.stack_trace", lower, map[string]any{"ecs.version": "1.6.0"},
			"2026-01-02T03:04:05.678+0530", 1.5e9, map[string]any{"message": "no route"}},
		"logstash": {"logger_name", "caller", "stack_trace", upper, map[string]any{"@version": "1"},
			"2026-01-02T03:04:05.678+05:30", 1.5, "no route"},
	}
	for _, enc := range All() {
		t.Run(enc.Name, func(t *testing.T) {
			t.Parallel()
			want, levels := shapes[enc.Name], []zapcore.Level{zap.DebugLevel, zap.InfoLevel, zap.WarnLevel, zap.ErrorLevel}
			core := func(s *zapkafka.KafkaSyncer) zapcore.Core { return enc.Core(s, zap.DebugLevel, nil) }
			records := arrived(t, core, func(c zapcore.Core) {
				logger := zap.New(c, zap.WithClock(clock{}), zap.AddCaller(), zap.AddStacktrace(zap.ErrorLevel))
				for _, level := range levels {
					logger.Log(level, "plain")
				}
				logger.Named("db").Named("pool").With(zap.String("tenant", "t-7"), zapkafka.Key("t-7")).Info(awkward,
					zap.Duration("took", 1500*time.Millisecond), zap.Error(errors.New("no route")), zap.Object("order", order{"4711"}),
					zap.Strings("tags", []string{"a", awkward}), zap.Float64("nan", math.NaN()), zap.Int64("large", math.MaxInt64),
					zapkafka.RecordHeader("env", "prod"), zap.Namespace("inner"), zap.Time("due", moment))
				logger.Info("elsewhere", zapkafka.Topic("audit"))
			})
			if len(records) != len(levels)+2 {
				t.Fatalf("%d records, want %d", len(records), len(levels)+2)
			}

			for i, r := range records {
				e := parse(t, r)
				if e[enc.Time] != want.time {
					t.Errorf("%s is %v, want %s", enc.Time, e[enc.Time], want.time)
				}
				if !r.Timestamp.Equal(moment.Truncate(time.Millisecond)) {
					t.Errorf("the record's time is %v, want %v", r.Timestamp, moment)
				}
				if len(headers(r)["id"]) == 0 {
					t.Errorf("no id in the headers %v", r.Headers)
				}
				// ecszap adds its version as the last field, so that it is inside of a
				// namespace that the entry has opened.
				inner, _ := e["inner"].(map[string]any)
				for key, value := range want.always {
					if e[key] != value && inner[key] != value {
						t.Errorf("%s is %v, want %v", key, e[key], value)
					}
				}
				if i >= len(levels) {
					continue
				}
				if e[enc.Message] != "plain" || e[enc.Level] != want.level[levels[i]] {
					t.Errorf("message and level are %v and %v, want plain and %v", e[enc.Message], e[enc.Level], want.level[levels[i]])
				}
				keys := append(slices.Collect(maps.Keys(want.always)), enc.Time, enc.Message, enc.Level, want.caller)
				if levels[i] == zap.ErrorLevel {
					keys = append(keys, want.stack)
					if stack, _ := e[want.stack].(string); !strings.Contains(stack, "TestEntriesArrive") {
						t.Errorf("the stack %q does not name the test", stack)
					}
				}
				if got := slices.Sorted(maps.Keys(e)); !slices.Equal(got, slices.Sorted(slices.Values(keys))) {
					t.Errorf("the keys of an entry at %v are %q, want %q", levels[i], got, keys)
				}
			}

			rich := parse(t, records[len(levels)])
			readable := strings.Replace(awkward, "\xff", "\ufffd", 1) // JSON has no invalid UTF-8
			for key, value := range map[string]any{
				enc.Message: readable, want.name: "db.pool", "tenant": "t-7", "took": want.took, "error": want.failure,
				"order": map[string]any{"number": "4711"}, "tags": []any{"a", readable}, "nan": "NaN", "large": float64(math.MaxInt64),
			} {
				if !reflect.DeepEqual(rich[key], value) {
					t.Errorf("%s is %#v, want %#v", key, rich[key], value)
				}
			}
			// What a namespace takes in must not take in what follows the fields.
			inner, _ := rich["inner"].(map[string]any)
			if due, _ := inner["due"].(string); due != want.time {
				t.Errorf("inner.due is %q, want %s", due, want.time)
			}
			if r := records[len(levels)]; string(r.Key) != "t-7" || headers(r)["env"] != "prod" {
				t.Errorf("the key is %q and the headers are %v, want t-7 and env=prod", r.Key, r.Headers)
			}
			if r := records[len(levels)+1]; r.Topic != "audit" {
				t.Errorf("%s is in %s, want audit", r.Value, r.Topic)
			}
		})
	}
}

func headers(r *kgo.Record) map[string]string {
	all := map[string]string{}
	for _, h := range r.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}
