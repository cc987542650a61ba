package main

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/load"
)

// bareBelow is the size below which entries consist of their five fields alone:
// time, level, caller and message do not fit in fewer bytes.
const bareBelow = 150

// logger returns a logger as programs have it: JSON, five fields, the caller.
func logger(c config, ws zapcore.WriteSyncer) *zap.Logger {
	if syncer, ok := ws.(*zapkafka.KafkaSyncer); ok && c.size >= bareBelow {
		// As New does it, but that the sink adds no entry about what it shed: the sheets
		// are held against what was logged.
		return zapkafka.NewWithCore(zapkafka.NewCore(zapcore.NewJSONEncoder(zapkafka.NewEncoderConfig()), syncer, zapcore.DebugLevel,
			&zapkafka.CoreOptions{NoShedEntry: true}), zapcore.InfoLevel).Logger
	}
	if c.size >= bareBelow {
		return zapkafka.New(ws, zapcore.InfoLevel).Logger
	}
	bare := zapcore.EncoderConfig{LineEnding: zapcore.DefaultLineEnding, SkipLineEnding: false}
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(bare), ws, zapcore.InfoLevel))
}

// paddingFor returns how much padding makes an entry as long as is asked for,
// and how long it is then.
func paddingFor(c config) (padding, length int) {
	return load.PaddingFor(func(ws zapcore.WriteSyncer) *zap.Logger { return logger(c, ws) }, c.size)
}
