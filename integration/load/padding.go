package load

import (
	"bytes"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// PaddingFor returns the Plan's Padding that makes entries of these loggers size
// bytes long, and how long they are then: without any they may be longer.
func PaddingFor(logger func(zapcore.WriteSyncer) *zap.Logger, size int) (padding, length int) {
	var b bytes.Buffer
	New(logger(zapcore.AddSync(&b)), Plan{Workers: 1, PerWorker: 1, FirstSeq: 100_000}).Start().Wait()
	length = b.Len()
	padding = max(0, size-length)
	return padding, length + padding
}
