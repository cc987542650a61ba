package trial

import (
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/rivals"
)

// Set is a number of cases that belong together.
type Set struct {
	Cases []Case
	Times int // runs of each
}

// sets by name. scripts/bench.sh full runs all but short and ci.
var sets = map[string]func() Set{
	"ci":      ciSet,
	"short":   shortSet,
	"classic": classicSet,
	"calls":   callSet,
	"faults":  faultSet,
	"growth":  growthSet,
	"memory":  memorySet,
}

// SetNames are the names for Choose.
func SetNames() []string { return slices.Sorted(maps.Keys(sets)) }

// Choose returns those cases of a set whose names match, shortened or lengthened
// by a factor.
func Choose(set, only string, scale float64) (Set, error) {
	cases, ok := sets[set]
	if !ok {
		return Set{}, fmt.Errorf("there is no set %q, but %s", set, strings.Join(SetNames(), ", "))
	}
	match, err := regexp.Compile(only)
	if err != nil {
		return Set{}, err
	}
	if scale <= 0 {
		return Set{}, fmt.Errorf("scale %v: take a positive factor", scale)
	}
	s := cases()
	seen := map[string]bool{}
	s.Cases = slices.DeleteFunc(s.Cases, func(c Case) bool {
		c = c.withDefaults()
		again := seen[c.Name()]
		seen[c.Name()] = true
		_, known := rivals.Find(c.Rival) // confluent is in no build without cgo
		return again || !known || !match.MatchString(c.Name())
	})
	for i, c := range s.Cases {
		c.Entries = int(float64(c.Entries) * scale)
		c.Duration = time.Duration(float64(c.Duration) * scale)
		s.Cases[i] = c.withDefaults()
	}
	if len(s.Cases) == 0 {
		return Set{}, fmt.Errorf("no case of the set %s matches %q", set, only)
	}
	return s, nil
}

// WithoutKafka leaves out what needs a real Kafka.
func (s Set) WithoutKafka() Set {
	s.Cases = slices.DeleteFunc(slices.Clone(s.Cases), func(c Case) bool { return c.Broker == Kafka && !c.absent() })
	return s
}

// About is how long the set takes, by experience.
func (s Set) About() time.Duration {
	sum := time.Duration(0)
	for _, c := range s.Cases {
		each := 3*time.Second + c.Duration
		if c.counted() {
			each += time.Duration(c.Entries) * 2 * time.Microsecond
		}
		if external(c) {
			each += 15 * time.Second
		}
		if c.stops() {
			each += 10 * time.Second
		}
		if c.absent() {
			each += openLimit
		}
		sum += each
	}
	return (sum * time.Duration(s.Times)).Round(time.Second)
}

// names of rivals that are compared where all would be too many.
var (
	fileNames  = []string{"nothing", "lock-file", "buffered-file", "lumberjack"}
	asyncNames = []string{"sarama-input", "sarama-select", "shopify-input", "shopify-select", "kafkago-async", "slog-kafka-way",
		"confluent", "confluent-mutex", "franz-raw"}
	ownNames  = []string{"zapkafka-franz", "zapkafka-kafkago", "zapkafka-ibmsarama", "zapkafka-shopifysarama", "zapkafka-confluent"}
	fastNames = []string{"zapkafka-franz-fast-replay", "zapkafka-kafkago-fast-replay", "zapkafka-ibmsarama-fast-replay",
		"zapkafka-shopifysarama-fast-replay", "zapkafka-confluent-fast-replay"}
)

// each returns the case once for each rival, on the broker that it knows.
func each(c Case, names ...string) []Case {
	var all []Case
	for _, name := range names {
		c := c
		c.Rival = name
		if r, ok := rivals.Find(name); ok && !r.Kafka {
			c.Broker = None
		}
		all = append(all, c)
	}
	return all
}

// ClassicSize is the size of an entry in the field's best-known comparison, and its
// newline, which is not sent.
const ClassicSize = 52

// classicSet is that comparison: with its own settings, fair, and with this sink
// before the same clients, from one goroutine and from as many as there were
// processors for in its parallel form, on either broker.
func classicSet() Set {
	s := Set{Times: 3}
	names := slices.Concat([]string{"published-sarama", "published-shopify", "published-kafkago", "published-confluent",
		"sarama-input", "shopify-input", "kafkago-async", "confluent", "confluent-mutex", "franz-raw"}, ownNames)
	for _, g := range []int{1, runtime.NumCPU()} {
		for _, broker := range []string{Discard, Kafka} {
			s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: broker, Form: Line, Size: ClassicSize, Goroutines: g, Entries: 500_000}, names...)...)
		}
	}
	return s
}

// rawNames are the clients by themselves, in the order of ownNames.
var rawNames = []string{"franz-raw", "kafkago-async", "sarama-input", "shopify-input", "confluent"}

// capacity is how much can be delivered.
func capacity(names ...string) []Case {
	return each(Case{Kind: Capacity, Broker: Discard, Form: Line, Entries: 1_500_000}, names...)
}

// linesToFile is how many encoded entries go to no Kafka: a million are too soon over.
const linesToFile = 4_000_000

// callSet is the log call to every rival, with either form, from 1, 10 and 100
// goroutines, on both brokers, and what each client can deliver with the sink and
// without.
func callSet() Set {
	const million = 1_000_000
	s := Set{Times: 3}
	alone := append(slices.Clone(fileNames), "zapkafka-alone-fast-replay")
	clients := slices.Concat(asyncNames, ownNames)
	for _, g := range []int{1, 10, 100} {
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Kafka, Form: Zap5, Goroutines: g, Entries: million}, slices.Concat(alone, clients)...)...)
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: None, Form: Line, Goroutines: g, Entries: linesToFile}, alone...)...)
		if g == 10 {
			s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Kafka, Form: Zap5, Goroutines: g, Entries: million}, fastNames...)...)
			for _, broker := range []string{Discard, Kafka} {
				s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: broker, Form: Line, Goroutines: g, Entries: million}, clients...)...)
			}
		}
		if g == 10 {
			// What the caller adds is the same for every rival: three show it.
			s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Kafka, Form: ZapCaller, Goroutines: g, Entries: million},
				"lock-file", "franz-raw", "zapkafka-franz")...)
		}
		// A JVM is warmed first.
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Kafka, Goroutines: g, Entries: million}, "logback")...)
		// One entry at a time is slow: hundreds instead of a million.
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Kafka, Form: Line, Goroutines: g, Entries: 10 * g}, "kafkago-sync")...)
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Kafka, Form: Line, Goroutines: g, Entries: 1000 * g}, "kafkago-sync-1ms")...)
	}
	s.Cases = append(s.Cases, capacity(slices.Concat(rawNames, ownNames)...)...)
	return s
}

// faultSet is what calls take at a steady rate, on good days and bad.
func faultSet() Set {
	s := Set{Times: 1}
	names := slices.Concat(fileNames, asyncNames, []string{"confluent-error", "kafkago-sync-1ms"}, ownNames)
	for _, fault := range []string{Healthy, Stopped, SlowDisk, Refused, Mute} {
		c := Case{Kind: Steady, Broker: Kafka, Fault: fault, Duration: 20 * time.Second}
		if c.absent() {
			c.Drain = 10 * time.Second // nobody will let go of a call that is held up
		}
		for _, c := range each(c, names...) {
			if c.Broker == None && fault != Healthy && fault != SlowDisk {
				continue // files know no broker
			}
			if fault == SlowDisk && c.Broker == Kafka && !rivals.IsOwn(c.Rival) && !strings.HasSuffix(c.Rival, "-select") {
				continue // which has no file
			}
			s.Cases = append(s.Cases, c)
		}
	}
	// As fast as it goes, where what counts is what is lost; for less time, since the
	// unbounded ones take a gigabyte in seconds.
	for _, fault := range []string{Healthy, Stopped} {
		c := Case{Kind: Steady, Broker: Kafka, Fault: fault, Rate: FullSpeed, Duration: 5 * time.Second}
		for _, c := range each(c, names...) {
			if c.Broker == Kafka || fault == Healthy {
				s.Cases = append(s.Cases, c)
			}
		}
	}
	return s
}

// growthSet is what becomes of cost as load grows, in one direction at a time.
func growthSet() Set {
	s := Set{Times: 3}
	names := []string{"franz-raw", "zapkafka-franz", "zapkafka-franz-fast-replay", "buffered-file", "lock-file"}
	for _, size := range []int{50, 200, 1000, 10_000, 100_000, 500_000} {
		n := min(1_000_000, 1<<30/size) // a gigabyte at most
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Discard, Form: Line, Size: size, Entries: n}, names...)...)
	}
	for _, g := range []int{1, 10, 100, 1000} {
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Discard, Form: Line, Goroutines: g, Entries: 1_000_000}, names...)...)
	}
	for _, p := range []int{1, 10, 50, 200} {
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Discard, Form: Line, Partitions: p, Entries: 1_000_000}, names[:3]...)...)
	}
	for _, procs := range []int{1, 2} {
		s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Discard, Form: Line, Procs: procs, Entries: 1_000_000}, names...)...)
	}
	for i := range s.Cases {
		// The same cases are in the set calls, with as many entries: their results have
		// one file.
		if c := s.Cases[i].withDefaults(); c.Broker == None && c.Size == defaultSize && c.Procs == 0 {
			s.Cases[i].Entries = linesToFile
		}
	}
	return s
}

// soakRate is that of the long run: with another than the faults' it has a name of
// its own.
const soakRate = 20_000

// memorySet is what the sink holds when the broker is stopped and the program logs
// as fast as it can, when it logs nothing, and in a run of ten minutes.
func memorySet() Set {
	s := Set{Times: 1}
	for _, size := range []int{50, 200, 1000} {
		s.Cases = append(s.Cases, each(Case{Kind: Bound, Broker: Kafka, Fault: Stopped, Form: Line, Size: size, Duration: time.Minute}, ownNames...)...)
	}
	s.Cases = append(s.Cases, each(Case{Kind: Idle, Broker: Kafka, Duration: 5 * time.Second},
		slices.Concat([]string{"nothing"}, rawNames, ownNames)...)...)
	s.Cases = append(s.Cases, each(Case{Kind: Steady, Broker: Kafka, Rate: soakRate, Duration: 10 * time.Minute}, "zapkafka-franz")...)
	return s
}

// shortSet takes less than three minutes.
func shortSet() Set {
	s := Set{Times: 1}
	const some = 300_000
	names := []string{"nothing", "lock-file", "buffered-file", "sarama-input", "sarama-select", "kafkago-async", "confluent", "franz-raw",
		"zapkafka-franz", "zapkafka-franz-fast-replay"}
	s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Discard, Form: Line, Entries: some}, names...)...)
	s.Cases = append(s.Cases, each(Case{Kind: Flood, Broker: Kafka, Entries: some}, names[1:]...)...)
	s.Cases = append(s.Cases, capacity("franz-raw", "zapkafka-franz")...)
	for _, fault := range []string{Healthy, Stopped} {
		s.Cases = append(s.Cases, each(Case{Kind: Steady, Broker: Kafka, Fault: fault, Duration: 3 * time.Second, Drain: 10 * time.Second},
			"sarama-input", "kafkago-async", "franz-raw", "zapkafka-franz")...)
	}
	return s
}

// ciSet needs no Kafka and no C compiler, and takes some seconds.
func ciSet() Set {
	return Set{Times: 3, Cases: slices.Concat(
		each(Case{Kind: Flood, Broker: Discard, Form: Line, Entries: 200_000}, "lock-file", "buffered-file", "franz-raw",
			"zapkafka-alone-fast-replay", "zapkafka-franz-fast-replay"),
		each(Case{Kind: Flood, Broker: Discard, Entries: 100_000}, "lock-file", "zapkafka-franz-fast-replay"),
	)}
}
