// Package trial runs the comparison: each case in a process of its own, which a
// time limit ends, on a broker that another process runs.
package trial

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/rivals"
)

// Kinds of cases.
const (
	Flood = "flood" // a number of entries as fast as it goes, until all are delivered
	// Capacity is a Flood in which whoever logs waits for what is pending, even if the
	// rival would not make it wait: what counts is how much can be delivered.
	Capacity = "capacity"
	Steady   = "steady" // entries at a rate for a time, each call timed
	Bound    = "bound"  // as fast as it goes for a time; what counts is memory
	Idle     = "idle"   // a few entries, then nothing; what counts is memory
)

// Brokers.
const (
	None    = "none"    // no Kafka, for rivals that know none
	Discard = "discard" // kfake in a process of its own, which acknowledges and forgets
	Kafka   = "kafka"   // Apache Kafka
)

// Faults.
const (
	Healthy  = "healthy"
	Refused  = "refused"   // from before the start: nobody listens
	Mute     = "mute"      // from before the start: connections are accepted, nothing is answered
	Stopped  = "stopped"   // the broker is stopped (SIGSTOP) during the load, and goes on after it
	SlowDisk = "slow-disk" // Stopped, and files take a few megabytes a second
)

// Forms of a log call.
const (
	Zap5      = "zap5"        // zap with five fields, without the caller, about 160 bytes
	ZapCaller = "zap5-caller" // the same with the caller
	Line      = "line"        // Write of an encoded entry
)

// Case is what is measured. The fields with a default in Name's place are left
// out of the name.
type Case struct {
	Kind, Rival, Broker, Fault string
	Form                       string
	Size                       int `json:",omitempty"` // bytes of a Line
	Goroutines                 int
	Partitions                 int
	Procs                      int `json:",omitempty"` // GOMAXPROCS; 0: as the machine has it

	Entries  int           `json:",omitempty"` // of a Flood or Capacity
	Rate     int           `json:",omitempty"` // entries a second of Steady; FullSpeed: as many as it goes
	Duration time.Duration `json:",omitempty"` // of Steady, Bound, Idle
	// Drain is the longest wait for what was logged to be delivered, and for calls
	// that have not returned.
	Drain time.Duration
}

// FullSpeed is a Rate.
const FullSpeed = -1

// Defaults of a case.
const (
	defaultGoroutines = 10
	defaultPartitions = 4
	defaultSize       = 200
)

// DefaultRate is the Rate of a Steady case for which no other is named, in entries a
// second.
const DefaultRate = 50_000

func (c Case) withDefaults() Case {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&c.Goroutines, defaultGoroutines)
	set(&c.Partitions, defaultPartitions)
	if c.Fault == "" {
		c.Fault = Healthy
	}
	if c.Form == "" {
		c.Form = Zap5
	}
	if c.Form == Line {
		set(&c.Size, defaultSize)
	}
	if c.Kind == Steady {
		set(&c.Rate, DefaultRate)
	}
	if c.Drain == 0 {
		c.Drain = time.Minute
	}
	return c
}

// Name tells a case from all others, whatever its length. It is the name of the
// file of its results.
func (c Case) Name() string {
	parts := []string{c.Kind, c.Broker}
	if c.Fault != Healthy {
		parts = append(parts, c.Fault)
	}
	parts = append(parts, c.Form)
	if c.Size > 0 && c.Size != defaultSize {
		parts = append(parts, fmt.Sprintf("%db", c.Size))
	}
	parts = append(parts, fmt.Sprintf("g%d", c.Goroutines))
	if c.Partitions != defaultPartitions {
		parts = append(parts, fmt.Sprintf("p%d", c.Partitions))
	}
	switch {
	case c.Rate == FullSpeed:
		parts = append(parts, "full-speed")
	case c.Rate > 0 && c.Rate != DefaultRate:
		parts = append(parts, fmt.Sprintf("r%d", c.Rate))
	}
	if c.Procs > 0 {
		parts = append(parts, fmt.Sprintf("procs%d", c.Procs))
	}
	return strings.Join(append(parts, c.Rival), ".")
}

// check says what is wrong with a case.
func (c Case) check() error {
	for _, field := range []struct {
		name, value string
		known       []string
	}{
		{"kind", c.Kind, []string{Flood, Capacity, Steady, Bound, Idle}},
		{"broker", c.Broker, []string{None, Discard, Kafka}},
		{"fault", c.Fault, []string{Healthy, Refused, Mute, Stopped, SlowDisk}},
		{"form", c.Form, []string{Zap5, ZapCaller, Line}},
	} {
		if !slices.Contains(field.known, field.value) {
			return fmt.Errorf("%s %q: there are %s", field.name, field.value, strings.Join(field.known, ", "))
		}
	}
	switch {
	case c.counted() && c.Entries <= 0:
		return fmt.Errorf("a %s of %d entries: take some", c.Kind, c.Entries)
	case !c.counted() && c.Duration <= 0:
		return fmt.Errorf("%s for %v: take a time", c.Kind, c.Duration)
	case external(c) && (c.Kind != Flood || c.Broker != Kafka || c.Fault != Healthy):
		return fmt.Errorf("%s is a program of its own: it knows %s on %s alone", c.Rival, Flood, Kafka)
	case c.Kind == Bound && c.Form != Line:
		return fmt.Errorf("%s is measured with entries of one size: form %s", Bound, Line)
	}
	return nil
}

// counted says whether the case ends after a number of entries, and not after a
// time.
func (c Case) counted() bool { return c.Kind == Flood || c.Kind == Capacity }

// stops says whether the broker is stopped during the load.
func (c Case) stops() bool { return c.Fault == Stopped || c.Fault == SlowDisk }

// absent says whether Kafka is not there from before the start to the end.
func (c Case) absent() bool { return c.Fault == Refused || c.Fault == Mute }

// external says whether the rival is a program that is no Go.
func external(c Case) bool {
	r, _ := rivals.Find(c.Rival)
	return r.External != ""
}
