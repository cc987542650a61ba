package zapkafka

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zapcore"
)

// line200 is 200 bytes that look like an entry.
var line200 = append([]byte(`{"level":"info","logtime":"2026-01-02T03:04:05.678Z","caller":"orders/place.go:123","msg":"order placed","order":"7e3f9c1a","customer":482113,"items":3,"total":129.9,"currency":"EUR","duration":0.01234`), '}', '\n')

// BenchmarkWrite compares a Write with one to zap's own buffered file, from
// all cores at once. Compare the two of one run: absolute times differ by
// machine and by hour.
func BenchmarkWrite(b *testing.B) {
	parallel := func(b *testing.B, ws zapcore.WriteSyncer) {
		b.ReportAllocs()
		b.SetBytes(int64(len(line200)))
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := ws.Write(line200); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.StopTimer()
	}
	b.Run("KafkaSyncer", func(b *testing.B) {
		s, err := NewKafkaSyncer(&fakeProducer{}, "test", zapcore.AddSync(io.Discard), &Options{ErrorHandler: func(error) {}})
		if err != nil {
			b.Fatal(err)
		}
		parallel(b, s)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		// With every core busy in Write the sender cannot keep up with an
		// endless flood: the share that it could is part of the result.
		st := s.Stats()
		checkBalance(b, st)
		b.ReportMetric(float64(st.Acked)/float64(st.Accepted), "acked/op")
		b.ReportMetric(float64(st.Lost.Total())/float64(st.Accepted), "lost/op")
	})
	b.Run("BufferedWriteSyncer", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "log"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		ws := &zapcore.BufferedWriteSyncer{WS: f, Size: 256 << 10}
		defer func() { _ = ws.Stop() }()
		parallel(b, ws)
	})
}

// TestWriteAllocates pins what a Write allocates: nothing. What the goroutines
// behind it allocate for each chunk of a thousand entries is in the average and
// must vanish in it.
func TestWriteAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	s := newTestSyncer(t, &fakeProducer{}, &memoryFile{}, nil)
	if avg := testing.AllocsPerRun(50_000, func() { _, _ = s.Write(line200) }); avg != 0 {
		t.Errorf("%v allocations a Write, want 0", avg)
	}
}
