// Package memory says what the process holds.
package memory

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
)

// Names of metrics for Read.
const (
	LiveMetric  = "/gc/heap/live:bytes" // marked by the last collection
	InUseMetric = "/memory/classes/heap/objects:bytes"
)

// Live collects garbage and returns what is left, in bytes. It does so twice, so
// that what the first collection found and nobody wants any more is gone.
func Live() uint64 {
	runtime.GC()
	runtime.GC()
	return Read(LiveMetric)
}

// Read returns a metric of the Go runtime that is a number.
func Read(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Status returns what a line such as VmRSS of /proc/self/status says, in bytes;
// 0 where there is none.
func Status(name string) uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range bytes.Split(text, []byte("\n")) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == name+":" {
			kib, _ := strconv.ParseUint(string(fields[1]), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// ResetHighWater makes VmHWM begin anew.
func ResetHighWater() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}
