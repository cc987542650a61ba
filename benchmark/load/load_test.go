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

// madeUp is a load of one worker that is due to call every millisecond, for a tenth
// of a second.
func madeUp() *Steady {
	s := &Steady{workers: 1, rate: 1000, duration: 100 * time.Millisecond, each: make([]worker, 1)}
	s.each[0].times, s.each[0].due, s.each[0].inCall = newHistogram(), newHistogram(), -1
	return s
}

// Each call is in the corrected figures once, with the time since it was due:
// those which a slow one holds up, too, and no others in their place.
func TestCorrected(t *testing.T) {
	s := madeUp()
	me, times := &s.each[0], dueTimes{every: s.every()}
	const ms = time.Millisecond
	now := time.Duration(0)
	for n := range 100 {
		now = max(now, times.from(n))
		began := now
		if now += 10 * time.Microsecond; n == 20 {
			now += 40 * ms // from 21 ms on, and what comes after is late until it is made up for
		}
		me.begins(began, times.from(n))
		me.returned(began, now)
	}
	me.ended = true
	all, due, stuck := s.histograms(time.Hour)
	if all.TotalCount() != 100 || due.TotalCount() != 100 || stuck != 0 {
		t.Errorf("%d calls, %d corrected, %d stuck: want 100, 100 and 0", all.TotalCount(), due.TotalCount(), stuck)
	}
	// 40 ms, and for the forty after it one millisecond less each: half of these
	// took 20 ms at least, which is a fifth of all.
	for quantile, want := range map[float64]time.Duration{50: 10 * time.Microsecond, 80: 20 * ms, 90: 30 * ms, 100: 40 * ms} {
		if got := time.Duration(due.ValueAtQuantile(quantile)); got < want || got > want+2*ms {
			t.Errorf("p%v is %v, want about %v", quantile, got, want)
		}
	}
}

// A call that has not returned, and those that were due after it until the end, are
// in the corrected figures with the time so far.
func TestCorrectedStuck(t *testing.T) {
	s := madeUp()
	me, times := &s.each[0], dueTimes{every: s.every()}
	for n := range 51 {
		me.begins(times.from(n), times.from(n))
		if n < 50 {
			me.returned(times.from(n), times.from(n)+time.Microsecond)
		}
	}
	const now = 200 * time.Millisecond // the last is due at the end itself: nobody makes it
	all, due, stuck := s.histograms(now)
	if all.TotalCount() != 51 || due.TotalCount() != 99 || stuck != 1 {
		t.Errorf("%d calls, %d corrected, %d stuck: want 51, 99 and 1", all.TotalCount(), due.TotalCount(), stuck)
	}
	if got, want := time.Duration(due.Max()), now-times.from(50); got < want || got > want+time.Millisecond {
		t.Errorf("the longest is %v, want %v", got, want)
	}
	if got := time.Duration(due.ValueAtQuantile(55)); got < 100*time.Millisecond {
		t.Errorf("the least of what was not made is %v, want 100 ms at least", got)
	}
}

// That the worker wakes up late is not the log's: a call that was due meanwhile
// counts from then on. What was due when a call held the worker up counts from when
// it was due.
func TestDueTimes(t *testing.T) {
	const ms = time.Millisecond
	times := dueTimes{every: 10 * ms, slept: 35 * ms, woke: 52 * ms}
	for n, want := range []time.Duration{10 * ms, 20 * ms, 30 * ms, 52 * ms, 52 * ms, 60 * ms} {
		if got := times.from(n); got != want {
			t.Errorf("call %d is due at %v, want %v", n, got, want)
		}
	}
	if n := times.by(59 * ms); n != 5 {
		t.Errorf("%d are due, want 5", n)
	}
}
