package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runBriefly runs the program until it has worked for a moment.
func runBriefly(t *testing.T, brokers []string) (printed, onFile string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	dir := t.TempDir()
	var out bytes.Buffer
	if err := run(ctx, brokers, "test", dir, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "00000000000000000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), string(text)
}

func TestKafkaUp(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "test"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out, file := runBriefly(t, c.ListenAddrs())
	if !regexp.MustCompile(`\d+ entries, \d+ in Kafka, 1 in .*, 0 lost\n$`).MatchString(out) {
		t.Errorf("printed\n%s", out)
	}
	if !regexp.MustCompile(`^[^\n]*"msg":"logged after Shutdown[^\n]*\n$`).MatchString(file) {
		t.Errorf("on file\n%s", file)
	}
}

func TestKafkaDown(t *testing.T) {
	out, file := runBriefly(t, []string{"127.0.0.1:1"})
	if !regexp.MustCompile(`shut down in [345].*: \d+ entries, 0 in Kafka, \d+ in .*, 0 lost\n$`).MatchString(out) {
		t.Errorf("printed\n%s", out)
	}
	if !regexp.MustCompile(`(?s)"msg":"working","n":0.*"msg":"stopping".*"msg":"logged after`).MatchString(file) {
		t.Errorf("on file\n%s", file)
	}
}
