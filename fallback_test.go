package zapkafka

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka/internal/spool"
)

func mustOpenFallback(t testing.TB, dir string, o *FallbackOptions) *Fallback {
	t.Helper()
	f, err := OpenFallback(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func fallbackEntries(t testing.TB, dir string) (values []string) {
	t.Helper()
	if err := spool.ReadAll(dir, func(e spool.Entry) error {
		values = append(values, string(e.Value))
		return nil
	}); err != nil {
		t.Error(err)
	}
	return values
}

// fallbackText is the text of the only segment.
func fallbackText(t testing.TB, dir string) string {
	t.Helper()
	paths, err := spool.Segments(dir)
	if err != nil || len(paths) != 1 {
		t.Fatalf("segments %v, %v; want one", paths, err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFallbackWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log", "fallback")
	f := mustOpenFallback(t, dir, nil)
	f.now = func() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC) }
	entries := []string{"plain\n", "no newline", "two\nlines\n", "\n", "", "a\x00b\n", "\xff\n", "\n\n", "plain again\r\n"}
	p := make([]byte, 0, 64)
	for _, entry := range entries {
		p = append(p[:0], entry...)
		if n, err := f.Write(p); n != len(entry) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", entry, n, err)
		}
		if string(p) != entry {
			t.Errorf("Write changed %q to %q", entry, p)
		}
		copy(p, bytes.Repeat([]byte("#"), len(p))) // zap uses its buffer again
	}
	want := []string{"plain", "no newline", "two\nlines", "", "", "a\x00b", "\xff", "\n", "plain again\r"}
	if got := fallbackEntries(t, dir); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("entries\n got %q\nwant %q", got, want)
	}
	text := fallbackText(t, dir)
	if !strings.HasPrefix(text, "plain\nno newline\n{\"zapkafka_envelope\":1,\"time\":\"2024-05-06T07:08:09Z\",\"value\":\"two\\nlines\"}\n") {
		t.Errorf("text on file %q", text)
	}
	if got, want := strings.Count(text, "\n"), len(entries); got != want {
		t.Errorf("%d lines on file, want one for each of %d entries", got, want)
	}
	stats := f.Stats()
	if stats.Stored != uint64(len(entries)) || stats.Rejected != 0 || stats.Bytes <= int64(len(text)) {
		t.Errorf("stats %+v, want %d stored and more bytes than the text has", stats, len(entries))
	}
}

func TestFallbackAsWriteSyncer(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), f, zap.InfoLevel))
	var wg sync.WaitGroup
	for g := 0; g < 4; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < 100; i++ {
				logger.Info("hello\nworld")
			}
		}()
	}
	wg.Wait()
	if err := logger.Sync(); err != nil {
		t.Error(err)
	}
	got := fallbackEntries(t, dir)
	if len(got) != 400 {
		t.Errorf("%d entries, want 400", len(got))
	}
	for _, entry := range got {
		if !strings.Contains(entry, `"msg":"hello\nworld"}`) {
			t.Fatalf("entry %q", entry)
		}
	}
}

func TestOpenFallbackErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]string{
		"":                           {"path is empty", "name the directory"},
		file:                         {file, "it is a file"},
		filepath.Join(file, "below"): {filepath.Join(file, "below"), file + " is a file"},
	} {
		f, err := OpenFallback(dir, nil)
		if f != nil || err == nil {
			t.Errorf("OpenFallback(%q) = %v, %v; want an error", dir, f, err)
			continue
		}
		for _, want := range want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("OpenFallback(%q): error %q, want %q in it", dir, err, want)
			}
		}
	}
}

func TestOpenFallbackRefusesANegativeSegmentSize(t *testing.T) {
	f, err := OpenFallback(t.TempDir(), &FallbackOptions{SegmentBytes: -1})
	if err == nil {
		mustCloseFallback(t, f)
	}
	if err == nil || !strings.Contains(err.Error(), "SegmentBytes is -1") {
		t.Errorf("error %v, want one that names SegmentBytes", err)
	}
}

// With KeepNewest the oldest entries give way; by default the newest are refused.
func TestFallbackKeepNewest(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, &FallbackOptions{MaxBytes: 64 << 10, KeepNewest: true, SegmentBytes: 1 << 10})
	defer mustCloseFallback(t, f)
	const n = 5000
	for i := 0; i < n; i++ {
		if _, err := fmt.Fprintf(f, "entry %06d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	st := f.Stats()
	checkFallbackBalance(t, st)
	if st.Evicted == 0 || st.Bytes > 64<<10 || st.Stored != n {
		t.Errorf("%+v, want some evicted and the cap to hold", st)
	}
	text := readAll(t, dir)
	if !strings.HasSuffix(text, fmt.Sprintf("entry %06d\n", n-1)) || strings.Contains(text, "entry 000000\n") {
		t.Errorf("not the newest are on file: %.40q", text)
	}
}

func TestFallbackCap(t *testing.T) {
	dir := t.TempDir()
	o := &FallbackOptions{MaxBytes: 4000}
	f := mustOpenFallback(t, dir, o)
	o.MaxBytes = 1 // the options were copied
	entry := []byte(strings.Repeat("x", 99) + "\n")
	written := 0
	for {
		n, err := f.Write(entry)
		if err == nil && n == len(entry) {
			written++
			continue
		}
		if n != 0 || !errors.Is(err, ErrFallbackFull) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "4000") {
			t.Fatalf("Write to a full fallback: %d, %v; want ErrFallbackFull with directory and cap", n, err)
		}
		break
	}
	stats := f.Stats()
	if written < 20 || stats.Stored != uint64(written) || stats.Bytes > 4000 {
		t.Errorf("%d entries written, stats %+v", written, stats)
	}
	if got := len(fallbackEntries(t, dir)); got != written {
		t.Errorf("%d entries on file, %d written", got, written)
	}
	mustCloseFallback(t, f)

	for _, max := range []int64{-1, 0} {
		f := mustOpenFallback(t, dir, &FallbackOptions{MaxBytes: max})
		if _, err := f.Write(entry); err != nil {
			t.Errorf("MaxBytes %d: %v", max, err)
		}
		mustCloseFallback(t, f)
	}
}

func mustCloseFallback(t testing.TB, f *Fallback) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFallbackAfterClose(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	if _, err := f.Write([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	mustCloseFallback(t, f)
	mustCloseFallback(t, f)
	if n, err := f.Write([]byte("b\n")); n != 0 || !errors.Is(err, ErrFallbackClosed) {
		t.Errorf("Write after Close: %d, %v; want ErrFallbackClosed", n, err)
	}
	if err := f.Sync(); err != nil {
		t.Error("Sync after Close:", err)
	}
	if got := f.Stats().Stored; got != 1 {
		t.Errorf("%d stored, want 1", got)
	}
	if again := mustOpenFallback(t, dir, nil); again.Dir() != dir {
		t.Errorf("after Close the directory still has an owner: got %q", again.Dir())
	}
}

func TestFallbackOwners(t *testing.T) {
	dir := t.TempDir()
	first, second := mustOpenFallback(t, dir, nil), mustOpenFallback(t, dir, nil)
	if first.Dir() != dir || second.Dir() != filepath.Join(dir, "owner-0002") {
		t.Errorf("directories %q and %q", first.Dir(), second.Dir())
	}
}

func TestFallbackBatches(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	b := spool.Batch{Text: []byte("a\nb\n"), Ends: []uint32{2, 4}}
	if n, err := f.appendBatch(b); n != 2 || err != nil {
		t.Errorf("appendBatch: %d, %v", n, err)
	}
	line := spool.AppendEnvelope(nil, spool.Envelope{Value: []byte("c"), Reason: "too large"})
	if n, err := f.rejectBatch(spool.Batch{Text: line, Ends: []uint32{uint32(len(line))}}); n != 1 || err != nil {
		t.Errorf("rejectBatch: %d, %v", n, err)
	}
	if stats := f.Stats(); stats.Stored != 2 || stats.Oversize != 1 {
		t.Errorf("stats %+v, want 2 stored and 1 rejected", stats)
	}
}

func TestFallbackTopic(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	for i, test := range []struct {
		topic string
		want  bool
	}{{strings.Repeat("x", 2000), false}, {"logs", true}, {"logs", true}, {"audit", false}} {
		if got := f.claimTopic(test.topic); got != test.want {
			t.Errorf("claim %d: %v, want %v", i, got, test.want)
		}
	}
	if _, err := f.Write([]byte("a\n")); err != nil {
		t.Fatal(err)
	}
	paths, err := spool.Segments(dir)
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	r, err := spool.OpenReader(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Topic() != "logs" {
		t.Errorf("topic in the index %q, want logs", r.Topic())
	}
}

func TestFallbackEntryTooLarge(t *testing.T) {
	f := mustOpenFallback(t, t.TempDir(), nil)
	huge := make([]byte, spool.MaxBatchBytes/4) // NULs: six bytes each in an envelope
	if n, err := f.Write(huge); n != 0 || err == nil || !strings.Contains(err.Error(), "the most is") {
		t.Errorf("Write: %d, %v; want an error with the limit", n, err)
	}
	if cap(f.line) > keepLine {
		t.Errorf("%d bytes of memory kept for the next line", cap(f.line))
	}
	if n, err := f.Write([]byte("a\n")); n != 2 || err != nil {
		t.Errorf("the next Write: %d, %v", n, err)
	}
}

func BenchmarkFallbackWrite(b *testing.B) {
	f := mustOpenFallback(b, b.TempDir(), nil)
	entry := []byte(strings.Repeat("x", 199) + "\n")
	b.SetBytes(int64(len(entry)))
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if _, err := f.Write(entry); err != nil {
			b.Fatal(err)
		}
	}
}
