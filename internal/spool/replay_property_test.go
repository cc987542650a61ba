package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReplayProperty lives many random lives of one directory: appends, reads,
// acknowledgements in any order, refusals, evictions, a disk that fails, ends
// without Close, and crashes of the machine which cut or zero the ends of files.
// At every moment the sheet is balanced and its numbers are those of an observer
// who reads the files; in the end every entry was acknowledged, rejected, evicted
// or spoilt by a crash.
func TestReplayProperty(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 20
	}
	for seed := 0; seed < seeds; seed++ {
		seed := seed
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			if !newLives(t, int64(seed)).run() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

type lives struct {
	t   *testing.T
	rnd *rand.Rand
	dir string
	fs  *faultFS
	now time.Time
	o   Options

	s        *Spool
	r        *Replay
	inFlight []Pending
	settled  map[Position]bool // in this life
	begun    map[uint64]int64  // where the cursor was when this life began
	replayed uint64            // in this life
	moved    int               // lines in the rejected file when this life began
	aside    int               // entries in the quarantine then

	entries    int
	acked      map[string]bool
	refused    map[string]bool
	excused    map[string]bool // spoilt by a crash of the machine
	evicted    uint64          // in earlier lives
	faults     bool
	everFaulty bool // in this life
}

func newLives(t *testing.T, seed int64) *lives {
	rnd := rand.New(rand.NewSource(seed))
	l := &lives{t: t, rnd: rnd, dir: t.TempDir(), fs: newFaultFS(), now: firstTime,
		acked: map[string]bool{}, refused: map[string]bool{}, excused: map[string]bool{}}
	l.o = Options{SegmentBytes: int64(20 + rnd.Intn(400)), fs: l.fs, now: func() time.Time { return l.now }}
	if seed%3 == 2 {
		l.o.MaxBytes, l.o.Evict = int64(2000+rnd.Intn(4000)), true
	}
	l.faults = seed%2 == 1
	return l
}

func (l *lives) run() bool {
	l.open()
	for i := 0; i < 150 && !l.t.Failed(); i++ {
		switch n := l.rnd.Intn(20); {
		case n < 6:
			l.append()
		case n < 11:
			l.next()
		case n < 15:
			l.ack()
		case n == 15:
			l.reject()
		case n == 16:
			l.again()
		case n == 17:
			l.now = l.now.Add(time.Duration(l.rnd.Intn(8)) * time.Second)
			if l.faults {
				l.fault()
			}
		case n == 18 && l.rnd.Intn(3) == 0:
			l.restart()
		case n == 19 && l.rnd.Intn(4) == 0:
			if err := l.s.Sync(); err != nil && !l.everFaulty {
				l.t.Error(err)
			}
		}
		l.check()
	}
	l.drain()
	return !l.t.Failed()
}

func (l *lives) open() {
	s, err := Open(l.dir, l.o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { s.Close() })
	l.s, l.inFlight, l.settled, l.begun, l.replayed = s, nil, map[Position]bool{}, map[uint64]int64{}, 0
	l.everFaulty = false
	l.moved, l.aside = len(l.rejectedLines()), l.quarantinedEntries()
	for _, g := range s.own.segments {
		l.begun[g.number] = g.cursor
	}
	l.r = mustReplay(l.t, s)
	if got, want := s.Stats().Inherited, l.onFile(); got != want {
		l.t.Fatalf("%d entries inherited, and %d are there", got, want)
	}
}

func (l *lives) restart() {
	l.fs.set(func(f *faultFS) { f.fail, f.room = nil, -1 })
	switch l.rnd.Intn(3) {
	case 0:
		l.evicted += l.s.Stats().Evicted
		if err := l.s.Close(); err != nil && !l.everFaulty {
			l.t.Error(err)
		}
	case 1:
		l.evicted += l.s.Stats().Evicted
		crash(l.s)
	case 2:
		l.evicted += l.s.Stats().Evicted
		crash(l.s)
		l.machineCrash()
	}
	l.open()
}

// machineCrash spoils what was not synced, or was.
func (l *lives) machineCrash() {
	// Of the rejected and damaged entries only what was synced is kept: the
	// cursor must not have relied on more.
	for _, name := range []string{rejectedName, quarantineName} {
		path := filepath.Join(l.dir, name)
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if kept := l.fs.durable[path]; kept < info.Size() {
			if err := os.Truncate(path, kept+l.rnd.Int63n(info.Size()-kept+1)); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	l.refused = map[string]bool{}
	for _, line := range l.rejectedLines() {
		if e, err := ParseEnvelope([]byte(line)); err == nil {
			l.refused[string(e.Value)] = true
		}
	}
	files, err := os.ReadDir(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range files {
		_, ext, ok := segmentNumber(f.Name())
		if !ok || l.rnd.Intn(3) > 0 {
			continue
		}
		path := filepath.Join(l.dir, f.Name())
		old := contents(l.t, path)
		n := l.rnd.Intn(60)
		if n > len(old) {
			n = len(old)
		}
		kept := old[:len(old)-n]
		if ext == textExt {
			l.excuse(old, len(kept))
		}
		if l.rnd.Intn(2) == 0 {
			kept += strings.Repeat("\x00", n)
		}
		write(l.t, path, kept)
	}
}

// excuse notes the entries of a text that reach behind from.
func (l *lives) excuse(text string, from int) {
	at := 0
	for _, line := range strings.SplitAfter(text, "\n") {
		at += len(line)
		if at <= from {
			continue
		}
		if e, err := ParseEnvelope([]byte(line)); err == nil {
			l.excused[string(e.Value)] = true
		} else {
			l.excused[strings.TrimSuffix(line, "\n")] = true
		}
	}
}

func (l *lives) fault() {
	l.everFaulty = true
	chance := []float64{0, 0.2, 0.7, 1}[l.rnd.Intn(4)]
	ops := map[string]bool{}
	for _, op := range []string{"open", "read", "write", "truncate", "sync", "remove", "readdir"} {
		ops[op] = l.rnd.Intn(3) == 0
	}
	room := -1
	roomFor := []string{textExt, indexExt, cursorExt, rejectedName, quarantineName}[l.rnd.Intn(5)]
	if l.rnd.Intn(3) == 0 {
		room = l.rnd.Intn(300)
	}
	l.fs.set(func(f *faultFS) {
		f.room, f.roomFor = room, roomFor
		f.fail = func(op, _ string) error {
			if ops[op] && l.rnd.Float64() < chance {
				return errIO
			}
			return nil
		}
	})
}

func (l *lives) append() {
	b := Batch{First: l.now, Last: l.now}
	var values []string
	for i := 0; i <= l.rnd.Intn(5); i++ {
		l.entries++
		v := fmt.Sprintf("%d%s", l.entries, strings.Repeat("x", l.rnd.Intn(40)))
		e := Envelope{Value: []byte(v)}
		if l.rnd.Intn(4) == 0 {
			e.Key = []byte("k")
			b.Text = AppendEnvelope(b.Text, e)
		} else {
			b.Text = append(append(b.Text, v...), '\n')
		}
		b.Ends = append(b.Ends, uint32(len(b.Text)))
		values = append(values, v)
	}
	n, err := l.s.Append(b)
	if err != nil && !l.everFaulty && !errors.Is(err, ErrFull) {
		l.t.Error(err)
	}
	for _, v := range values[n:] {
		l.excused[v] = true // the caller was told
	}
}

func (l *lives) next() {
	batch, err := l.r.Next(1+l.rnd.Intn(12), int64(l.rnd.Intn(300)))
	if err != nil && !l.everFaulty {
		l.t.Error(err)
	}
	l.inFlight = append(l.inFlight, batch...)
}

// pickFlights takes some of the entries in flight.
func (l *lives) pickFlights(n int) (picked []Pending) {
	for ; n > 0 && len(l.inFlight) > 0; n-- {
		i := l.rnd.Intn(len(l.inFlight))
		if l.rnd.Intn(2) == 0 {
			i = 0
		}
		picked = append(picked, l.inFlight[i])
		l.inFlight = append(l.inFlight[:i], l.inFlight[i+1:]...)
	}
	return picked
}

func (l *lives) there(p Position) bool {
	return l.r.b.find(p.segment) != nil
}

func (l *lives) ack() {
	var positions []Position
	for _, e := range l.pickFlights(1 + l.rnd.Intn(20)) {
		positions = append(positions, e.Position)
		if l.there(e.Position) {
			l.replayed++
			l.settled[e.Position] = true
		}
		l.acked[string(e.Value)] = true
	}
	if err := l.r.Done(positions...); err != nil && !l.everFaulty {
		l.t.Error(err)
	}
}

func (l *lives) reject() {
	for _, e := range l.pickFlights(1) {
		before := l.s.Stats().Rejected
		err := l.r.Reject(e, "refused")
		if err != nil && !l.everFaulty {
			l.t.Error(err)
		}
		if l.s.Stats().Rejected == before {
			if l.there(e.Position) {
				l.inFlight = append(l.inFlight, e)
			}
			continue
		}
		l.settled[e.Position] = true
		l.refused[string(e.Value)] = true
	}
}

func (l *lives) again() {
	for _, e := range l.pickFlights(1 + l.rnd.Intn(5)) {
		if l.rnd.Intn(2) == 0 {
			l.r.PassOver(e.Position)
		} else {
			l.r.Again(e.Position)
		}
	}
	if l.rnd.Intn(3) == 0 {
		l.r.Recall()
	}
}

func (l *lives) rejectedLines() []string { return l.lines(rejectedName) }

func (l *lives) lines(name string) []string {
	b, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		return nil
	}
	var whole []string
	for _, line := range bytes.SplitAfter(b, []byte{'\n'}) {
		// Without its newline too: whoever writes next adds that.
		if isEnvelope(line) && json.Valid(line) {
			whole = append(whole, string(line))
		}
	}
	return whole
}

func (l *lives) quarantinedEntries() int {
	sum := 0
	for _, line := range l.lines(quarantineName) {
		var p struct{ Entries int }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			l.t.Fatal(err)
		}
		sum += p.Entries
	}
	return sum
}

// onFile counts what waits, by reading the files.
func (l *lives) onFile() uint64 {
	sum := 0
	paths, err := Segments(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, path := range paths {
		number, _, _ := segmentNumber(filepath.Base(path))
		r, err := OpenReader(path)
		if err != nil {
			l.t.Fatal(err)
		}
		for {
			e, err := r.Next()
			var d *DamageError
			if errors.Is(err, io.EOF) {
				break
			}
			switch {
			case errors.As(err, &d):
				if d.Offset+d.Length > l.begun[number] || d.Length == 0 {
					sum += d.Entries
				}
			case err != nil:
				l.t.Fatal(err)
			case e.Offset+e.Length > l.begun[number] && !l.settled[Position{number, e.Offset}]:
				sum++
			}
		}
		r.Close()
		// What went to the quarantine in this life, and is still in its file.
		if g := l.s.own.find(number); g != nil {
			for _, p := range l.asideOf(filepath.Base(path)) {
				sum -= p
			}
		}
	}
	return uint64(sum)
}

// asideOf is what the quarantine has got of a file in this life.
func (l *lives) asideOf(file string) (entries []int) {
	sum := 0
	for _, line := range l.lines(quarantineName) {
		var p struct {
			Entries int
			File    string
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			l.t.Fatal(err)
		}
		if sum += p.Entries; sum > l.aside && p.File == file {
			entries = append(entries, p.Entries)
		}
	}
	return entries
}

func (l *lives) check() {
	st := l.s.Stats()
	wantBalance(l.t, st)
	if st.Replayed != l.replayed {
		l.t.Fatalf("%d replayed, want %d", st.Replayed, l.replayed)
	}
	if l.everFaulty {
		// A line of which only the newline was missing, and which could not be
		// cut off, is in the file, and again when the caller has tried again.
		if got := len(l.rejectedLines()) - l.moved; st.Rejected > uint64(got) {
			l.t.Fatalf("%d rejected, and %d are in the file", st.Rejected, got)
		}
		return
	}
	if got := len(l.rejectedLines()) - l.moved; st.Rejected != uint64(got) {
		l.t.Fatalf("%d rejected, and %d are in the file", st.Rejected, got)
	}
	if got := l.quarantinedEntries() - l.aside; st.Quarantined != uint64(got) {
		l.t.Fatalf("%d quarantined, and %d are in the file", st.Quarantined, got)
	}
	if got := l.onFile(); st.OnFile != got {
		l.t.Fatalf("%d on file, and %d are there: %+v", st.OnFile, got, st)
	}
	if got, want := st.Bytes, onDisk(l.t, l.dir); got != want {
		l.t.Fatalf("%d bytes, and %d are there", got, want)
	}
}

// drain replays what is left, on a disk that is well.
func (l *lives) drain() {
	l.fs.set(func(f *faultFS) { f.fail, f.room = nil, -1 })
	for i := 0; !l.t.Failed(); i++ {
		if i > 10_000 {
			l.t.Fatalf("does not come to an end: %+v, %s", l.s.Stats(), filesIn(l.t, l.dir))
		}
		l.now = l.now.Add(retryEvery)
		l.ack()
		l.r.Recall()
		before := len(l.inFlight)
		l.next()
		left := l.s.own.segments
		// One which the disk took nothing for stays for the next Append.
		nothing := len(left) == 0 || len(left) == 1 && left[0].live != nil && left[0].live.text.size == 0
		if len(l.inFlight) == 0 && before == 0 && l.s.Stats().OnFile == 0 && nothing {
			break
		}
	}
	l.check()
	for _, name := range strings.Fields(filesIn(l.t, l.dir)) {
		if name != rejectedName && name != quarantineName && !l.everFaulty {
			l.t.Errorf("%s is left", name)
		}
	}
	missing := uint64(0)
	var which []string
	for i := 1; i <= l.entries; i++ {
		found := false
		for n := 0; n < 40 && !found; n++ {
			v := fmt.Sprintf("%d%s", i, strings.Repeat("x", n))
			found = l.acked[v] || l.refused[v] || l.excused[v]
		}
		if !found {
			missing++
			which = append(which, fmt.Sprint(i))
		}
	}
	if evicted := l.evicted + l.s.Stats().Evicted; missing > evicted {
		l.t.Errorf("%d entries are missing, %d were evicted: %v", missing, evicted, which)
	}
}
