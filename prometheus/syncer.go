package zapkafkaprom

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zapkafka/zapkafka"
)

// syncerSnapshot is what the metrics of a syncer are made from.
type syncerSnapshot struct {
	zapkafka.Stats
	now time.Time
}

// syncerMetrics has no counter whose label values do not add up to something, and
// every series from the beginning on, so that the first increase is seen as one.
var syncerMetrics = []metric[syncerSnapshot]{
	{
		name:   "zapkafka_accepted_entries_total",
		help:   "Entries given to the sink, by level.",
		kind:   prometheus.CounterValue,
		labels: []string{"level"},
		values: func(s *syncerSnapshot, add func(float64, ...string)) {
			for i := range s.Levels {
				add(float64(s.Levels[i].Accepted), zapkafka.LevelName(i))
			}
		},
	},
	{
		name:   "zapkafka_entries_total",
		help:   "Entries with an outcome, by outcome and level; with zapkafka_pending_entries they are zapkafka_accepted_entries_total.",
		kind:   prometheus.CounterValue,
		labels: []string{"outcome", "level"},
		values: func(s *syncerSnapshot, add func(float64, ...string)) {
			for i := range s.Levels {
				level, name := &s.Levels[i], zapkafka.LevelName(i)
				add(float64(level.Acked), "acked", name)
				add(float64(level.FellBack), "fell_back", name)
				add(float64(level.Shed), "shed", name)
				add(float64(level.Lost), "lost", name)
			}
		},
	},
	{
		name:   "zapkafka_fell_back_entries_total",
		help:   "Entries written to the fallback, by reason.",
		kind:   prometheus.CounterValue,
		labels: []string{"reason"},
		values: func(s *syncerSnapshot, add func(float64, ...string)) {
			f := &s.FellBack
			add(float64(f.QueueFull), "queue_full")
			add(float64(f.DeliveryFailed), "delivery_failed")
			add(float64(f.Deadline), "deadline")
			add(float64(f.Sync), "sync")
			add(float64(f.Outage), "outage")
			add(float64(f.TooLarge), "too_large")
			add(float64(f.Closed), "closed")
			add(float64(f.Partition), "partition")
		},
	},
	{
		name:   "zapkafka_lost_entries_total",
		help:   "Entries that are neither in Kafka nor on file, by reason.",
		kind:   prometheus.CounterValue,
		labels: []string{"reason"},
		values: func(s *syncerSnapshot, add func(float64, ...string)) {
			l := &s.Lost
			add(float64(l.NoRoom), "no_room")
			add(float64(l.FallbackFailed), "fallback_failed")
			add(float64(l.FallbackFull), "fallback_full")
			add(float64(l.FallbackStuck), "fallback_stuck")
		},
	},
	counter("zapkafka_accepted_bytes_total", "Length of the entries that got a place in the queue.",
		func(s *syncerSnapshot) uint64 { return s.AcceptedBytes }),
	counter("zapkafka_acked_bytes_total", "Length of the entries that Kafka has acknowledged.",
		func(s *syncerSnapshot) uint64 { return s.AckedBytes }),
	counter("zapkafka_fell_back_bytes_total", "Length of the entries written to the fallback.",
		func(s *syncerSnapshot) uint64 { return s.FellBackBytes }),
	counter("zapkafka_possibly_duplicate_entries_total", "Entries written to the fallback that Kafka may have stored too.",
		func(s *syncerSnapshot) uint64 { return s.PossiblyDuplicate }),
	{
		name:   "zapkafka_late_reports_total",
		help:   "Reports of the client on entries that had gone to the fallback, by what they say.",
		kind:   prometheus.CounterValue,
		labels: []string{"report"},
		values: func(s *syncerSnapshot, add func(float64, ...string)) {
			add(float64(s.LateAcked), "acked")
			add(float64(s.LateFailed), "failed")
		},
	},
	counter("zapkafka_repeated_reports_total", "Reports of the client on entries that it had reported before: a fault of it.",
		func(s *syncerSnapshot) uint64 { return s.RepeatedReports }),
	counter("zapkafka_cut_entries_total", "Entries in the rejected file that are not whole.",
		func(s *syncerSnapshot) uint64 { return s.Cut }),
	gauge("zapkafka_pending_entries", "Entries without an outcome.",
		func(s *syncerSnapshot) float64 { return float64(s.PendingEntries) }),
	gauge("zapkafka_in_flight_entries", "Entries without an outcome that are with the Kafka client.",
		func(s *syncerSnapshot) float64 { return float64(s.InFlightEntries) }),
	gauge("zapkafka_buffer_used_bytes", "Memory in use for entries, the Kafka client's part and that of the replay included.",
		func(s *syncerSnapshot) float64 { return float64(s.PendingBytes) }),
	gauge("zapkafka_buffer_limit_bytes", "Bound of zapkafka_buffer_used_bytes.",
		func(s *syncerSnapshot) float64 { return float64(s.BufferBytes) }),
	gauge("zapkafka_in_flight_bytes", "Part of zapkafka_buffer_used_bytes for entries that are with the Kafka client.",
		func(s *syncerSnapshot) float64 { return float64(s.InFlightBytes) }),
	gauge("zapkafka_oldest_pending_age_seconds", "Age of the oldest entry without an outcome, 0 if there is none.",
		func(s *syncerSnapshot) float64 { return age(s.OldestPending, s.now) }),
	gauge("zapkafka_last_delivery_timestamp_seconds", "When Kafka last acknowledged something, 0 before the first time.",
		func(s *syncerSnapshot) float64 { return timestamp(s.LastDelivery) }),
	{
		name:   "zapkafka_state",
		help:   "1 for the state that the sink is in, 0 for the others.",
		kind:   prometheus.GaugeValue,
		labels: []string{"state"},
		values: func(s *syncerSnapshot, add func(float64, ...string)) {
			for _, state := range []zapkafka.State{zapkafka.Healthy, zapkafka.Degraded, zapkafka.FallbackOnly} {
				value := 0.0
				if state == s.State {
					value = 1
				}
				add(value, strings.ReplaceAll(state.String(), " ", "_"))
			}
		},
	},
	gauge("zapkafka_state_since_timestamp_seconds", "When the state that the sink is in began.",
		func(s *syncerSnapshot) float64 { return timestamp(s.StateSince) }),
	{
		name:      "zapkafka_batch_entries",
		help:      "Entries in a batch handed to the Kafka client.",
		histogram: func(s *syncerSnapshot) zapkafka.Histogram { return s.BatchEntries },
	},
	{
		name:      "zapkafka_delivery_latency_seconds",
		help:      "Time from the log call to Kafka's acknowledgement, for each acknowledged entry that of the slowest in its batch.",
		histogram: func(s *syncerSnapshot) zapkafka.Histogram { return s.DeliveryLatency },
	},
}
