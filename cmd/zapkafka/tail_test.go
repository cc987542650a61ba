package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce puts records into one partition, so that they have an order.
func produce(t *testing.T, b *broker, records ...*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addrs()...), kgo.DefaultProduceTopic(testTopic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func record(value string, headers ...string) *kgo.Record {
	r := &kgo.Record{Value: []byte(value)}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

func produceSome(t *testing.T, b *broker) {
	t.Helper()
	keyed := record(`{"level":"info","logtime":"2026-05-06T07:08:11.000Z","msg":"signed in"}`)
	keyed.Key = []byte("tenant-7")
	produce(t, b,
		record(`{"level":"info","logtime":"2026-05-06T07:08:09.123Z","logger":"orders","caller":"app/main.go:12","msg":"order placed","order":"7e3f","items":3,"big":9223372036854775809,"deep":{"a":[1,"<&>"]}}`),
		record(`{"level":"error","logtime":"2026-05-06T07:08:10.000Z","msg":"payment failed","error":"declined","stacktrace":"main.pay\n\t/app/pay.go:7"}`,
			"replayed", "2026-05-06T07:08:10Z"),
		record(`{"level":"debug","ts":1777997291.5,"msg":"zap's own time"}`, "replayed", "", "possibly-duplicate", "true"),
		record("no JSON \x1b[31m"),
		record(`{"msg":"no level","level":"loud"}`),
		keyed,
	)
}

func TestTail(t *testing.T) {
	b := newBroker(t)
	produceSome(t, b)
	tail := []string{"tail", "--brokers", b.list(), "--from", "beginning", "--no-follow", testTopic}
	out, errs := want(t, exitWell, tail)
	golden := "2026-05-06T07:08:09.123Z\tINFO\torders\tapp/main.go:12\torder placed\t" +
		`{"order": "7e3f", "items": 3, "big": 9223372036854775809, "deep": {"a":[1,"<&>"]}}` + "\n" +
		"[replayed] 2026-05-06T07:08:10.000Z\tERROR\tpayment failed\t" + `{"error": "declined"}` + "\nmain.pay\n\t/app/pay.go:7\n" +
		"[replayed, possibly duplicate] " + time.UnixMilli(1777997291500).Format("2006-01-02T15:04:05.000Z0700") + "\tDEBUG\tzap's own time\n" +
		"no JSON \x1b[31m\n" +
		"no level\t" + `{"level": "loud"}` + "\n" +
		"2026-05-06T07:08:11.000Z\tINFO\tsigned in\n"
	if out != golden || errs != "" {
		t.Errorf("got\n%s%s\nwant\n%s", out, errs, golden)
	}

	for _, c := range []struct {
		flags []string
		lines int
		has   string
	}{
		{[]string{"--level", "warn"}, 5, "payment failed"}, // three of them the stack trace's, and what has no level
		{[]string{"--key", "tenant-7"}, 1, "signed in"},
		{[]string{"--key", ""}, 0, ""},
		{[]string{"--from", "1h"}, 8, "order placed"},
		{[]string{"--from", "end"}, 0, ""},
	} {
		out, _ := want(t, exitWell, append(tail[:len(tail):len(tail)], c.flags...), c.has)
		if n := strings.Count(out, "\n"); n != c.lines {
			t.Errorf("%q: %d lines, want %d\n%s", c.flags, n, c.lines, out)
		}
	}
}

func TestTailOnATerminal(t *testing.T) {
	b := newBroker(t)
	produceSome(t, b)
	for _, noColour := range []string{"", "1"} {
		t.Setenv("NO_COLOR", noColour)
		t.Setenv("TERM", "xterm")
		o := &text{}
		code := run(t.Context(), []string{"tail", "--brokers", b.list(), "--from", "beginning", "--no-follow", testTopic},
			newConsole(console{out: o, err: o, outTerminal: true}))
		if coloured := strings.Contains(o.String(), "\x1b[34mINFO\x1b[0m"); code != exitWell || coloured != (noColour == "") {
			t.Errorf("NO_COLOR=%q: exit code %d\n%q", noColour, code, o)
		}
		if !strings.Contains(o.String(), "no JSON \ufffd[31m\n") {
			t.Errorf("what a record has in it reaches the terminal as a command: %q", o)
		}
	}
}

// TestTailFollows begins at the end and ends with its context.
func TestTailFollows(t *testing.T) {
	b := newBroker(t)
	produce(t, b, record("before"))
	o, e := &text{}, &text{}
	ctx, end := context.WithCancel(t.Context())
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"tail", "--brokers", b.list(), testTopic}, newConsole(console{out: o, err: e}))
	}()
	// Where the end was when it began is not known: so more until it is seen.
	n := 0
	waitUntil(t, "an entry is printed", func() bool {
		n++
		produce(t, b, record(fmt.Sprint("during ", n)))
		return strings.Contains(o.String(), "during")
	})
	produce(t, b, record("after"))
	waitUntil(t, "the last entry is printed", func() bool { return strings.Contains(o.String(), "after\n") })
	end()
	if got := <-code; got != exitWell || strings.Contains(o.String(), "before") {
		t.Errorf("exit code %d, %q, %q", got, o, e)
	}
}

func TestTailWithoutTopicOrKafka(t *testing.T) {
	b := newBroker(t)
	want(t, exitNot, []string{"tail", "--brokers", b.list(), "--no-follow", "none"}, "there is no topic none")
	b.leave()
	want(t, exitNot, []string{"tail", "--brokers", b.list(), "--no-follow", testTopic}, b.list())
}

// failing is a standard output that takes some bytes and then none.
type failing struct {
	room atomic.Int64
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.room.Add(-int64(len(p))) < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// TestOutputFails has a reader that has enough, which is no trouble, and a full
// disk, which is.
func TestOutputFails(t *testing.T) {
	b := newBroker(t)
	produceSome(t, b)
	dir := t.TempDir()
	fill(t, dir, testTopic, 10)
	for _, args := range [][]string{
		{"tail", "--brokers", b.list(), "--from", "beginning", testTopic}, // ends although it follows
		{"inspect", dir}, {"inspect", "--json", dir}, {"verify", dir}, {"replay", "--dry-run", dir}, {"version"}, {"--help"},
	} {
		for _, fault := range []error{syscall.EPIPE, io.ErrClosedPipe, errors.New("no space left on device")} {
			full := !errors.Is(fault, syscall.EPIPE) && !errors.Is(fault, io.ErrClosedPipe)
			o, e := &failing{err: fault}, &text{}
			o.room.Store(5)
			code := run(t.Context(), args, newConsole(console{out: o, err: e}))
			if full && (code != exitNot || !strings.Contains(e.String(), "write the result: no space left")) {
				t.Errorf("%q on a full disk: exit code %d, %q", args, code, e)
			}
			if !full && (code == exitUsage || e.String() != "") {
				t.Errorf("%q when nobody reads: exit code %d, %q", args, code, e)
			}
		}
	}
}

func TestParseEntry(t *testing.T) {
	for line, want := range map[string]string{
		`{"level":"warn","msg":"m"}`:                        "WARN\tm\n",
		`{"level":"warn","msg":"m","msg":"again"}`:          "WARN\tm\t{\"msg\": \"again\"}\n",
		`{"msg":"m","logtime":"soon","caller":"nowhere"}`:   "m\t{\"logtime\": \"soon\", \"caller\": \"nowhere\"}\n",
		`{"msg":null,"level":null}`:                         "{\"msg\": null, \"level\": null}\n",
		`{"logtime":"2026-05-06T09:08:09+02:00","msg":"m"}`: "2026-05-06T09:08:09.000+0200\tm\n",
		`{}`:                   "\n",
		` {"msg":"spaces"} `:   "spaces\n",
		`{"msg":"m"} trailing`: "",
		`{"msg":"m"`:           "",
		`["msg"]`:              "",
		`"text"`:               "",
		`12`:                   "",
		``:                     "",
		`{"msg"}`:              "",
	} {
		e, ok := parseEntry([]byte(line))
		if !ok {
			if want != "" {
				t.Errorf("%s: taken for something else than JSON", line)
			}
			continue
		}
		text, err := e.console(false)
		if err != nil || text.String() != want || want == "" {
			t.Errorf("%s: %q, %v; want %q", line, text, err, want)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(`{"level":"info","ts":1e400,"logtime":"2026-05-06T07:08:09Z","msg":"m","caller":"a:b:3","deep":{"a":[1]}}`))
	f.Add([]byte(`{"ts":"x","":{}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := parseEntry(line)
		if !ok {
			return
		}
		e.disarm()
		text, err := e.console(true)
		if err != nil || text.Len() == 0 || text.Bytes()[text.Len()-1] != '\n' {
			t.Errorf("%q: %q, %v", line, text, err)
		}
	})
}
