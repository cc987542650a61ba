package load

import (
	"sync"
	"sync/atomic"
	"testing"
)

// What is pending never exceeds the limit by more than what the workers may log
// between two looks, and all calls are made.
func TestHoldUp(t *testing.T) {
	const workers, calls, most = 4, 20_000, 500
	var made, settled atomic.Int64
	var mu sync.Mutex
	highest := int64(0)
	logged := make(chan struct{}, calls)
	c := Capacity{Most: most, Pending: func() uint64 {
		before := settled.Load() // first, so that it is never less than what is pending
		return uint64(made.Load() - before)
	}}
	ended := make(chan struct{})
	go func() { // the client, which settles one after another
		defer close(ended)
		for range logged {
			settled.Add(1)
		}
	}()
	Flood(workers, calls, c.HoldUp(func(int, int) {
		pending := made.Add(1) - settled.Load()
		mu.Lock()
		highest = max(highest, pending)
		mu.Unlock()
		logged <- struct{}{}
	}))
	close(logged)
	<-ended
	if n := made.Load(); n != calls {
		t.Errorf("%d calls were made, want %d", n, calls)
	}
	if n := highest; n > most+workers*lookEvery {
		t.Errorf("up to %d were pending, want %d at most and %d of each worker", n, most, lookEvery)
	}
}

// A call waits as long as more than the limit is pending, and no longer.
func TestHoldUpWaits(t *testing.T) {
	var pending, called atomic.Int64
	pending.Store(3)
	looked := make(chan struct{})
	c := Capacity{Most: 2, Pending: func() uint64 {
		select {
		case looked <- struct{}{}:
		default:
		}
		return uint64(pending.Load())
	}}
	call := c.HoldUp(func(int, int) { called.Add(1) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		call(0, lookEvery)
	}()
	for range 3 { // it looks again and again
		<-looked
	}
	if called.Load() != 0 {
		t.Error("a call was made though more than the limit is pending")
	}
	pending.Store(2)
	<-ended
	pending.Store(3)
	call(0, lookEvery+1) // which does not look
	if n := called.Load(); n != 2 {
		t.Errorf("%d calls were made, want 2", n)
	}
}
