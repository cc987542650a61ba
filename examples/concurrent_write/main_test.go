package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/examples/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEverythingArrives(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "test"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir := t.TempDir()
	s, err := parse([]string{"-brokers", strings.Join(c.ListenAddrs(), ","), "-fallback", dir, "-shutdown", "1m"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(s, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"logged      100000 ", "in Kafka    100000 ", "fallback         0 ", "lost             0 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if logs, _ := filepath.Glob(filepath.Join(dir, "*.log")); len(logs) > 0 {
		t.Errorf("files in the fallback: %q", logs)
	}
}

func TestKafkaDown(t *testing.T) {
	s, err := parse([]string{"-brokers", "127.0.0.1:1", "-fallback", t.TempDir(), "-lines", "100", "-shutdown", "200ms"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(s, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "fallback      1000 entries in "+s.fallback) || !strings.Contains(out.String(), "lost             0 ") {
		t.Errorf("got\n%s", &out)
	}
	logs, _ := filepath.Glob(filepath.Join(s.fallback, "*.log"))
	if len(logs) != 1 {
		t.Fatalf("segments: %q", logs)
	}
	if text, err := os.ReadFile(logs[0]); err != nil || bytes.Count(text, []byte("\n")) != 1000 {
		t.Errorf("%v, %d lines on file, want 1000", err, bytes.Count(text, []byte("\n")))
	}
}

func TestUnknownClient(t *testing.T) {
	s, err := parse([]string{"-client", "none", "-fallback", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(s, io.Discard); err == nil || !strings.Contains(err.Error(), client.Default) {
		t.Errorf("got %v, want an error that lists the clients", err)
	}
}

func TestFlags(t *testing.T) {
	s, err := parse(nil)
	if err != nil || s.client != client.Default || s.goroutines != 10 || s.lines != 10_000 || s.buffer != 64<<20 || s.shutdown != 10*time.Second {
		t.Errorf("defaults: %+v, %v", s, err)
	}
	for text, want := range map[string]size{"0": 0, "4096": 4096, "512KiB": 512 << 10, "4 MiB": 4 << 20, "1GiB": 1 << 30, "7B": 7} {
		var got size
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("Set(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "64MB", "9999999999GiB", "x"} {
		var got size
		if err := got.Set(text); err == nil {
			t.Errorf("Set(%q) = %d, want an error", text, got)
		}
	}
	for v, want := range map[size]string{0: "0B", 64 << 20: "64MiB", 1536: "1536B", 3 << 10: "3KiB"} {
		if got := v.String(); got != want {
			t.Errorf("%d is %q, want %q", int64(v), got, want)
		}
	}
}
