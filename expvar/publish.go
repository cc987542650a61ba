// Package expvar publishes the balance sheets of syncers and fallbacks among the
// variables of the standard library's package expvar, as JSON under /debug/vars.
//
//	if err := expvar.Publish("log", syncer); err != nil {
//		return err
//	}
//	err := expvar.PublishFallback("log_fallback", fallback)
//
// To import the standard library's expvar, which this package does, adds a handler
// for /debug/vars to http.DefaultServeMux. It lets in everybody, and shows the
// program's command line too: mind what listens with that mux.
//
// A variable cannot be taken back. One stays as it is after Shutdown, and keeps its
// syncer.
package expvar

import (
	"errors"
	"expvar"
	"fmt"
	"sync"

	"github.com/zapkafka/zapkafka"
)

// Publish makes syncer's [zapkafka.Stats] the variable name. Its JSON has the fields
// of Stats under their names, and Levels as an object, by the names of those levels
// that had entries. To read it waits neither for Kafka nor for a disk.
//
// It fails if name is empty or the name of another variable, which is then left as it
// is, or if syncer is nil. It may be called concurrently.
func Publish(name string, syncer *zapkafka.KafkaSyncer) error {
	if syncer == nil {
		return errors.New("zapkafka: expvar: the syncer is nil: give the one of NewKafkaSyncer")
	}
	return publish(name, func() any { return viewOf(syncer.Stats()) })
}

// PublishFallback makes fallback's [zapkafka.FallbackStats] the variable name, as
// Publish does with those of a syncer.
func PublishFallback(name string, fallback *zapkafka.Fallback) error {
	if fallback == nil {
		return errors.New("zapkafka: expvar: the fallback is nil: give the one of OpenFallback")
	}
	return publish(name, func() any { return fallback.Stats() })
}

// publishing is held from the look whether a name is free to its use: the standard
// library panics for one that is not. Who calls that library's Publish by himself in
// between makes it panic all the same.
var publishing sync.Mutex

func publish(name string, value func() any) error {
	if name == "" {
		return errors.New("zapkafka: expvar: the variable's name is empty: give it one, \"log\" for example")
	}
	publishing.Lock()
	defer publishing.Unlock()
	if expvar.Get(name) != nil {
		return fmt.Errorf("zapkafka: expvar: there is a variable %q already: give this one another name", name)
	}
	expvar.Publish(name, expvar.Func(value))
	return nil
}

// view is Stats as JSON. The outer Levels hides that of Stats.
type view struct {
	zapkafka.Stats
	Levels map[string]zapkafka.LevelCounts
}

func viewOf(st zapkafka.Stats) view {
	v := view{Stats: st, Levels: map[string]zapkafka.LevelCounts{}}
	for i := range st.Levels {
		if st.Levels[i] != (zapkafka.LevelCounts{}) {
			v.Levels[zapkafka.LevelName(i)] = st.Levels[i]
		}
	}
	return v
}
