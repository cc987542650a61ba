package zapkafka

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// Large entries find room in an outage, and beside what the client declares for
// itself, as long as the fallback takes what waits.
func TestLargeEntriesFindRoom(t *testing.T) {
	const mib = 1 << 20
	small := Options{BufferBytes: 4 * mib, MaxEntryBytes: mib}
	for _, tt := range []struct {
		name     string
		o        Options
		overhead Overhead
		before   int64 // bytes in use before the first; negative: until entries are spilled
		sizes    []int
	}{
		{"3 MiB in an outage", Options{}, Overhead{}, -1, []int{3 * mib}},
		{"8 MiB beside a buffer that is half full", Options{}, Overhead{}, 15 * mib, []int{8 * mib}},
		{"the largest allowed in the smallest buffer", small, Overhead{}, 3 * mib, []int{mib}},
		{"the largest allowed beside an overhead of 300 %", Options{BufferBytes: 13 * mib, MaxEntryBytes: mib}, Overhead{ValuePercent: 300}, -1, []int{mib}},
		{"oversize beside an overhead of 200 %", Options{BufferBytes: 9 * mib, MaxEntryBytes: mib}, Overhead{ValuePercent: 200}, -1, []int{2 * mib}},
		{"oversize beside an overhead for records", Options{BufferBytes: 5 * mib}, Overhead{ValuePercent: 110, RecordBytes: 500}, -1, []int{2 * mib}},
		{"oversize, one after the other, in an outage", Options{}, Overhead{RecordBytes: 320, ValuePercent: 50}, -1, []int{3 * mib, 5 * mib, 7 * mib, 8 * mib}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &fakeProducer{overhead: tt.overhead}
			p.handle = p.hold
			o := tt.o
			o.SyncTimeout, o.MaxWait = 50*time.Millisecond, waitTime
			s := newTestSyncer(t, p, &memoryFile{}, &o)
			enough := func() bool {
				st := s.Stats()
				return st.FellBack.Total() > 0 || tt.before >= 0 && st.PendingBytes >= tt.before
			}
			for !enough() {
				for i := 0; i < 100; i++ {
					mustWrite(t, s, string(line200))
				}
			}
			for _, size := range tt.sizes {
				mustWrite(t, s, strings.Repeat("x", size-1)+"\n")
				_ = s.Sync() // all but what the client holds is on file
			}
			p.answer()
		})
	}
}

// An entry that is not over MaxEntryBytes reaches Kafka whole, at the highest
// MaxEntryBytes too.
func TestLargestEntryReachesKafkaWhole(t *testing.T) {
	p := &fakeProducer{keep: true}
	s := newTestSyncer(t, p, &memoryFile{}, &Options{BufferBytes: 64 << 20, MaxEntryBytes: maxRejectBytes})
	entry := strings.Repeat("x", maxRejectBytes)
	mustWrite(t, s, entry+"\n")
	eventually(t, "the outcome", func() bool { return s.Stats().PendingEntries == 0 })
	if got := p.acknowledged(); len(got) != 1 || got[0] != entry {
		t.Errorf("the producer got %d entries: %+v", len(got), s.Stats())
	}
}

// Each byte of such an entry takes six in its envelope: what is charged is the
// envelope, and the entry is cut so that it fits.
func TestOversizeEntryOfControlBytesStaysWithinTheBound(t *testing.T) {
	f := mustOpenFallback(t, t.TempDir(), nil)
	s, err := NewKafkaSyncer(&fakeProducer{}, "test", f, &Options{BufferBytes: 4 << 20, ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	freed := 0
	s.q.mu.Lock()
	s.q.onFree = func(text []byte) { // under the lock, the memory being charged still
		freed++
		if int64(cap(text)) > s.q.used || s.q.used+s.q.spare > s.q.limit {
			t.Errorf("%d bytes of memory are charged with %d, the bound is %d", cap(text), s.q.used, s.q.limit)
		}
	}
	s.q.mu.Unlock()
	entry := bytes.Repeat([]byte{1}, 2<<20)
	if _, err := s.Write(entry); err != nil {
		t.Fatal(err)
	}
	if used := s.Stats().PendingBytes; used > 4<<20 {
		t.Errorf("%d bytes in use, the bound is 4 MiB", used)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); freed != 1 || st.Cut != 1 || st.FellBack.TooLarge != 1 || st.PendingBytes != 0 {
		t.Errorf("freed %d, %+v; want one entry, cut", freed, st)
	}
	lines := rejectedLines(t, f.Dir())
	if len(lines) != 1 {
		t.Fatalf("%d lines in the rejected file", len(lines))
	}
	e, err := spool.ParseEnvelope(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	if !e.Cut || e.Size != 2<<20 || e.Reason == "" || !bytes.HasPrefix(entry, e.Value) || int64(len(lines[0])) > s.q.largest {
		t.Errorf("an envelope of %d bytes with %d of %d bytes, cut %v, reason %q", len(lines[0]), len(e.Value), e.Size, e.Cut, e.Reason)
	}
	// Not cut more than it has to be: what fits, or nearly.
	if int64(len(lines[0])) < s.q.largest*9/10 {
		t.Errorf("the envelope has %d bytes, there was room for %d", len(lines[0]), s.q.largest)
	}
}

// rejectedLines returns the lines of a directory's rejected file.
func rejectedLines(t *testing.T, dir string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "rejected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\n'})
}

// A cut keeps as much as it may, and no part of a character.
func TestCutSplitsNoCharacter(t *testing.T) {
	for _, value := range []string{"plain text", "äöüß€ and on", "日本語のログ", "🙂🙃🙂🙃", "a🙂ä€b🙂", "1234é", "123€", "e\u0301e\u0301e\u0301"} {
		for n := utf8.UTFMax; n <= len(value)+1; n++ {
			got := string(cutAt([]byte(value), n))
			if !strings.HasPrefix(value, got) || !utf8.ValidString(got) || len(got) > n {
				t.Errorf("cutAt(%q, %d) = %q", value, n, got)
			}
			rest, _ := utf8.DecodeRuneInString(value[len(got):])
			if got != value && len(got)+utf8.RuneLen(rest) <= n {
				t.Errorf("cutAt(%q, %d) = %q, there was room for more", value, n, got)
			}
		}
	}
	if got := cutAt([]byte("\x80\x80\x80\x80\x80\x80\x80\x80"), 6); len(got) != 6 {
		t.Errorf("cutAt of what is not UTF-8 = %q, want 6 bytes", got)
	}
	huge := []byte(strings.Repeat("€", maxRejectBytes/3+1))
	if got := cutAt(huge, len(huge)); len(got) != maxRejectBytes/3*3 || !utf8.Valid(got) {
		t.Errorf("cutAt keeps %d bytes of %d", len(got), len(huge))
	}
}

// The report on an entry that is too large says what became of it.
func TestOversizeEntryThatIsLostIsReportedAsLost(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{{nil, "is with the rejected entries"}, {errors.New("no space left on device"), "is lost"}} {
		t.Run(fmt.Sprint(tt.err), func(t *testing.T) {
			log := &errorLog{}
			f := &memoryFile{write: func(b []byte) (int, error) {
				if tt.err != nil {
					return 0, tt.err
				}
				return len(b), nil
			}}
			s := newTestSyncer(t, &fakeProducer{}, f, &Options{MaxEntryBytes: 10, ErrorHandler: log.handle})
			mustWrite(t, s, string(line200))
			eventually(t, "the report", func() bool { return strings.Contains(log.String(), "MaxEntryBytes") })
			if got := log.String(); !strings.Contains(got, tt.want) {
				t.Errorf("reported: %s, want that it %s", got, tt.want)
			}
		})
	}
}
