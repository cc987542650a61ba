package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// wantEmpty fails unless nothing but the lock is left in dir.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "lock" {
		t.Errorf("left in %s: %v, %v", dir, entries, err)
	}
}

// wantIDs fails unless the topic has each of n entries once.
func wantIDs(t *testing.T, records []*kgo.Record, n int) {
	t.Helper()
	seen := map[int]int{}
	for _, r := range records {
		var e struct{ ID *int }
		if err := json.Unmarshal(r.Value, &e); err == nil && e.ID != nil {
			seen[*e.ID]++
		}
	}
	for i := 0; i < n; i++ {
		if seen[i] != 1 {
			t.Errorf("entry %d is in the topic %d times", i, seen[i])
		}
	}
}

// TestReplay has plain lines, an entry with all that an envelope carries, and
// the directory of a second owner that has died.
func TestReplay(t *testing.T) {
	b := newBroker(t)
	if err := b.cluster.CreateTopic("audit", 2, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	first := open(t, dir, testTopic)
	write(t, first, 1000)
	appendEnvelope(t, first, spool.Envelope{Value: []byte("two\nlines"), Topic: "audit", Key: []byte("k"),
		Headers: []spool.Header{{Key: "h", Value: []byte("v")}}, Time: logged, PossiblyDuplicate: true})
	second := open(t, dir, testTopic)
	appendEnvelope(t, second, spool.Envelope{Value: []byte("of the second owner"), Time: logged})
	for _, s := range []*spool.Spool{second, first} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}

	out, errs := want(t, exitWell, []string{"replay", "--brokers", b.list(), "--topic", "other", dir}, dir+": sent 1,002 of 1,002 entries, in ")
	if errs != "" || strings.Count(out, "\n") != 1 {
		t.Errorf("all went well, and it says\n%s%s", out, errs)
	}
	wantEmpty(t, dir)
	records := stored(t, b, testTopic)
	wantIDs(t, records, 1000)
	if len(records) != 1001 {
		t.Errorf("%d records, want 1001", len(records))
	}
	audit := stored(t, b, "audit")
	if len(audit) != 1 || string(audit[0].Value) != "two\nlines" || string(audit[0].Key) != "k" || !audit[0].Timestamp.Equal(logged) {
		t.Fatalf("%+v", audit)
	}
	if h := fmt.Sprintf("%s", audit[0].Headers); h != "[{h v} {replayed 2026-05-06T07:08:09Z} {possibly-duplicate true}]" {
		t.Errorf("headers %s", h)
	}
	want(t, exitWell, []string{"replay", "--brokers", b.list(), "--topic", "other", dir}, dir+": nothing to send")
}

func TestReplayJSON(t *testing.T) {
	b := newBroker(t)
	dir, none := t.TempDir(), filepath.Join(t.TempDir(), "none")
	fill(t, dir, testTopic, 10)
	out, errs := want(t, exitNot, []string{"replay", "--json", "--brokers", b.list(), "--topic", testTopic, dir, none}, "no such file")
	var got struct {
		Whole       bool
		Directories []sent
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Whole || len(got.Directories) != 2 {
		t.Fatalf("%v in %s%s", err, out, errs)
	}
	if d := got.Directories[0]; !d.whole() || d.Replayed != 10 || d.Dir != dir {
		t.Errorf("%+v", d)
	}
	if d := got.Directories[1]; d.Error == "" || d.Dir != none {
		t.Errorf("%+v", d)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a directory that was not there was made")
	}
}

func TestReplayRefusesAnOwnedDirectory(t *testing.T) {
	b := newBroker(t)
	dir := t.TempDir()
	s := open(t, dir, testTopic)
	write(t, s, 10)
	before := snapshot(t, dir)
	want(t, exitNot, []string{"replay", "--brokers", b.list(), "--topic", testTopic, dir}, "owns the directory and replays it by itself")
	if after := snapshot(t, dir); runtime.GOOS == "linux" && after != before {
		t.Errorf("it was changed:\n%s\nbefore:\n%s", after, before)
	}
	if n := onTopic(b, testTopic); n != 0 {
		t.Errorf("%d records were sent", n)
	}
}

// TestReplayInterrupted ends a slow replay once something has been sent, and
// lets another run finish it.
func TestReplayInterrupted(t *testing.T) {
	b := newBroker(t)
	dir := t.TempDir()
	fill(t, dir, testTopic, 2000)
	o, e := &text{}, &text{}
	ctx, interrupt := context.WithCancel(t.Context())
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"replay", "--rate", "500", "--brokers", b.list(), "--topic", testTopic, dir}, newConsole(console{out: o, err: e}))
	}()
	waitUntil(t, "entries are sent", func() bool { return onTopic(b, testTopic) > 0 })
	interrupt()
	if got := <-code; got != exitNot {
		t.Errorf("exit code %d", got)
	}
	if !strings.Contains(o.String(), "still on file: ") || !strings.Contains(e.String(), dir+": interrupted") {
		t.Errorf("it says\n%s%s", o, e)
	}
	sofar := onTopic(b, testTopic)
	if sofar >= 2000 {
		t.Fatalf("%d records at the interrupt: too late to test anything", sofar)
	}
	want(t, exitWell, []string{"replay", "--brokers", b.list(), "--topic", testTopic, dir}, fmt.Sprintf("of %s", grouped(2000-sofar)))
	wantEmpty(t, dir)
	wantIDs(t, stored(t, b, testTopic), 2000)
}

// TestReplayEndedBySignal is the same with a process and SIGTERM.
func TestReplayEndedBySignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM here")
	}
	b := newBroker(t)
	dir := t.TempDir()
	fill(t, dir, testTopic, 2000)
	child := exec.Command(os.Args[0])
	args := []string{"replay", "--rate", "500", "--brokers", b.list(), "--topic", testTopic, dir}
	child.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	o, e := &text{}, &text{}
	child.Stdout, child.Stderr = o, e
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "entries are sent", func() bool { return onTopic(b, testTopic) > 0 })
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); child.ProcessState.ExitCode() != exitNot {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(o.String(), "still on file: ") || !strings.Contains(e.String(), "interrupted") {
		t.Errorf("it says\n%s%s", o, e)
	}
	want(t, exitWell, []string{"verify", dir})
	want(t, exitWell, []string{"replay", "--brokers", b.list(), "--topic", testTopic, dir})
	wantIDs(t, stored(t, b, testTopic), 2000)
}

// TestReplayWithoutKafka ends by itself, and leaves everything on file.
func TestReplayWithoutKafka(t *testing.T) {
	b := newBroker(t)
	b.leave()
	for _, limit := range []string{"--idle", "--timeout"} {
		dir := t.TempDir()
		fill(t, dir, testTopic, 10)
		_, errs := want(t, exitNot, []string{"replay", limit, "700ms", "--brokers", b.list(), "--topic", testTopic, dir},
			"still on file: 10 entries", limit)
		if !strings.Contains(errs, "zapkafka: producer: ") {
			t.Errorf("it does not say why Kafka takes nothing:\n%s", errs)
		}
		want(t, exitWell, []string{"inspect", dir}, "10 entries wait for Kafka")
	}
}

// TestReplayOfWhatKafkaRefuses has an entry that is larger than the topic allows,
// and damage.
func TestReplayOfWhatKafkaRefuses(t *testing.T) {
	b := newBroker(t)
	if err := b.cluster.CreateTopic("small", 1, map[string]string{"max.message.bytes": "2000"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	fill(t, dir, "small", 10)
	s := open(t, dir, "small")
	// What cannot be compressed: it is the batch that is measured.
	value := strings.Builder{}
	for i, x := 0, uint32(1); i < 6000; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		value.WriteByte('!' + byte(x%90))
	}
	appendEnvelope(t, s, spool.Envelope{Value: []byte(value.String()), Key: []byte("k")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, firstText)
	writeFile(t, path, readFile(t, path)+"torn")
	out, _ := want(t, exitNot, []string{"replay", "--brokers", b.list(), "--topic", "small", dir},
		dir+": sent 10 of 12 entries", "refused by Kafka for good: 1 entry, see "+filepath.Join(dir, "rejected.jsonl"),
		"damaged: 1 entry, see "+filepath.Join(dir, "quarantine.jsonl"))
	if strings.Contains(out, "still on file") {
		t.Errorf("it says\n%s", out)
	}
	want(t, exitWell, []string{"inspect", dir}, "rejected.jsonl: 1 entry", "quarantine.jsonl: 1 entry", "0 entries wait")
}

func TestReplayDryRun(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, testTopic, 250)
	rejectOneReplay(t, dir, 100)
	s := open(t, dir, "")
	write(t, s, 1)
	appendEnvelope(t, s, spool.Envelope{Value: []byte("x"), Topic: "audit"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	want(t, exitWell, []string{"replay", "--dry-run", dir},
		"150 entries, 12.2 KiB, to topic app-logs", "1 entry, 1 B, to topic audit", "1 entry, 81 B, to the topic of --topic")
	want(t, exitWell, []string{"replay", "--dry-run", "--topic", "audit", dir}, "2 entries, 82 B, to topic audit")
	out, _ := want(t, exitWell, []string{"replay", "--dry-run", "--json", "--topic", "audit", dir})
	var got struct{ Directories []wouldSend }
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Directories) != 1 || len(got.Directories[0].Topics) != 2 || got.Directories[0].Left != 152 {
		t.Errorf("%v in %s", err, out)
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("a dry run has changed something:\n%s\nbefore:\n%s", after, before)
	}
}

// TestReplayOnATerminal has a bar that reaches its end.
func TestReplayOnATerminal(t *testing.T) {
	b := newBroker(t)
	dir := t.TempDir()
	fill(t, dir, testTopic, 500)
	o, e := &text{}, &text{}
	code := run(t.Context(), []string{"replay", "--rate", "2000", "--brokers", b.list(), "--topic", testTopic, dir},
		newConsole(console{out: o, err: e, errTerminal: true}))
	if code != exitWell || !strings.Contains(e.String(), "100% |") || !strings.Contains(e.String(), "(500/500") || !strings.HasSuffix(e.String(), "\n") {
		t.Errorf("exit code %d, on standard error %q", code, e)
	}
}

func TestWrongCalls(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"repaly"}, `did you mean "replay"`},
		{[]string{"replay"}, "zapkafka replay --help"},
		{[]string{"replay", dir}, "no brokers: name them with --brokers host:port, or in KAFKA_BROKERS"},
		{[]string{"replay", "--brokers", "h:1", dir}, "no topic"},
		{[]string{"replay", "--brokers", "h:1", "--topic", "t", "--rate", "0", dir}, "--rate is 0"},
		{[]string{"replay", "--brokers", "h:1", "--topic", "t", "--idle=-1s", dir}, "must not be negative"},
		{[]string{"replay", "--brokers", "u:secret@h:1", "--topic", "t", dir}, "is no host:port"},
		{[]string{"replay", "--brokers", "h:port", "--topic", "t", dir}, "h:port"},
		{[]string{"replay", "--brokers", "h:1", "--sasl", "plain", "--sasl-user", "u", "--topic", "t", dir}, "without TLS sends the secret as it is"},
		{[]string{"replay", "--brokers", "h:1", "--tls", "--sasl", "plain", "--topic", "t", dir}, "needs a user"},
		{[]string{"replay", "--brokers", "h:1", "--tls", "--sasl", "plain", "--sasl-user", "u", "--topic", "t", dir}, "set KAFKA_PASSWORD"},
		{[]string{"replay", "--brokers", "h:1", "--tls", "--sasl", "oauthbearer", "--topic", "t", dir}, "set KAFKA_TOKEN"},
		{[]string{"replay", "--brokers", "h:1", "--sasl", "digest", "--topic", "t", dir}, "must be one of"},
		{[]string{"replay", "--brokers", "h:1", "--tls-cert", "c", "--topic", "t", dir}, "belong together"},
		{[]string{"replay", "--brokers", "h:1", "--tls-ca", filepath.Join(dir, "none"), "--topic", "t", dir}, "--tls-ca: open"},
		{[]string{"tail", "topic"}, "no brokers"},
		{[]string{"tail", "--brokers", "h:1", "--from", "yesterday", "t"}, "must be beginning, end, or a duration"},
		{[]string{"tail", "--brokers", "h:1", "--level", "loud", "t"}, "must be debug, info"},
		{[]string{"demo", "--rate", "1"}, "must be from 10"},
	} {
		_, errs := want(t, exitUsage, c.args, c.says)
		if strings.Contains(errs, "secret@") {
			t.Errorf("%q: a password is repeated: %s", c.args, errs)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a wrong call has left %v, %v", left, err)
	}
}
