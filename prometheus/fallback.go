package zapkafkaprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zapkafka/zapkafka"
)

// fallbackSnapshot is what the metrics of a fallback are made from.
type fallbackSnapshot struct {
	zapkafka.FallbackStats
	now time.Time
}

var fallbackMetrics = []metric[fallbackSnapshot]{
	// A gauge: a directory that was adopted is given up at the end of the replay, and
	// what is left in it was not inherited then.
	gauge("zapkafka_fallback_inherited_entries", "Entries found on file that earlier processes left.",
		func(s *fallbackSnapshot) float64 { return float64(s.Inherited) }),
	counter("zapkafka_fallback_stored_entries_total", "Entries written to the fallback's segments.",
		func(s *fallbackSnapshot) uint64 { return s.Stored }),
	counter("zapkafka_fallback_replayed_entries_total", "Entries of the fallback that are in Kafka now.",
		func(s *fallbackSnapshot) uint64 { return s.Replayed }),
	counter("zapkafka_fallback_rejected_entries_total", "Entries of the fallback that Kafka refused for good, moved to the rejected file.",
		func(s *fallbackSnapshot) uint64 { return s.Rejected }),
	counter("zapkafka_fallback_quarantined_entries_total", "Entries of the fallback that were found damaged or missing.",
		func(s *fallbackSnapshot) uint64 { return s.Quarantined }),
	counter("zapkafka_fallback_evicted_entries_total", "Entries of the fallback that were deleted before they were replayed.",
		func(s *fallbackSnapshot) uint64 { return s.Evicted }),
	counter("zapkafka_fallback_oversize_entries_total", "Entries over MaxEntryBytes, written to the rejected file at once.",
		func(s *fallbackSnapshot) uint64 { return s.Oversize }),
	counter("zapkafka_fallback_unindexed_entries_total", "Entries of the fallback that were replayed without an index.",
		func(s *fallbackSnapshot) uint64 { return s.Unindexed }),
	counter("zapkafka_fallback_failed_fsyncs_total", "Fsyncs of the fallback that failed.",
		func(s *fallbackSnapshot) uint64 { return s.FailedFsyncs }),
	gauge("zapkafka_fallback_entries", "Entries on file that wait for replay.",
		func(s *fallbackSnapshot) float64 { return float64(s.OnFile) }),
	gauge("zapkafka_fallback_uncounted_files", "Files of earlier processes whose entries are not counted yet.",
		func(s *fallbackSnapshot) float64 { return float64(s.Uncounted) }),
	gauge("zapkafka_fallback_used_bytes", "Size of the fallback's files.",
		func(s *fallbackSnapshot) float64 { return float64(s.Bytes) }),
	{
		name: "zapkafka_fallback_limit_bytes",
		help: "Cap of zapkafka_fallback_used_bytes; not there if there is none.",
		kind: prometheus.GaugeValue,
		values: func(s *fallbackSnapshot, add func(float64, ...string)) {
			if s.MaxBytes >= 0 {
				add(float64(s.MaxBytes))
			}
		},
	},
	gauge("zapkafka_fallback_oldest_entry_age_seconds", "Age of the oldest entry that waits for replay, 0 if there is none or it is not known.",
		func(s *fallbackSnapshot) float64 { return age(s.Oldest, s.now) }),
}
