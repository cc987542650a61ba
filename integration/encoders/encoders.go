// Package encoders lists the shapes of entries that the tests hold to what
// consumers of a log topic expect: zap's own, that of the Elastic Common Schema,
// and that of Logstash.
package encoders

import (
	"go.elastic.co/ecszap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// Encoder is one shape, and the keys that it has for what every entry has.
type Encoder struct {
	Name                 string
	Time, Message, Level string

	// Core returns a core with this encoder in front of the syncer.
	Core func(*zapkafka.KafkaSyncer, zapcore.LevelEnabler, *zapkafka.CoreOptions) zapcore.Core
}

// All returns the encoders.
func All() []Encoder {
	return []Encoder{
		{Name: "zap", Time: "logtime", Message: "msg", Level: "level", Core: zapCore},
		{Name: "ecs", Time: "@timestamp", Message: "message", Level: "log.level", Core: ecsCore},
		{Name: "logstash", Time: "@timestamp", Message: "message", Level: "level", Core: logstashCore},
	}
}

func zapCore(syncer *zapkafka.KafkaSyncer, level zapcore.LevelEnabler, o *zapkafka.CoreOptions) zapcore.Core {
	return zapkafka.NewCore(zapcore.NewJSONEncoder(zapkafka.NewEncoderConfig()), syncer, level, o)
}

// ecszap's NewCore takes a WriteSyncer, which is told neither times nor keys.
// WrapCore is for a core that one has: it gives errors their fields, and each
// entry its ecs.version.
func ecsCore(syncer *zapkafka.KafkaSyncer, level zapcore.LevelEnabler, o *zapkafka.CoreOptions) zapcore.Core {
	encoder := zapcore.NewJSONEncoder(ecszap.NewDefaultEncoderConfig().ToZapCoreEncoderConfig())
	return ecszap.WrapCore(zapkafka.NewCore(encoder, syncer, level, o))
}

func logstashCore(syncer *zapkafka.KafkaSyncer, level zapcore.LevelEnabler, o *zapkafka.CoreOptions) zapcore.Core {
	encoder := zapcore.NewJSONEncoder(zapkafka.NewLogstashEncoderConfig())
	encoder.AddString("@version", "1")
	return zapkafka.NewCore(encoder, syncer, level, o)
}
