package zapkafka

import "go.uber.org/zap/zapcore"

// NewLogstashEncoderConfig returns the configuration of a JSON encoder whose
// entries have the fields of logstash-logback-encoder, so that Go and Java
// services can share an index and its dashboards: @timestamp (RFC 3339 with
// milliseconds), message, level (in capitals), logger_name and stack_trace.
// The caller is zap's, dir/file.go:line under "caller", and durations are in
// seconds, as with [NewEncoderConfig].
//
// The constant @version, which zap has no key for, is a field of the encoder:
//
//	encoder := zapcore.NewJSONEncoder(zapkafka.NewLogstashEncoderConfig())
//	encoder.AddString("@version", "1")
//
// or one of zap.Config's InitialFields. Without it Logstash adds it by itself.
// There are no thread_name, which Go has none of, and no level_value.
func NewLogstashEncoderConfig() zapcore.EncoderConfig {
	c := NewEncoderConfig()
	c.TimeKey = "@timestamp"
	c.MessageKey = "message"
	c.NameKey = "logger_name"
	c.StacktraceKey = "stack_trace"
	c.EncodeLevel = zapcore.CapitalLevelEncoder
	return c
}
