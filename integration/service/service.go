// Package service runs the program cmd/service, which logs through the sink and
// is told by lines of text what to do next, as a process that can be killed.
package service

import (
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/load"
)

// Commands of the program, one a line. It answers each with an [Answer] as one
// line of JSON; the first answer is there when the sink is open.
const (
	Stats    = "stats"    // how things are
	Lap      = "lap"      // the calls since the last lap, or since the load began
	Large    = "large"    // with a number: log an entry of so many bytes
	Stop     = "stop"     // end the load
	Shutdown = "shutdown" // shut the sink down, and end
)

// LargeWorker is the worker of the entries that Large logs: the one after the
// last.
func LargeWorker(workers int) int { return workers }

// Answer is how things are after a command.
type Answer struct {
	Command string
	Error   string `json:",omitempty"`

	State    string
	Dir      string // of the fallback
	Stats    zapkafka.Stats
	Fallback zapkafka.FallbackStats
	Memory   Memory
	// Versions are those of Go and of the client.
	Versions map[string]string `json:",omitempty"`

	// Calls are what calls took: those of the lap, and all after Stop.
	Calls *load.Calls `json:",omitempty"`
	// Mallocs is how many allocations the process has made, at Lap.
	Mallocs uint64 `json:",omitempty"`
	// Took is how long the command Shutdown took.
	Took time.Duration `json:",omitempty"`
}

// Memory is what the process holds, in bytes.
type Memory struct {
	Resident   uint64 // now
	HighWater  uint64 // the most so far
	Live       uint64 // heap, as the last collection found it; after Stop, collected for this
	Goroutines int
}
