package zapkafka

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

var idText = regexp.MustCompile(`^[0-9a-f]{16}-[1-9][0-9]*$`)

// idsByValue returns the id of each value in the topic, and complains of values
// with two ids and of ids with two values.
func idsByValue(t *testing.T, records []kept) map[string]string {
	t.Helper()
	ids, values := map[string]string{}, map[string]string{}
	for i := range records {
		r := &records[i]
		id, _ := r.header(headerID)
		if !idText.MatchString(id) {
			t.Errorf("%q has the id %q", r.value, id)
		}
		if was, ok := ids[r.value]; ok && was != id {
			t.Errorf("%q has the ids %s and %s", r.value, was, id)
		}
		if was, ok := values[id]; ok && was != r.value {
			t.Errorf("%q and %q have the id %s", was, r.value, id)
		}
		ids[r.value], values[id] = id, r.value
	}
	return ids
}

// metaOf is what puts entry i where ids might get lost: plain lines, envelopes,
// entries with memory of their own.
func metaOf(i int) (*meta, []byte) {
	m, line := &meta{}, fmt.Sprintf("entry %d\n", i)
	switch i % 5 {
	case 1:
		m.key = []byte("k")
	case 2:
		m.headers = []Header{{"h", []byte("1")}, {"h", []byte("2")}}
	case 3:
		line = fmt.Sprintf("entry %d\nof two lines\n", i)
	case 4:
		if i%50 == 4 {
			line = fmt.Sprintf("entry %d %s\n", i, strings.Repeat("x", largeBytes))
		}
	}
	return m, []byte(line)
}

// storesSilently is a Kafka that stores every record, and a client that never
// hears of it.
type storesSilently struct{ topicDouble }

func (p *storesSilently) Produce(ctx context.Context, records []*Record) {
	p.mu.Lock()
	for _, r := range records {
		p.topic = append(p.topic, kept{value: string(r.Value), headers: copyHeaders(r.Headers)})
	}
	p.mu.Unlock()
	p.topicDouble.Produce(ctx, records)
}

// What Kafka has stored and not acknowledged comes again from the file, in a later
// process, with the same id; without IDHeader there.
func TestIDs(t *testing.T) {
	dir, silent := t.TempDir(), &storesSilently{}
	silent.goDown()
	s, f := newReplaySyncer(t, silent, dir, nil, &Options{
		IDHeader: true, DeliveryTimeout: time.Second, OutageAfter: -1, Linger: -1, BufferBytes: 4 << 20,
	})
	const n = 3000
	for i := 0; i < n; i++ {
		m, line := metaOf(i)
		if _, err := s.write(m, line); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all to be on file", func() bool { return s.Stats().FellBack.Total() == n })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m, line := metaOf(n + 1) // with a key
	if _, err := s.write(m, line); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "after Shutdown\n")
	mustCloseFallback(t, f)
	if st := s.Stats(); st.PossiblyDuplicate == 0 || st.PossiblyDuplicate == n {
		t.Fatalf("%d entries were with the producer; want some and not all", st.PossiblyDuplicate)
	}
	if !strings.Contains(readAll(t, dir), "\nentry ") {
		t.Error("there are no plain lines on file")
	}

	p := &topicDouble{topic: silent.stored()}
	live := len(p.topic)
	_, f = newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "all to be in Kafka", func() bool { return f.Stats().OnFile == 0 })
	stored := p.stored()
	if got := len(idsByValue(t, stored)); got != n+2 || len(stored) != live+n+2 {
		t.Errorf("%d entries in %d records, want %d in %d", got, len(stored), n+2, live+n+2)
	}
	for _, r := range stored {
		var i int
		if _, err := fmt.Sscanf(r.value, "entry %d", &i); err != nil {
			continue // the one after Shutdown
		}
		want := 0
		if i%5 == 2 {
			want = 2
		}
		if own := strings.Count(headersText(r.headers), "h="); own != want {
			t.Errorf("%.20q has the headers %s", r.value, headersText(r.headers))
		}
	}
}

// Each syncer's ids are its own, and the numbers of entries that were lost, or
// that are too large for Kafka, are nobody else's.
func TestIDsAreUnique(t *testing.T) {
	p := &topicDouble{}
	for life := 0; life < 3; life++ {
		s, _ := newReplaySyncer(t, p, t.TempDir(), nil, &Options{IDHeader: true, MaxEntryBytes: 10_000})
		for i := 0; i < 3000; i++ {
			mustWrite(t, s, fmt.Sprintf("entry %d of life %d\n", i, life))
			if i%100 == 0 {
				mustWrite(t, s, strings.Repeat("x", 10_001))
				s.q.mu.Lock()
				_ = s.q.loseLocked(0)
				s.q.mu.Unlock()
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(idsByValue(t, p.stored())); n != 9000 {
		t.Errorf("%d entries in Kafka, want 9000", n)
	}
}

// Who did not ask for ids gets none, in Kafka or on file.
func TestNoIDs(t *testing.T) {
	dir, p := t.TempDir(), &topicDouble{}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{Replay: ReplayOptions{Rate: -1}})
	mustWrite(t, s, "live\n")
	eventually(t, "it in Kafka", func() bool { return p.count() == 1 })
	p.goDown()
	mustWrite(t, s, "on file\n")
	if _, err := s.write(&meta{key: []byte("k")}, []byte("in an envelope\n")); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	mustCloseFallback(t, f)
	if h := p.stored()[0].headers; len(h) != 0 {
		t.Errorf("headers %s, want none", headersText(h))
	}
	n := 0
	if err := spool.ReadAll(dir, func(e spool.Entry) error {
		n++
		if !e.ID.IsZero() {
			t.Errorf("%q has an id", e.Value)
		}
		return nil
	}); err != nil || n != 2 {
		t.Errorf("%d entries on file, %v", n, err)
	}
	if strings.Contains(readAll(t, dir), `"id"`) {
		t.Error("an envelope has an id")
	}
}

// An index that is gone takes the ids of plain lines with it, and no more.
func TestIDsWithoutAnIndex(t *testing.T) {
	dir, p := t.TempDir(), &topicDouble{}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{IDHeader: true, Replay: ReplayOptions{Rate: -1}})
	p.goDown()
	mustWrite(t, s, "plain\n")
	if _, err := s.write(&meta{key: []byte("k")}, []byte("keyed\n")); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if _, err := s.write(&meta{key: []byte("k")}, []byte("keyed and late\n")); err != nil {
		t.Fatal(err)
	}
	mustCloseFallback(t, f)
	if err := os.Remove(filepath.Join(dir, "00000000000000000001.idx")); err != nil {
		t.Fatal(err)
	}
	p.comeBack()
	_, f = newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "all to be in Kafka", func() bool { return f.Stats().OnFile == 0 && p.count() == 3 })
	for _, r := range p.stored() {
		if id, ok := r.header(headerID); ok != strings.HasPrefix(r.value, "keyed") || ok && !idText.MatchString(id) {
			t.Errorf("%q: id %q, %v", r.value, id, ok)
		}
	}
	if f.Stats().Unindexed != 3 {
		t.Errorf("Unindexed %d, want 3", f.Stats().Unindexed)
	}
}

// What the replay gives up for good keeps its id.
func TestRejectedEntriesKeepTheirIDs(t *testing.T) {
	dir, p := t.TempDir(), &topicDouble{poison: func([]byte) bool { return true }}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{IDHeader: true})
	mustWrite(t, s, "poison\n")
	eventually(t, "it to be rejected", func() bool { return f.Stats().Rejected == 1 })
	line := rejectedLines(t, dir)[0]
	e, err := spool.ParseEnvelope(line)
	if err != nil || e.ID.Instance != s.q.instance || e.ID.Sequence != 1 {
		t.Errorf("rejected with id %+v, %v: %s", e.ID, err, line)
	}
}

// A record's ids and the headers beside them are inside the bound.
func TestIDsAreCharged(t *testing.T) {
	q := newTestQueue(t, &Options{IDHeader: true})
	without := newTestQueue(t, nil)
	m := &meta{headers: []Header{{Key: "h", Value: []byte("v")}}}
	for _, q := range []*queue{q, without} {
		for i := 0; i < 10; i++ {
			if err := q.put(m, []byte("x\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := q.clientCost(q.open) - q.open.mem.cost() - without.clientCost(without.open) + without.open.mem.cost()
	if want := 10 * (idCost + headerSize); got != want {
		t.Errorf("ids of 10 records cost %d, want %d", got, want)
	}
}

func BenchmarkMakeRecords(b *testing.B) {
	for _, ids := range []bool{false, true} {
		b.Run(fmt.Sprintf("ids=%v", ids), func(b *testing.B) {
			o, err := (&Options{IDHeader: ids}).withDefaults()
			if err != nil {
				b.Fatal(err)
			}
			q, err := newQueue(o, Overhead{})
			if err != nil {
				b.Fatal(err)
			}
			for q.open == nil || q.open.entries() < 1000 {
				if err := q.put(&noMeta, line200); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				q.open.makeRecords("test")
			}
		})
	}
}
