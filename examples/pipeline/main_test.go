package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The service starts without Kafka's help, says how its log is, and ends.
func TestService(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "test"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	defer http.DefaultClient.CloseIdleConnections()
	address := freeAddress(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, settings{brokers: cluster.ListenAddrs()[0], topic: "test", fallback: t.TempDir(), http: address, rate: 1000})
	}()

	health := struct {
		State string
		Acked uint64
		Lost  *uint64
	}{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for health.Acked < 100 {
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("the service ended: %v", err)
		}
		if err := check(ctx, "http://"+address+"/healthz"); err == nil {
			get(t, "http://"+address+"/healthz", &health)
		}
		if ctx.Err() != nil {
			t.Fatalf("no entries were acknowledged: %+v", health)
		}
	}
	if health.State != "healthy" || health.Lost == nil || *health.Lost != 0 {
		t.Errorf("the service says %+v, want healthy and nothing lost", health)
	}
	var level struct{ Level string }
	if get(t, "http://"+address+"/log/level", &level); level.Level != "info" {
		t.Errorf("the level is %q, want info", level.Level)
	}
	if text := string(page(t, "http://"+address+"/metrics")); !strings.Contains(text, `zapkafka_entries_total{`) {
		t.Errorf("there is no zapkafka_entries_total in the metrics:\n%s", text)
	}
	if err := check(ctx, "http://"+address+"/none"); err == nil {
		t.Error("a page that is not there is healthy")
	}

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := check(t.Context(), "http://"+address+"/healthz"); err == nil {
		t.Error("the service is healthy after its end")
	}
	if cluster.PartitionInfos("test")[0].HighWatermark < 100 {
		t.Error("the topic has less than what was acknowledged")
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func page(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func get(t *testing.T, url string, answer any) {
	t.Helper()
	if text := page(t, url); json.Unmarshal(text, answer) != nil {
		t.Fatalf("%s: no JSON: %s", url, text)
	}
}
