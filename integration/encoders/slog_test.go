package encoders

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

type secret string

func (secret) LogValue() slog.Value { return slog.StringValue("***") }

// A program that logs with log/slog: its attributes, groups and levels come through
// the bridge of zap's exp module and our core as it means them.
func TestSlog(t *testing.T) {
	for _, enc := range All() {
		t.Run(enc.Name, func(t *testing.T) {
			t.Parallel()
			core := func(s *zapkafka.KafkaSyncer) zapcore.Core { return enc.Core(s, zap.InfoLevel, nil) }
			records := arrived(t, core, func(c zapcore.Core) {
				// The key, like any other field of the record, is given to the core: an
				// attribute can't carry it.
				keyed := c.With([]zapcore.Field{zapkafka.Key("t-7"), zapkafka.RecordHeader("env", "prod")})
				logger := slog.New(zapslog.NewHandler(keyed, zapslog.WithName("shop"), zapslog.WithCaller(true)))
				logger.Debug("below the level")
				logger.With("tenant", "t-7").WithGroup("order").With("number", "4711").
					Info("placed", "items", 3, "took", 1500*time.Millisecond, slog.Group("card", "number", secret("4000"), "valid", true))
				logger.Warn("slow", "error", errors.New("no route"))
				logger.Log(context.Background(), slog.LevelError+4, "failed")
				at := slog.NewRecord(moment, slog.LevelInfo, "at a time of its own", 0)
				if err := logger.Handler().Handle(context.Background(), at); err != nil {
					t.Error(err)
				}
			})
			if len(records) != 4 {
				t.Fatalf("%d records, want 4: none of Debug", len(records))
			}
			entries := make([]map[string]any, len(records))
			for i, r := range records {
				entries[i] = parse(t, r)
				if string(r.Key) != "t-7" || headers(r)["env"] != "prod" {
					t.Errorf("the key is %q and the headers are %v, want t-7 and env=prod", r.Key, r.Headers)
				}
			}

			placed := entries[0]
			order, _ := placed["order"].(map[string]any)
			if order == nil || placed["tenant"] != "t-7" || order["number"] != "4711" || order["items"] != 3.0 ||
				!reflect.DeepEqual(order["card"], map[string]any{"number": "***", "valid": true}) {
				t.Errorf("attributes and groups: %v", placed)
			}
			var levels []string
			for _, e := range entries {
				level, _ := e[enc.Level].(string)
				levels = append(levels, strings.ToLower(level))
			}
			if want := []string{"info", "warn", "error", "info"}; !reflect.DeepEqual(levels, want) {
				t.Errorf("the levels are %q, want %q", levels, want)
			}
			if stack := stackOf(entries[2]); !strings.Contains(stack, "TestSlog") {
				t.Errorf("the stack %q does not name the test", stack)
			}
			if !records[3].Timestamp.Equal(moment.Truncate(time.Millisecond)) {
				t.Errorf("the record's time is %v, want %v", records[3].Timestamp, moment)
			}
		})
	}
}

// A field that the core makes the key of may be an attribute: one of the call, of
// With, and behind a handler whose core puts errors into objects of their own.
func TestSlogKeyByAttribute(t *testing.T) {
	for _, enc := range All() {
		t.Run(enc.Name, func(t *testing.T) {
			t.Parallel()
			core := func(s *zapkafka.KafkaSyncer) zapcore.Core {
				return enc.Core(s, zap.InfoLevel, &zapkafka.CoreOptions{Key: zapkafka.ByField("trace_id")})
			}
			records := arrived(t, core, func(c zapcore.Core) {
				logger := slog.New(zapslog.NewHandler(c))
				logger.Info("of the call", "trace_id", "a1")
				logger.With("trace_id", "b2").WithGroup("order").Info("of With", "items", 3)
				logger.Info("none")
			})
			var keys []string
			for _, r := range records {
				keys = append(keys, string(r.Key))
			}
			if want := []string{"a1", "b2", ""}; !reflect.DeepEqual(keys, want) {
				t.Errorf("the keys are %q, want %q", keys, want)
			}
		})
	}
}

func stackOf(e map[string]any) string {
	for _, key := range []string{"stacktrace", "log.origin.stack_trace", "stack_trace"} {
		if stack, ok := e[key].(string); ok {
			return stack
		}
	}
	return ""
}

// With a Logger's core the levels of a program go for slog too, by the handler's
// name, and while it runs.
func TestSlogFollowsLevels(t *testing.T) {
	core := func(s *zapkafka.KafkaSyncer) zapcore.Core { return All()[0].Core(s, zap.DebugLevel, nil) }
	records := arrived(t, core, func(c zapcore.Core) {
		logger := zapkafka.NewWithCore(c, zap.WarnLevel)
		handler := zapslog.NewHandler(logger.Core(), zapslog.WithName("db"))
		slog.New(handler).Info("below")
		if slog.New(handler).Enabled(context.Background(), slog.LevelInfo) {
			t.Error("Info is enabled while the level is warn")
		}
		if err := logger.Levels().SetNamedLevelFor("db", zap.DebugLevel, time.Hour); err != nil {
			t.Error(err)
		}
		slog.New(handler).Debug("above")
		slog.New(zapslog.NewHandler(logger.Core(), zapslog.WithName("http"))).Info("below")
		if err := logger.Levels().ResetLevel("db"); err != nil {
			t.Error(err)
		}
	})
	var found []any
	for _, r := range records {
		if e := parse(t, r); e["logger"] == "db" || e["logger"] == "http" {
			found = append(found, e["msg"])
		}
	}
	if !reflect.DeepEqual(found, []any{"above"}) {
		t.Errorf("found %q, want above alone", found)
	}
}
