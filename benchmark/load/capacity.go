package load

import "time"

// Capacity is how much may be pending where a load waits for what it has logged.
type Capacity struct {
	Pending func() uint64 // entries that have no outcome yet
	Most    uint64
}

const (
	// lookEvery is how many calls a worker makes before it looks again: often enough
	// that what is pending stays near Most, and seldom enough that looking is not
	// what is measured.
	lookEvery = 32
	// lookAgain is how often a worker looks that waits.
	lookAgain = 100 * time.Microsecond
)

// HoldUp returns the call so that it waits while more than Most is pending. Each
// worker looks at every 32nd of its calls, and so at first: up to 31 more of each may
// be under way.
func (c Capacity) HoldUp(call Call) Call {
	return func(worker, seq int) {
		if seq%lookEvery == 0 {
			c.wait()
		}
		call(worker, seq)
	}
}

func (c Capacity) wait() {
	if c.Pending() <= c.Most {
		return
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for c.Pending() > c.Most {
		<-tick.C
	}
}
