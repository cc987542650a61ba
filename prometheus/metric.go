package zapkafkaprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zapkafka/zapkafka"
)

// metric is one metric that is made from a snapshot S. Either values or histogram is
// set.
type metric[S any] struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string // beside sink
	values     func(s *S, add func(value float64, labels ...string))
	histogram  func(s *S) zapkafka.Histogram
}

// source is where the metrics of one sink come from: its syncer or its fallback.
type source[S any] struct {
	snapshot func() S
	metrics  []metric[S]
	descs    []*prometheus.Desc // of metrics
}

func newSource[S any](sink string, metrics []metric[S], snapshot func() S) source[S] {
	src := source[S]{snapshot: snapshot, metrics: metrics}
	for i := range metrics {
		m := &metrics[i]
		src.descs = append(src.descs, prometheus.NewDesc(m.name, m.help, m.labels, prometheus.Labels{"sink": sink}))
	}
	return src
}

func (src *source[S]) describe(ch chan<- *prometheus.Desc) {
	for _, d := range src.descs {
		ch <- d
	}
}

// collect makes all metrics from one snapshot.
func (src *source[S]) collect(ch chan<- prometheus.Metric) {
	s := src.snapshot()
	for i := range src.metrics {
		m, desc := &src.metrics[i], src.descs[i]
		if m.histogram != nil {
			h := m.histogram(&s)
			buckets := make(map[float64]uint64, len(h.Buckets))
			for _, b := range h.Buckets {
				buckets[b.UpTo] = b.Count
			}
			ch <- prometheus.MustNewConstHistogram(desc, h.Count, h.Sum, buckets)
			continue
		}
		m.values(&s, func(value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(desc, m.kind, value, labels...)
		})
	}
}

// counter returns a counter without further labels.
func counter[S any](name, help string, value func(s *S) uint64) metric[S] {
	return metric[S]{name: name, help: help, kind: prometheus.CounterValue, values: func(s *S, add func(float64, ...string)) {
		add(float64(value(s)))
	}}
}

// gauge returns a gauge without further labels.
func gauge[S any](name, help string, value func(s *S) float64) metric[S] {
	return metric[S]{name: name, help: help, kind: prometheus.GaugeValue, values: func(s *S, add func(float64, ...string)) {
		add(value(s))
	}}
}

// age is how many seconds t is ago, 0 for none.
func age(t, now time.Time) float64 {
	if t.IsZero() || t.After(now) {
		return 0
	}
	return now.Sub(t).Seconds()
}

// timestamp is t as seconds since 1970, 0 for none.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
