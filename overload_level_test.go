package zapkafka

import (
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// overloaded is a queue without goroutines: what the client and the disk do is up to
// the test.
type overloaded struct {
	*queue
	rng   *rand.Rand
	atAll []*chunk // with the client
}

func newOverloaded(t *testing.T, seed int64, o *Options, overhead Overhead) *overloaded {
	t.Helper()
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	q, err := newQueue(o, overhead)
	if err != nil {
		t.Fatal(err)
	}
	return &overloaded{queue: q, rng: rand.New(rand.NewSource(seed))}
}

// log puts an entry of a level and reports whether it has found room. What is lost has
// another error than what is shed.
func (q *overloaded) log(t *testing.T, level zapcore.Level, line []byte) bool {
	t.Helper()
	m := &meta{level: rankOf(level)}
	noRoom, shed := q.counters.lost[lostNoRoom].Load(), q.counters.shed[m.level].Load()
	err := q.put(m, line)
	switch important := level > zapcore.InfoLevel; {
	case err == nil:
		return true
	case important && errors.Is(err, ErrQueueFull):
		if q.counters.lost[lostNoRoom].Load() != noRoom+1 {
			t.Fatal("lost, and not counted")
		}
	case !important && errors.Is(err, errShed):
		if q.counters.shed[m.level].Load() != shed+1 {
			t.Fatal("shed, and not counted")
		}
	default:
		t.Fatalf("put of level %v: %v", level, err)
	}
	return false
}

// disk writes one chunk, if one is to be written.
func (q *overloaded) disk() bool {
	j, _ := q.takeForFallback(time.Now())
	switch {
	case j.c == nil:
		return false
	case j.c.records == nil:
		kept := q.forFallback()
		q.diskAnswered(nil, false)
		q.wroteWhole(j.c, j.c.entries()-j.c.from, j.why, lostFallbackFailed, &kept)
	}
	return true
}

// diskAll writes all that is to be written.
func (q *overloaded) diskAll() {
	for q.disk() {
		continue
	}
}

// client takes a chunk, or acknowledges one.
func (q *overloaded) client() {
	if c, _ := q.takeForProducer(time.Now()); c != nil {
		c.makeRecords("test")
		q.publish(c)
		q.atAll = append(q.atAll, c)
		return
	}
	q.acknowledge()
}

func (q *overloaded) acknowledge() {
	if len(q.atAll) > 0 {
		c := q.atAll[0]
		q.atAll = q.atAll[1:]
		for i := range c.records {
			c.records[i].Done(nil)
		}
	}
}

// Whatever the client and the disk do: when an entry of Warn or above finds no room,
// none of Info and none of Debug does, and when one of Info does not, none of Debug
// does. Nothing is dropped as long as the disk keeps up.
func TestLowLevelsAreShedFirst(t *testing.T) {
	seed := time.Now().UnixNano()
	for run := int64(0); run < 3; run++ {
		seed := seed + run
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewSource(seed))
			q := newOverloaded(t, seed, &Options{BufferBytes: int64(5+rng.Intn(4)) << 20, MaxWait: -1},
				Overhead{RecordBytes: rng.Intn(300), ValuePercent: rng.Intn(60)})
			levels := []zapcore.Level{zapcore.DebugLevel, zapcore.DebugLevel, zapcore.InfoLevel, zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel, zapcore.InvalidLevel}
			line := make([]byte, 1500+rng.Intn(2500))
			var dropped [3]int
			for phase := 0; phase < 8; phase++ {
				keepsUp, disk, client := phase%4 == 0, rng.Intn(3), rng.Intn(3)
				for i := 0; i < 8_000; i++ {
					level := levels[rng.Intn(len(levels))]
					n := 1 + rng.Intn(len(line))
					if !q.log(t, level, line[:n]) {
						if keepsUp && i > 0 {
							t.Fatalf("phase %d: an entry of level %v is dropped although the disk keeps up", phase, level)
						}
						if level > zapcore.InfoLevel {
							dropped[2]++
							if q.log(t, zapcore.InfoLevel, line[:n]) {
								t.Fatalf("phase %d: Info finds room where %v did not", phase, level)
							}
							level = zapcore.InfoLevel
						}
						if level == zapcore.InfoLevel {
							dropped[1]++
							if q.log(t, zapcore.DebugLevel, line[:n]) {
								t.Fatalf("phase %d: Debug finds room where Info did not", phase)
							}
						}
						dropped[0]++
					}
					if keepsUp {
						q.diskAll()
					}
					if rng.Intn(1000) < disk {
						q.disk()
					}
					if rng.Intn(1000) < client {
						q.client()
					}
				}
				q.diskAll()
			}
			if dropped[0] == 0 || dropped[0] < dropped[1] || dropped[1] < dropped[2] {
				t.Errorf("dropped %v", dropped)
			}
			q.close()
			q.giveUp(q.accepted, reasonClosed, 0)
			q.diskAll()
			for len(q.atAll) > 0 {
				q.acknowledge()
			}
			checkBalance(t, q.stats())
			if q.used != 0 {
				t.Errorf("%d bytes are charged at the end", q.used)
			}
		})
	}
}

// With a disk that does nothing at all, each class has room left that those below
// cannot have, and as much as a few hundred entries.
func TestRoomIsLeftForImportantEntries(t *testing.T) {
	q := newOverloaded(t, 1, &Options{MaxWait: -1}, Overhead{RecordBytes: 200, ValuePercent: 20})
	room := func(level zapcore.Level) (n int) {
		for q.log(t, level, line200) {
			n++
		}
		return n
	}
	debug := room(zapcore.DebugLevel)
	if !q.log(t, zapcore.ErrorLevel, line200) || q.log(t, zapcore.DebugLevel, line200) {
		t.Error("Error finds no room, or Debug in the memory that was taken for it")
	}
	info, warn := room(zapcore.InfoLevel), room(zapcore.InvalidLevel)
	if debug < 50_000 || info < 3000 || warn < 3000 {
		t.Errorf("room for %d entries of Debug, then %d of Info, then %d of no level", debug, info, warn)
	}
	if n := room(zapcore.InfoLevel) + room(zapcore.DebugLevel) + room(zapcore.FatalLevel); n != 0 {
		t.Errorf("room for %d more", n)
	}
	// Large ones of low levels do not go where the others may not.
	if q.log(t, zapcore.DebugLevel, make([]byte, 800_000)) {
		t.Error("room for a large one")
	}
}

// A single large entry of any level finds room when all else is spilled and the client
// holds its half.
func TestLargeEntriesOfLowLevelsFindRoom(t *testing.T) {
	for _, o := range []Options{{BufferBytes: 4 << 20, MaxEntryBytes: 1 << 20}, {BufferBytes: 4 << 20}, {}} {
		o := o
		o.MaxWait = -1
		q := newOverloaded(t, 1, &o, Overhead{RecordBytes: 300, ValuePercent: 50})
		for i := 0; i < 60_000; i++ {
			q.log(t, zapcore.InfoLevel, line200)
			if c, _ := q.takeForProducer(time.Now()); c != nil {
				c.makeRecords("test")
				q.publish(c)
				q.atAll = append(q.atAll, c)
			}
			q.diskAll()
		}
		q.mu.Lock()
		for len(q.waiting) > 0 {
			c := q.waiting[0]
			q.takeWholeLocked(c)
			q.mu.Unlock()
			kept := q.forFallback()
			q.wroteWhole(c, c.entries(), reasonQueueFull, 0, &kept)
			q.mu.Lock()
		}
		q.used = q.clientMost + q.stuckMost + q.chunkCost() // the most that may stay
		q.mu.Unlock()
		if !q.log(t, zapcore.DebugLevel, make([]byte, q.maxEntry)) {
			t.Errorf("BufferBytes %d, MaxEntryBytes %d: no room for the largest entry at Debug", q.limit, q.maxEntry)
		}
	}
}

// Those who wait are served by level, whoever came first.
func TestWaitersAreServedByLevel(t *testing.T) {
	q := newOverloaded(t, 1, &Options{BufferBytes: 4 << 20, MaxWait: -1}, Overhead{})
	for q.log(t, zapcore.WarnLevel, line200) {
	}
	q.maxWait = waitTime
	var wg sync.WaitGroup
	waiting := func() int {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.waiters)
	}
	for i, level := range []zapcore.Level{zapcore.DebugLevel, zapcore.InfoLevel, zapcore.InfoLevel, zapcore.WarnLevel, zapcore.DebugLevel, zapcore.InvalidLevel} {
		line := []byte(fmt.Sprintf("%d", i))
		m := &meta{level: rankOf(level)}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := q.put(m, line); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}()
		eventually(t, "one more who waits", func() bool { return waiting() == i+1 })
	}
	for waiting() > 0 {
		if !q.disk() {
			t.Fatal("nothing to write, and somebody waits")
		}
	}
	wg.Wait()
	q.sealLocked()
	got := ""
	for _, c := range q.waiting {
		for i := 0; i < c.entries(); i++ {
			if line := c.line(i); len(line) == 2 {
				got += string(line[:1])
			}
		}
	}
	if got != "351204" {
		t.Errorf("served in the order %s, want 351204: Warn and what has no level, Info, Debug", got)
	}
}

// A newcomer is behind those who wait for more room than it needs, unless they are of
// lower levels.
func TestNewcomersAreBehindWhoWaits(t *testing.T) {
	for _, tt := range []struct {
		first zapcore.Level
		waits bool
	}{{zapcore.InfoLevel, false}, {zapcore.WarnLevel, true}} {
		tt := tt
		t.Run(tt.first.String(), func(t *testing.T) {
			q := newOverloaded(t, 1, &Options{BufferBytes: 8 << 20, MaxWait: -1}, Overhead{})
			for q.log(t, zapcore.WarnLevel, line200) {
			}
			q.maxWait = waitTime
			var wg sync.WaitGroup
			put := func(level zapcore.Level, n int) {
				wg.Add(1)
				go func() {
					defer wg.Done()
					if err := q.put(&meta{level: rankOf(level)}, make([]byte, n)); err != nil {
						t.Error(err)
					}
				}()
			}
			waiting := func() int {
				q.mu.Lock()
				defer q.mu.Unlock()
				return len(q.waiters)
			}
			put(tt.first, 500_000)
			eventually(t, "one who waits", func() bool { return waiting() == 1 })
			// Room for a chunk, and not for him.
			if !q.disk() {
				t.Fatal("nothing to write")
			}
			if tt.waits {
				put(zapcore.WarnLevel, 200)
				eventually(t, "another who waits", func() bool { return waiting() == 2 })
			} else if !q.log(t, zapcore.WarnLevel, line200) || waiting() != 1 {
				t.Error("Warn is lost, or Info is not where it was")
			}
			for waiting() > 0 {
				if !q.disk() {
					t.Fatal("nothing to write, and somebody waits")
				}
			}
			wg.Wait()
		})
	}
}

// Once one has waited in vain, his level and those below do not wait until there is
// room again.
func TestWaitsInVain(t *testing.T) {
	q := newOverloaded(t, 1, &Options{BufferBytes: 8 << 20, MaxWait: -1}, Overhead{})
	for q.log(t, zapcore.WarnLevel, line200) {
	}
	q.maxWait = time.Millisecond
	if q.log(t, zapcore.DebugLevel, line200) {
		t.Fatal("room in a full queue")
	}
	q.maxWait = 10 * waitTime
	if q.log(t, zapcore.DebugLevel, line200) { // at once
		t.Fatal("room in a full queue")
	}
	served := make(chan error, 1)
	go func() { served <- q.put(&meta{level: rankOf(zapcore.InfoLevel)}, line200) }()
	eventually(t, "Info to wait", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.waiters) == 1
	})
	q.diskAll()
	if err := <-served; err != nil || q.noWait != 0 {
		t.Errorf("Info: %v; class %d does not wait", err, q.noWait)
	}
}

// After a while one of those who do not wait tries it, alone; once he is served they all
// wait again, although there is no more room than before.
func TestOneTriesToWaitAgain(t *testing.T) {
	q := newOverloaded(t, 1, &Options{BufferBytes: 8 << 20, MaxWait: -1}, Overhead{})
	for q.log(t, zapcore.WarnLevel, line200) {
	}
	q.maxWait = time.Millisecond
	if q.log(t, zapcore.InfoLevel, line200) {
		t.Fatal("room in a full queue")
	}
	if left := time.Until(q.noWaitUntil[classInfo]); q.noWait != classImportant || left <= 0 || left > noWaitLeast {
		t.Fatalf("classes below %d do not wait for %v", q.noWait, left)
	}
	q.noWaitUntil = [classes]time.Time{} // a second later
	q.maxWait = 10 * waitTime
	served := make(chan error, 1)
	go func() { served <- q.put(&meta{level: rankOf(zapcore.InfoLevel)}, line200) }()
	eventually(t, "one who waits", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.waiters) == 1
	})
	if q.log(t, zapcore.InfoLevel, line200) { // at once
		t.Error("room beside one who waits for it")
	}
	low := q.low
	q.low = q.limit // so that no room is enough
	q.diskAll()
	if err := <-served; err != nil || q.noWait != classInfo {
		t.Errorf("%v; classes below %d do not wait, want %d", err, q.noWait, classInfo)
	}
	q.low = low
}

// However small the bound: when Debug finds no room any more, Info has a chunk's, and then
// Warn another.
func TestRoomForHigherLevels(t *testing.T) {
	for _, o := range []Options{
		{BufferBytes: 4 << 20, MaxEntryBytes: 1000},
		{BufferBytes: 4 << 20, MaxEntryBytes: 256 << 10},
		{BufferBytes: 5 << 20, MaxEntryBytes: 100_000},
		{BufferBytes: 5 << 20},
		{},
	} {
		for _, overhead := range []Overhead{{}, {RecordBytes: 320, ValuePercent: 100}, {RecordBytes: 600, ValuePercent: 100}} {
			o.MaxWait = -1
			q := newOverloaded(t, 1, &o, overhead)
			for _, level := range []zapcore.Level{zapcore.DebugLevel, zapcore.InfoLevel, zapcore.WarnLevel} {
				n := 0
				for q.log(t, level, line200) {
					n++
				}
				if n < q.chunkRecords/2 {
					t.Errorf("%d bytes, entries of %d, %+v: room for %d entries of level %v, want %d", q.limit, q.maxEntry, overhead, n, level, q.chunkRecords/2)
				}
			}
		}
	}
}

// When Warn finds no room, what is left of the open chunk is not for Debug either.
func TestTheRestOfAChunkIsNotForLowLevels(t *testing.T) {
	q := newOverloaded(t, 1, &Options{MaxWait: -1}, Overhead{})
	if !q.log(t, zapcore.DebugLevel, line200) {
		t.Fatal("no room in an empty queue")
	}
	q.used = q.limit - q.reserve // as if the client needed all of it
	if q.log(t, zapcore.WarnLevel, make([]byte, 500_000)) {
		t.Fatal("room in a full queue")
	}
	if q.log(t, zapcore.DebugLevel, line200) {
		t.Error("Debug finds room where Warn did not")
	}
}

// An outage of Kafka sheds nothing as long as the disk works, however hard everybody
// logs.
func TestAnOutageShedsNothing(t *testing.T) {
	p := &fakeProducer{}
	p.handle = p.hold
	s := newTestSyncer(t, p, &memoryFile{}, &Options{BufferBytes: 4 << 20, OutageAfter: 20 * time.Millisecond})
	var wg sync.WaitGroup
	const goroutines, each = 4, 20_000
	for g := 0; g < goroutines; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := 0; i < each; i++ {
				_, _ = s.write(&meta{level: levelRank((g + i) % levelRanks)}, line200)
			}
		}(g)
	}
	wg.Wait()
	if st := s.Stats(); st.Shed != 0 || st.Lost.Total() != 0 || st.Accepted != goroutines*each {
		t.Errorf("%+v", st)
	}
}
