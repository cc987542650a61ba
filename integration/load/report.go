package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/zapkafka/zapkafka"
)

// Report is what the program cmd/load prints.
type Report struct {
	EntryBytes int           // of the last entry
	Baseline   Calls         // on io.Discard
	Sink       Calls         // the load itself
	Frozen     bool          // whether the broker was, for all of the load
	Shutdown   time.Duration // how long the sink's Shutdown took, the broker thawed

	Counts []int // entries of each goroutine
	Stats  zapkafka.Stats
	// Fallback is the sheet of the files.
	Fallback zapkafka.FallbackStats
	// ShutdownError is what Shutdown returned.
	ShutdownError string `json:",omitempty"`

	BufferBytes int64
	Memory      Memory
}

// Calls sums up what calls took.
type Calls struct {
	Entries             int
	PerSecond           float64
	P50, P99, P999, Max time.Duration
}

// Summary returns the figures of a result.
func (r Result) Summary() Calls { return Summarize(r.Calls, r.Elapsed) }

// Summarize returns the figures of calls that took so long one by one, and
// elapsed all together.
func Summarize(calls *hdrhistogram.Histogram, elapsed time.Duration) Calls {
	return Calls{
		Entries:   int(calls.TotalCount()),
		PerSecond: float64(calls.TotalCount()) / elapsed.Seconds(),
		P50:       time.Duration(calls.ValueAtQuantile(50)),
		P99:       time.Duration(calls.ValueAtQuantile(99)),
		P999:      time.Duration(calls.ValueAtQuantile(99.9)),
		Max:       time.Duration(calls.Max()),
	}
}

// Memory is what the process held, in bytes. Idle is before the load, with the
// client connected; the others are the most that was seen during the load.
type Memory struct {
	IdleLive, Live uint64 // live heap, as the collector found it
	// LiveExact was found while the load took a break (0 without breaks), and
	// Charged is the most that the sink then counted against its bound. Live
	// includes whatever was allocated during a collection, garbage or not, which
	// is several MiB for a program at full speed.
	LiveExact, Charged uint64

	IdleResident, Resident uint64 // VmRSS
	HighWater              uint64 // VmHWM of the load
	InUse                  uint64 // the heap with what is not collected yet
	Collections            uint32
	Made                   map[string]uint64 // of what, by the Go runtime, when Resident was seen
}

// Over is how much live heap there was beyond the idle program's and the bound.
func (r Report) Over() int64 {
	most := r.Memory.LiveExact
	if most == 0 {
		most = r.Memory.Live
	}
	return int64(most) - int64(r.Memory.IdleLive) - r.BufferBytes
}

// ResidentOver is how much resident memory there was beyond the bound.
func (r Report) ResidentOver() int64 {
	return int64(max(r.Memory.Resident, r.Memory.HighWater)) - r.BufferBytes
}
