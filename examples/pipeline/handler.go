package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/healthhttp"
	"github.com/zapkafka/zapkafka/levelhttp"
	zapkafkaprom "github.com/zapkafka/zapkafka/prometheus"
)

// handler serves what the service says of itself. A Kafka that is away is no reason
// to take the service out of use: its log waits on disk.
func handler(logger *zapkafka.Logger, syncer *zapkafka.KafkaSyncer, fallback *zapkafka.Fallback) (http.Handler, error) {
	collector, err := zapkafkaprom.NewCollector(zapkafkaprom.Sink{Name: "log", Syncer: syncer, Fallback: fallback})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(collector); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/healthz", healthhttp.Handler(syncer, nil))
	mux.Handle("/log/level", levelhttp.Handler(logger.Levels()))
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux, nil
}
