package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/levelhttp"
)

// handler serves what the service says of itself. A Kafka that is away is no reason
// to take the service out of use: its log waits on disk.
func handler(logger *zapkafka.Logger, syncer *zapkafka.KafkaSyncer, fallback *zapkafka.Fallback) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/log/level", levelhttp.Handler(logger.Levels()))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		state, since := syncer.State()
		stats := syncer.Stats()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // the client is gone if it fails
			"log":      state.String(),
			"since":    since.UTC().Format(time.RFC3339),
			"accepted": stats.Accepted,
			"acked":    stats.Acked,
			"lost":     stats.Lost.Total(),
			"on_file":  fallback.Stats().OnFile,
		})
	})
	return mux
}
