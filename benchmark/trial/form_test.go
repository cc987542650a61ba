package trial

import (
	"bytes"
	"context"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka/benchmark/rivals"
)

// buffer is a rival that keeps what is written.
type buffer struct {
	zapcore.WriteSyncer
	text *bytes.Buffer
}

func newBuffer() buffer {
	text := new(bytes.Buffer)
	return buffer{zapcore.AddSync(text), text}
}

func (buffer) Drain(context.Context) error { return nil }
func (buffer) Close(context.Context) error { return nil }
func (buffer) Count() rivals.Count         { return rivals.Count{} }

// The entries of zap have the size that the page says, and only those of one
// form have the caller.
func TestForms(t *testing.T) {
	const calls = 1000
	for _, test := range []struct {
		form   string
		size   int
		caller bool
	}{{Zap5, 160, false}, {ZapCaller, 190, true}} {
		sink := newBuffer()
		call := callFor(Case{Form: test.form}, sink)
		for n := range calls {
			call(3, n)
		}
		if got := sink.text.Len() / calls; got < test.size-10 || got > test.size+10 {
			t.Errorf("%s: an entry has %d bytes, want about %d: %s", test.form, got, test.size, sink.text.Bytes()[:300])
		}
		if n := bytes.Count(sink.text.Bytes(), []byte(`"caller"`)); n != map[bool]int{true: calls}[test.caller] {
			t.Errorf("%s: %d of %d entries have the caller", test.form, n, calls)
		}
	}
}
