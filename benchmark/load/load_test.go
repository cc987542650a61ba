package load

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFlood(t *testing.T) {
	var calls [3]atomic.Int64
	Flood(3, 100, func(w, seq int) {
		if seq != int(calls[w].Add(1))-1 {
			t.Errorf("worker %d: number %d is out of turn", w, seq)
		}
	})
	if n := calls[0].Load() + calls[1].Load() + calls[2].Load(); n != 100 {
		t.Errorf("%d calls, want 100", n)
	}
}

// A call that does not return is in the figures, with its time so far, and for the
// corrected ones with those that could not be made meanwhile.
func TestSteadyStuck(t *testing.T) {
	release := make(chan struct{})
	var stuck atomic.Bool
	s := StartSteady(2, 1000, 200*time.Millisecond, func(w, _ int) {
		if w == 0 && stuck.CompareAndSwap(false, true) {
			<-release
		}
	})
	l := s.Wait(50 * time.Millisecond)
	if l.Stuck != 1 {
		t.Errorf("%d calls are stuck, want 1", l.Stuck)
	}
	if l.Max < 200*time.Millisecond {
		t.Errorf("the longest call took %v, want that of the one which has not returned", l.Max)
	}
	// The other worker has made up to a hundred quick calls; half of all that were
	// due could not be made.
	if l.Corrected.P90 < 50*time.Millisecond {
		t.Errorf("corrected p90 is %v, want that calls which could not be made are in it", l.Corrected.P90)
	}
	if l.P50 > 50*time.Millisecond {
		t.Errorf("p50 of the calls themselves is %v, want the quick ones'", l.P50)
	}
	close(release)
	s.group.Wait()
}

func TestSteadyRate(t *testing.T) {
	s := StartSteady(4, 2000, 250*time.Millisecond, func(int, int) {})
	l := s.Wait(time.Minute)
	if l.Stuck != 0 || l.Calls != int64(s.Calls()) || l.Calls == 0 || l.Calls > 500 {
		t.Errorf("%+v, %d calls: want up to 500", l, s.Calls())
	}
}

func TestSteadyFullSpeed(t *testing.T) {
	l := StartSteady(2, 0, 100*time.Millisecond, func(int, int) {}).Wait(time.Minute)
	if l.Stuck != 0 || l.Calls < 1000 || l.Corrected.P50 != l.P50 {
		t.Errorf("%+v: want many calls, and nothing corrected", l)
	}
}
