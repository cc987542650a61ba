package harness

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/ids"
)

// Sheet is what is known after a scenario: what was logged, what the sink says
// of it, and what was found.
type Sheet struct {
	Scenario string
	Counts   []int // entries logged by each worker, from Seq 0
	Others   int   // entries logged without an ID
	Deleted  int   // entries that Kafka had acknowledged and that were deleted there
	Stats    zapkafka.Stats
	Fallback zapkafka.FallbackStats
	Topic    *Tally
	Files    *Tally

	LongestCall, P999 time.Duration
}

// Sheet reads the topic and the fallback and compares.
func (k *Kafka) Sheet(t testing.TB, scenario string, s *Sink, counts []int, calls *hdrhistogram.Histogram) *Sheet {
	t.Helper()
	files, err := ReadFallback(s.Dir)
	if err != nil {
		t.Errorf("the fallback is damaged: %v", err)
	}
	sheet := &Sheet{
		Scenario: scenario, Counts: counts, Stats: s.Syncer.Stats(), Fallback: s.Fallback.Stats(),
		Topic: k.Read(t, s.Topic), Files: files,
		LongestCall: time.Duration(calls.Max()), P999: time.Duration(calls.ValueAtQuantile(99.9)),
	}
	if n, ok := k.Count(t, s.Topic); ok && n != sheet.Topic.Records {
		t.Errorf("kcat counts %d records in topic %s, franz-go %d", n, s.Topic, sheet.Topic.Records)
	}
	if t.Failed() {
		t.Logf("the error handler was told:\n%s", s.Errors)
	}
	return sheet
}

// Accepted is how many entries were logged.
func (s *Sheet) Accepted() int {
	n := s.Others
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// Absent is how many entries with an ID are neither in the topic nor on file,
// and names the first few.
func (s *Sheet) Absent() (int, []ids.ID) {
	n, some := 0, []ids.ID(nil)
	for worker, count := range s.Counts {
		for seq := range count {
			id := ids.ID{Worker: worker, Seq: seq}
			if s.Topic.Times(id) == 0 && s.Files.Times(id) == 0 {
				if n++; n <= 5 {
					some = append(some, id)
				}
			}
		}
	}
	return n, some
}

// Both is how many entries are in the topic and on file.
func (s *Sheet) Both() int {
	n := 0
	for worker, count := range s.Counts {
		for seq := range count {
			id := ids.ID{Worker: worker, Seq: seq}
			if s.Topic.Times(id) > 0 && s.Files.Times(id) > 0 {
				n++
			}
		}
	}
	return n
}

// Missing is how many entries are nowhere although the sink does not count them
// as lost or shed.
func (s *Sheet) Missing() int {
	absent, _ := s.Absent()
	return absent - int(s.Stats.Shed) - int(s.Stats.Lost.Total()) - s.Deleted
}

// Check holds the sink's numbers against what was found, and prints the line.
func (s *Sheet) Check(t testing.TB) {
	t.Helper()
	s.print(t)
	st := s.Stats
	accepted := uint64(s.Accepted())
	if st.Accepted != accepted {
		t.Errorf("Stats.Accepted = %d, but %d entries were logged", st.Accepted, accepted)
	}
	if st.PendingEntries != 0 {
		t.Errorf("Stats.PendingEntries = %d at rest", st.PendingEntries)
	}
	if sum := st.Acked + st.FellBack.Total() + st.Shed + st.Lost.Total(); sum != accepted {
		t.Errorf("the sheet does not balance: acked %d + fellback %d + shed %d + lost %d = %d of %d accepted",
			st.Acked, st.FellBack.Total(), st.Shed, st.Lost.Total(), sum, accepted)
	}
	if n := s.Missing(); n != 0 {
		_, some := s.Absent()
		t.Errorf("%d entries are missing, such as %v; Stats: %+v", n, some, st)
	}
	s.checkFallback(t)
	if n := s.Files.Repeated(); n != 0 {
		t.Errorf("%d entries are on file more than once", n)
	}
	// What was acknowledged late may have been replayed too.
	if n := s.Topic.Distinct() + s.Topic.Foreign + s.Deleted; uint64(n) < st.Acked+max(st.LateAcked, s.Fallback.Replayed) {
		t.Errorf("%d entries are in the topic, but Stats.Acked is %d, LateAcked %d, and %d were replayed", n, st.Acked, st.LateAcked, s.Fallback.Replayed)
	}
	if n := s.Topic.Foreign + s.Files.Foreign; n < s.Others {
		t.Errorf("%d entries without an ID were found, but %d logged", n, s.Others)
	}
	// A segment of which a part was replayed is still there, and of what waits the
	// replay may have had a part with the client.
	if n := s.Both(); uint64(n) > st.PossiblyDuplicate+s.Fallback.Replayed+s.replaying() {
		t.Errorf("%d entries are in the topic and on file, but Stats.PossiblyDuplicate is %d, and %d were replayed", n, st.PossiblyDuplicate, s.Fallback.Replayed)
	}
	if n := st.RepeatedReports; n != 0 {
		t.Errorf("the producer reported %d records twice", n)
	}
}

// replaying is the most that the replay had with the client at the end.
func (s *Sheet) replaying() uint64 {
	const most = 64 << 10 // some batches of a thousand
	return min(most, s.Fallback.OnFile)
}

// Replayed waits until nothing is on file any more.
func (s *Sink) Replayed(t testing.TB) {
	t.Helper()
	Eventually(t, "all that fell back is in Kafka", func() bool { return s.Fallback.Stats().OnFile == 0 })
}

// checkFallback holds the fallback's own sheet against itself, the sink's, and
// the files.
func (s *Sheet) checkFallback(t testing.TB) {
	t.Helper()
	f := s.Fallback
	if sum := f.Replayed + f.Rejected + f.Quarantined + f.Evicted + f.OnFile; sum != f.Inherited+f.Stored {
		t.Errorf("the fallback's sheet does not balance: %d inherited + %d stored, but %d in all: %+v", f.Inherited, f.Stored, sum, f)
	}
	if n := f.Stored + f.Oversize; n != s.Stats.FellBack.Total() {
		t.Errorf("the fallback was given %d entries, but Stats.FellBack is %d: %+v", n, s.Stats.FellBack.Total(), s.Stats.FellBack)
	}
	// A segment stays as it is until all of it is replayed.
	least := f.OnFile + f.Rejected + f.Oversize
	if n := uint64(s.Files.Records); n < least || n > least+f.Replayed {
		t.Errorf("%d entries are in the files, but the fallback counts %d waiting, %d rejected, %d too large, and %d replayed", n, f.OnFile, f.Rejected, f.Oversize, f.Replayed)
	}
}

// None fails if entries were lost.
func (s *Sheet) None(t testing.TB) {
	t.Helper()
	if n := s.Stats.Lost.Total() + s.Stats.Shed; n != 0 {
		t.Errorf("%d entries were lost or shed: %+v", n, s.Stats.Lost)
	}
}

const header = "scenario                     accepted    acked  fallback  replayed  on file  shed  lost  missing  duplicate  in both     maxcall      p99.9"

var (
	linesMu sync.Mutex
	lines   []string
	notes   []string
)

func (s *Sheet) print(t testing.TB) {
	t.Helper()
	line := fmt.Sprintf("%-27s %9d %8d  %8d  %8d  %7d  %4d  %4d  %7d  %9d  %7d  %10v %10v",
		s.Scenario, s.Stats.Accepted, s.Stats.Acked, s.Stats.FellBack.Total(), s.Fallback.Replayed, s.Fallback.OnFile, s.Stats.Shed, s.Stats.Lost.Total(),
		s.Missing(), s.Topic.Repeated(), s.Both(), s.LongestCall.Round(time.Microsecond), s.P999.Round(time.Microsecond))
	t.Logf("\n%s\n%s", header, line)
	linesMu.Lock()
	defer linesMu.Unlock()
	lines = append(lines, line)
}

// Note prints figures, and once more in the summary.
func Note(t testing.TB, text string) {
	t.Helper()
	t.Log(text)
	linesMu.Lock()
	defer linesMu.Unlock()
	notes = append(notes, text)
}

// Summary writes the notes, and the lines of all scenarios.
func Summary(w io.Writer) {
	linesMu.Lock()
	defer linesMu.Unlock()
	if len(lines) == 0 {
		return
	}
	all := slices.Concat(notes, []string{header}, lines)
	_, _ = fmt.Fprintln(w, strings.Join(all, "\n"))
}
