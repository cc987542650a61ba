// Package zapkafkaprom exports the balance sheets of zapkafka's syncers and
// fallbacks to Prometheus.
//
//	collector, err := zapkafkaprom.NewCollector(zapkafkaprom.Sink{Name: "app-logs", Syncer: syncer, Fallback: fallback})
//	if err != nil {
//		return err
//	}
//	prometheus.MustRegister(collector)
//
// The name is not that of the directory, since whoever imports this package imports
// client_golang's package prometheus too, for the registry, and would have to rename
// one of them.
//
// Every metric has the label sink. README.md of zapkafka has a table of them, and
// examples/observability has rules to alert by and a dashboard.
package zapkafkaprom

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zapkafka/zapkafka"
)

// Sink is what a [Collector] watches under one name.
type Sink struct {
	// Name is the value of the label sink in all metrics of this Sink. It must not be
	// empty.
	Name string
	// Syncer is watched if it is not nil.
	Syncer *zapkafka.KafkaSyncer
	// Fallback is watched if it is not nil. One that several syncers share belongs to
	// one Sink, that of one of them or one of its own: its entries would count more
	// than once otherwise.
	Fallback *zapkafka.Fallback
}

// Collector is a prometheus.Collector for one or more sinks. It keeps no numbers:
// each Collect makes them from one snapshot of each syncer and fallback, so that what
// balances there balances here. A Collect does not wait for Kafka or for a disk, and
// goes on working after Shutdown and Close.
//
// It may be registered with any number of registries, once each. A second one for a
// sink of the same name is refused by the registry, and prometheus.Unregister takes
// it out again.
type Collector struct {
	syncers   []source[syncerSnapshot]
	fallbacks []source[fallbackSnapshot]
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns a collector for the sinks. It fails, naming all that is wrong,
// without any sink, for a name that is empty, not UTF-8 or there twice, for a sink
// with neither a syncer nor a fallback, and for a syncer or fallback that is there
// twice.
func NewCollector(sinks ...Sink) (*Collector, error) {
	if len(sinks) == 0 {
		return nil, errors.New("zapkafka: prometheus: there are no sinks to collect from: give at least one")
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("zapkafka: prometheus: "+format, args...))
	}
	c := &Collector{}
	names := map[string]bool{}
	owners := map[any]string{}
	claim := func(name, what string, it any) {
		if owner, taken := owners[it]; taken {
			bad("the %s of sink %q is also that of sink %q: it would be counted twice", what, name, owner)
		}
		owners[it] = name
	}
	for i, s := range sinks {
		switch {
		case s.Name == "":
			bad("sink %d has no name: give each a name for the label sink, that of its topic for example", i)
		case !utf8.ValidString(s.Name):
			bad("the name %q of sink %d is not UTF-8", s.Name, i)
		case names[s.Name]:
			bad("two sinks have the name %q: give each a name of its own", s.Name)
		}
		names[s.Name] = true
		if s.Syncer == nil && s.Fallback == nil {
			bad("sink %q has neither a Syncer nor a Fallback: give it one", s.Name)
		}
		if syncer := s.Syncer; syncer != nil {
			claim(s.Name, "Syncer", syncer)
			c.syncers = append(c.syncers, newSource(s.Name, syncerMetrics, func() syncerSnapshot {
				return syncerSnapshot{syncer.Stats(), time.Now()}
			}))
		}
		if fallback := s.Fallback; fallback != nil {
			claim(s.Name, "Fallback", fallback)
			c.fallbacks = append(c.fallbacks, newSource(s.Name, fallbackMetrics, func() fallbackSnapshot {
				return fallbackSnapshot{fallback.Stats(), time.Now()}
			}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for i := range c.syncers {
		c.syncers[i].describe(ch)
	}
	for i := range c.fallbacks {
		c.fallbacks[i].describe(ch)
	}
}

// Collect implements prometheus.Collector. It may be called concurrently.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for i := range c.syncers {
		c.syncers[i].collect(ch)
	}
	for i := range c.fallbacks {
		c.fallbacks[i].collect(ch)
	}
}
