package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// childArgs, if set, makes the test binary be the command itself, so that tests
// can send it signals.
const childArgs = "ZAPKAFKA_TEST_ARGS"

func TestMain(m *testing.M) {
	if args := os.Getenv(childArgs); args != "" {
		os.Args = append([]string{"zapkafka"}, strings.Split(args, "\n")...)
		main()
	}
	for _, name := range []string{"KAFKA_BROKERS", "KAFKA_USER", "KAFKA_PASSWORD", "KAFKA_TOKEN", "NO_COLOR"} {
		_ = os.Unsetenv(name)
	}
	goleak.VerifyTestMain(m)
}

// patience is for what happens soon on a machine that is not busy.
const patience = 30 * time.Second

// text collects what is written, for a test to look at meanwhile.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// call runs the command and returns its exit code and what it wrote.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	o, e := &text{}, &text{}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	code = run(ctx, args, newConsole(console{out: o, err: e}))
	if ctx.Err() != nil {
		t.Errorf("zapkafka %q did not end by itself", args)
	}
	return code, o.String(), e.String()
}

// want fails if the call did not end with the code, or one of the words is not
// in what it wrote.
func want(t *testing.T, code int, args []string, words ...string) (out, errs string) {
	t.Helper()
	got, out, errs := call(t, args...)
	if got != code {
		t.Errorf("zapkafka %q: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	for _, w := range words {
		if !strings.Contains(out+errs, w) {
			t.Errorf("zapkafka %q does not say %q:\n%s%s", args, w, out, errs)
		}
	}
	return out, errs
}

func waitUntil(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !happened(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after %v there is no sign that %s", patience, what)
		}
	}
}

var logged = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// fill writes entries into a directory, as a process does that has ended since:
// n lines in writes of a hundred, an hour apart.
func fill(t *testing.T, dir, topic string, n int) {
	t.Helper()
	s := open(t, dir, topic)
	write(t, s, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir, topic string) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.SetTopic(topic); err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, s *spool.Spool, n int) {
	t.Helper()
	for i := 0; i < n; {
		at := logged.Add(time.Duration(i/100) * time.Hour)
		b := spool.Batch{First: at, Last: at}
		for ; i < n && len(b.Ends) < 100; i++ {
			b.Text = fmt.Appendf(b.Text, `{"level":"info","logtime":"2026-05-06T07:08:09.000Z","msg":"order placed","id":%d}`+"\n", i)
			b.Ends = append(b.Ends, uint32(len(b.Text)))
		}
		appendBatch(t, s, b)
	}
}

func appendBatch(t *testing.T, s *spool.Spool, b spool.Batch) {
	t.Helper()
	if n, err := s.Append(b); n != len(b.Ends) || err != nil {
		t.Fatalf("%d of %d entries on file: %v", n, len(b.Ends), err)
	}
}

// appendEnvelope writes one entry that is more than a line.
func appendEnvelope(t *testing.T, s *spool.Spool, e spool.Envelope) {
	t.Helper()
	b := spool.Batch{Text: spool.AppendEnvelope(nil, e)}
	b.Ends = []uint32{uint32(len(b.Text))}
	appendBatch(t, s, b)
}

// snapshot is all that is below dir, names and contents.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			fmt.Fprintln(&b, path)
			return err
		}
		content, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %q\n", path, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const testTopic = "app-logs"

func newBroker(t *testing.T, opts ...kfake.Opt) *broker {
	t.Helper()
	b, err := startBroker(testTopic, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func (b *broker) list() string { return strings.Join(b.addrs(), ",") }

// stored reads a topic.
func stored(t *testing.T, b *broker, topic string) []*kgo.Record {
	t.Helper()
	var got []*kgo.Record
	r := &topicReader{brokers: b.addrs(), topic: topic, from: place{beginning: true}, trouble: func(err error) { t.Log(err) }}
	if err := r.read(t.Context(), func(r *kgo.Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

// onTopic is how many records a topic has.
func onTopic(b *broker, topic string) (n int64) {
	for _, p := range b.cluster.PartitionInfos(topic) {
		n += p.HighWatermark
	}
	return n
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
