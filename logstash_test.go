package zapkafka

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestLogstashEncoderConfig(t *testing.T) {
	enc := zapcore.NewJSONEncoder(NewLogstashEncoderConfig())
	enc.AddString("@version", "1")
	e := zapcore.Entry{
		Level: zapcore.WarnLevel, LoggerName: "db.pool", Message: "slow", Stack: "main.main()",
		Time:   time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.FixedZone("", 3600)),
		Caller: zapcore.EntryCaller{Defined: true, File: "/src/db/pool.go", Line: 42},
	}
	line, err := enc.EncodeEntry(e, []zapcore.Field{zap.Namespace("sql"), zap.Duration("took", 1500*time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"level":"WARN","@timestamp":"2026-01-02T03:04:05.006+01:00","logger_name":"db.pool","caller":"db/pool.go:42",` +
		`"message":"slow","@version":"1","sql":{"took":1.5},"stack_trace":"main.main()"}` + "\n"
	// zap writes the fields of the encoder before those of the call, and the stack last.
	if got := line.String(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}
