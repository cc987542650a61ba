package healthhttp_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/healthhttp"
	"github.com/zapkafka/zapkafka/producertest"
)

// The state of a sink for a readiness probe.
func ExampleHandler() {
	// Elsewhere: an adaptor, such as franz.New(brokers), and a zapkafka.Fallback.
	syncer, err := zapkafka.NewKafkaSyncer(producertest.NewProducer(), "app-logs", zapcore.AddSync(io.Discard), nil)
	if err != nil {
		panic(err)
	}
	defer syncer.Close()
	logger := zapkafka.New(syncer, zap.InfoLevel)

	mux := http.NewServeMux()
	mux.Handle("/ready/log", healthhttp.Handler(syncer, nil))
	server := httptest.NewServer(mux)
	defer server.Close()

	logger.Info("started")
	if err := logger.Sync(); err != nil {
		panic(err)
	}

	resp, err := server.Client().Get(server.URL + "/ready/log")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var h healthhttp.Health
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		panic(err)
	}
	fmt.Println(resp.StatusCode, h.State, "accepted:", h.Accepted, "acked:", h.Acked, "pending:", h.Pending)
	// Output: 200 healthy accepted: 1 acked: 1 pending: 0
}
