package producertest

import (
	"runtime"
	"strings"
	"time"
)

// goroutines returns the stack of each goroutine in the process by its number.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := make(map[string]string)
	for _, stack := range strings.Split(string(buf), "\n\n") {
		// "goroutine 17 [chan receive, 2 minutes]:"
		fields := strings.Fields(stack)
		if len(fields) > 1 {
			all[fields[1]] = stack
		}
	}
	return all
}

// newGoroutines waits until at most allowed goroutines are left that were not
// there before, and returns the stacks of those which are.
func newGoroutines(before map[string]string, allowed int, limit time.Duration) []string {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause *= 2 {
		var left []string
		for id, stack := range goroutines() {
			if _, old := before[id]; !old {
				left = append(left, stack)
			}
		}
		if len(left) <= allowed || time.Now().After(deadline) {
			return left
		}
		if pause > 100*time.Millisecond {
			pause = 100 * time.Millisecond
		}
		<-time.After(pause)
	}
}
