package zapkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// topicDouble is a Producer with a topic in memory, and a broker that can go
// away. As some clients do, it refuses all records that it gets together with one
// that is refused.
type topicDouble struct {
	overhead Overhead
	poison   func(value []byte) bool // nil: none

	mu      sync.Mutex
	down    bool
	closed  bool
	held    [][]*Record
	heldAt  []time.Time
	topic   []kept // what is stored
	batches [][]string
	alone   []string // refused without company
}

// kept is a copy of a record.
type kept struct {
	topic, value string
	key          []byte
	headers      []Header
	time         time.Time
	stored       time.Time
}

func (k *kept) header(name string) (string, bool) {
	for _, h := range k.headers {
		if h.Key == name {
			return string(h.Value), true
		}
	}
	return "", false
}

func (p *topicDouble) Start(l Limits, _ ErrorHandler) (Overhead, error) { return p.overhead, nil }

func (p *topicDouble) Produce(_ context.Context, records []*Record) {
	records = append([]*Record(nil), records...)
	p.mu.Lock()
	down, closed := p.down, p.closed
	if down {
		p.held = append(p.held, records)
		p.heldAt = append(p.heldAt, time.Now())
	}
	p.mu.Unlock()
	switch {
	case !down:
		p.deliver(records)
	case closed: // the sender's last Produce may come beside Close: clients report that, too
		p.failHeld(errors.New("double: closed"))
	}
}

var errPoison = fmt.Errorf("double: MESSAGE_TOO_LARGE: %w", ErrTooLarge)

func (p *topicDouble) deliver(records []*Record) {
	var err error
	var values []string
	p.mu.Lock()
	for _, r := range records {
		values = append(values, string(r.Value))
		if p.poison != nil && p.poison(r.Value) {
			err = errPoison
		}
	}
	p.batches = append(p.batches, values)
	if err != nil && len(records) == 1 {
		p.alone = append(p.alone, values[0])
	}
	for i, r := range records {
		if err == nil {
			p.topic = append(p.topic, kept{r.Topic, values[i], append([]byte(nil), r.Key...), copyHeaders(r.Headers), r.Time, time.Now()})
		}
	}
	p.mu.Unlock()
	for _, r := range records {
		r.Done(err)
	}
}

func copyHeaders(headers []Header) []Header {
	c := append([]Header(nil), headers...)
	for i := range c {
		c[i].Value = append([]byte(nil), c[i].Value...)
	}
	return c
}

func (p *topicDouble) goDown() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
}

// comeBack delivers what was held.
func (p *topicDouble) comeBack() {
	p.mu.Lock()
	p.down = false
	held := p.held
	p.held = nil
	p.mu.Unlock()
	for _, records := range held {
		p.deliver(records)
	}
}

// failHeld reports what is held as a client does whose time is over.
func (p *topicDouble) failHeld(err error) {
	p.mu.Lock()
	held := p.held
	p.held = nil
	p.mu.Unlock()
	for _, records := range held {
		for _, r := range records {
			r.Done(err)
		}
	}
}

func (p *topicDouble) Flush(context.Context) {}

func (p *topicDouble) Close(context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.failHeld(errors.New("double: closed"))
	return nil
}

func (p *topicDouble) stored() []kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]kept(nil), p.topic...)
}

func (p *topicDouble) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.topic)
}

// newReplaySyncer returns a syncer on a fallback, both of which are closed, and
// their sheets checked, at the end of the test.
func newReplaySyncer(t testing.TB, p Producer, dir string, fo *FallbackOptions, o *Options) (*KafkaSyncer, *Fallback) {
	t.Helper()
	f := mustOpenFallback(t, dir, fo)
	if o == nil {
		o = &Options{}
	}
	if o.ErrorHandler == nil {
		o.ErrorHandler = func(error) {}
	}
	if o.LastResort == nil {
		o.LastResort = io.Discard
	}
	if o.MaxWait == 0 {
		o.MaxWait = waitTime
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = time.Second
	}
	s, err := NewKafkaSyncer(p, "test", f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		checkBalance(t, s.Stats())
		checkFallbackBalance(t, f.Stats())
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, f
}

func checkFallbackBalance(t testing.TB, st FallbackStats) {
	t.Helper()
	if sum := st.Replayed + st.Rejected + st.Quarantined + st.Evicted + st.OnFile; sum != st.Inherited+st.Stored {
		t.Errorf("the fallback's sheet does not balance: inherited %d + stored %d, but outcomes %d: %+v", st.Inherited, st.Stored, sum, st)
	}
}

// leave puts entries into a fallback as an earlier process may have.
func leave(t testing.TB, dir string, lines ...string) {
	t.Helper()
	f := mustOpenFallback(t, dir, nil)
	defer mustCloseFallback(t, f)
	if !f.claimTopic("test") {
		t.Fatal("the topic was not taken")
	}
	for _, l := range lines {
		if _, err := f.Write([]byte(l)); err != nil {
			t.Fatal(err)
		}
	}
}

func numbered(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("entry %06d", i)
	}
	return lines
}

// filesLeft lists the files of a fallback directory but its lock.
func filesLeft(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

// After an outage everything ends up acknowledged by itself, each entry once, and
// the directory is empty.
func TestAfterAnOutageAllIsInKafka(t *testing.T) {
	p := &topicDouble{overhead: Overhead{RecordBytes: 320, ValuePercent: 100}}
	dir := t.TempDir()
	s, f := newReplaySyncer(t, p, dir, nil, &Options{
		BufferBytes: 8 << 20, DeliveryTimeout: 2 * time.Second, OutageAfter: 100 * time.Millisecond,
	})
	const n = 30_000
	log := func(from, to int) {
		for i := from; i < to; i++ {
			mustWrite(t, s, fmt.Sprintf("entry %06d\n", i))
		}
	}
	log(0, n/3)
	eventually(t, "the first third in Kafka", func() bool { return p.count() == n/3 })
	p.goDown()
	mustWrite(t, s, "first of the outage\n")
	eventually(t, "the outage", func() bool { state, _ := s.State(); return state == FallbackOnly })
	log(n/3, n)
	eventually(t, "most of them on file", func() bool { return s.Stats().FellBack.Outage > n/3 })
	p.comeBack()
	eventually(t, "all in Kafka", func() bool { return p.count() == n+1 && f.Stats().OnFile == 0 })
	eventually(t, "an empty directory", func() bool { return len(filesLeft(t, dir)) == 0 })
	times := map[string]int{}
	for _, k := range p.stored() {
		times[k.value]++
	}
	for i := 0; i < n; i++ {
		if got := times[fmt.Sprintf("entry %06d", i)]; got != 1 {
			t.Fatalf("entry %d is %d times in Kafka", i, got)
		}
	}
	if st := s.Stats(); st.Acked+f.Stats().Replayed != n+1 || st.Lost.Total() != 0 {
		t.Errorf("acked %d, replayed %d, want %d in all: %+v", st.Acked, f.Stats().Replayed, n+1, st)
	}
	eventually(t, "no memory in use", func() bool { return s.Stats().PendingBytes == 0 })
}

// What an earlier process left is replayed at the start, the oldest first, and
// marked.
func TestReplayAtStart(t *testing.T) {
	dir := t.TempDir()
	lines := numbered(3000)
	begin := time.Now()
	leave(t, dir, lines...)
	p := &topicDouble{}
	_, f := newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "all in Kafka", func() bool { return f.Stats().Replayed == uint64(len(lines)) })
	for i, k := range p.stored() {
		if k.value != lines[i] {
			t.Fatalf("record %d is %q, want %q", i, k.value, lines[i])
		}
		came, ok := k.header("replayed")
		at, err := time.Parse(time.RFC3339Nano, came)
		if !ok || err != nil || at.Before(begin.Add(-time.Second)) || at.After(time.Now()) {
			t.Fatalf("header replayed is %q (%v)", came, err)
		}
		if _, ok := k.header("possibly-duplicate"); ok {
			t.Fatal("an entry that Kafka never saw is marked as possibly duplicate")
		}
		if k.topic != "test" || !k.time.Equal(at) {
			t.Fatalf("topic %q, time %v, want test and %v", k.topic, k.time, at)
		}
	}
	if st := f.Stats(); st.Inherited != uint64(len(lines)) || st.OnFile != 0 {
		t.Errorf("%+v", st)
	}
}

func TestReplayIsOff(t *testing.T) {
	dir := t.TempDir()
	leave(t, dir, "stays")
	p := &topicDouble{}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{Replay: ReplayOptions{Rate: -1}})
	mustWrite(t, s, "live\n")
	eventually(t, "the live entry in Kafka", func() bool { return p.count() == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := f.Stats(); st.OnFile != 1 || p.count() != 1 {
		t.Errorf("%d records, %+v; want the entry to stay on file", p.count(), st)
	}
}

func TestReplayStampsNow(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	old := time.Now().Add(-48 * time.Hour)
	f.now = func() time.Time { return old }
	if _, err := f.Write([]byte("old\n")); err != nil {
		t.Fatal(err)
	}
	mustCloseFallback(t, f)
	p := &topicDouble{}
	_, f = newReplaySyncer(t, p, dir, nil, &Options{Replay: ReplayOptions{StampNow: true}})
	eventually(t, "the entry in Kafka", func() bool { return f.Stats().Replayed == 1 })
	k := p.stored()[0]
	if came, _ := k.header("replayed"); time.Since(k.time) > waitTime || came != old.UTC().Format(time.RFC3339Nano) {
		t.Errorf("time stamp %v, header %q; want now, and %v", k.time, came, old)
	}
}

// Key, headers and topic of an entry are those of its replayed record; a topic
// that the plain lines of another process mean is kept too.
func TestReplayKeepsMeta(t *testing.T) {
	dir := t.TempDir()
	leaveOther := mustOpenFallback(t, dir, nil)
	leaveOther.claimTopic("elsewhere")
	if _, err := leaveOther.Write([]byte("of another topic\n")); err != nil {
		t.Fatal(err)
	}
	mustCloseFallback(t, leaveOther)

	p := &topicDouble{}
	p.goDown()
	s, f := newReplaySyncer(t, p, dir, nil, &Options{Replay: ReplayOptions{Rate: -1}})
	when := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	m := &meta{time: when, topic: "own", key: []byte("key"), headers: []Header{{"h", []byte("v")}, {"n", nil}}}
	if _, err := s.write(m, []byte("two\nlines\n")); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "\n")
	if _, err := s.write(&meta{headers: []Header{{"only", []byte("a header")}}}, []byte("header alone\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustCloseFallback(t, f)

	p = &topicDouble{}
	_, f = newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "all in Kafka", func() bool { return f.Stats().Replayed == 4 })
	got := map[string]kept{}
	for _, k := range p.stored() {
		got[k.value] = k
	}
	if k, ok := got["of another topic"]; !ok || k.topic != "elsewhere" {
		t.Errorf("of another topic: %+v", k)
	}
	if k, ok := got[""]; !ok || k.topic != "test" {
		t.Errorf("empty entry: %+v", k)
	}
	alone := got["header alone"]
	if h, ok := alone.header("only"); !ok || h != "a header" {
		t.Errorf("entry with a header and nothing else: %+v", alone)
	}
	k := got["two\nlines"]
	came, _ := k.header("replayed")
	if k.topic != "own" || string(k.key) != "key" || !k.time.Equal(when) || came != "2026-01-02T03:04:05.000000006Z" ||
		len(k.headers) < 2 || k.headers[0].Key != "h" || string(k.headers[0].Value) != "v" {
		t.Errorf("entry with a meta: %+v", k)
	}
	if _, ok := k.header("possibly-duplicate"); !ok {
		t.Error("an entry that was with the client is not marked as possibly duplicate")
	}
}

// An entry that Kafka refuses ends in the rejected file after it was sent alone;
// all that were refused with it reach Kafka.
func TestPoisonIsRejectedAlone(t *testing.T) {
	dir := t.TempDir()
	const n = 10_000
	lines := numbered(n)
	bad := map[string]bool{lines[0]: true, lines[4711]: true, lines[n-1]: true}
	leave(t, dir, lines...)
	log := &errorLog{}
	p := &topicDouble{poison: func(v []byte) bool { return bad[string(v)] }}
	_, f := newReplaySyncer(t, p, dir, nil, &Options{ErrorHandler: log.handle})
	eventually(t, "all others in Kafka", func() bool { return f.Stats().Replayed == n-3 && f.Stats().Rejected == 3 })
	if got := p.count(); got != n-3 {
		t.Errorf("%d records in Kafka, want %d", got, n-3)
	}
	seen := map[string]int{}
	for _, v := range p.alone {
		seen[v]++
	}
	for v := range bad {
		if seen[v] != 1 {
			t.Errorf("%q was refused alone %d times, want 1", v, seen[v])
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "rejected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	rejected := bytes.Split(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\n'})
	for _, line := range rejected {
		e, err := spool.ParseEnvelope(line)
		if err != nil || !bad[string(e.Value)] || e.Topic != "test" || !strings.Contains(e.Reason, "MESSAGE_TOO_LARGE") {
			t.Errorf("rejected: %+v, %v", e, err)
		}
	}
	if len(rejected) != 3 {
		t.Errorf("%d entries in the rejected file", len(rejected))
	}
	eventually(t, "a report", func() bool {
		return strings.Contains(log.String(), "refused an entry of 12 bytes as too large although it is under MaxEntryBytes (900000)")
	})
}

// Damage in a file does not hold up what is behind it.
func TestReplayPassesDamage(t *testing.T) {
	dir := t.TempDir()
	leave(t, dir, "before", "damaged", "behind")
	path := filepath.Join(dir, "00000000000000000001.log")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte("damaged"), []byte("dam\x00ged"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &errorLog{}
	p := &topicDouble{}
	_, f := newReplaySyncer(t, p, dir, nil, &Options{ErrorHandler: log.handle})
	eventually(t, "the others in Kafka", func() bool { return f.Stats().Replayed == 2 && f.Stats().Quarantined == 1 })
	if got := p.stored(); got[0].value != "before" || got[1].value != "behind" {
		t.Errorf("in Kafka: %+v", got)
	}
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "1 entries of the fallback so far were damaged") })
}

// What an owner left who has died is adopted.
func TestReplayAdopts(t *testing.T) {
	dir := t.TempDir()
	first := mustOpenFallback(t, dir, nil) // makes the next one take a subdirectory
	second := mustOpenFallback(t, dir, nil)
	if first.Dir() == second.Dir() {
		t.Fatal("two owners of one directory")
	}
	if _, err := second.Write([]byte("left by another\n")); err != nil {
		t.Fatal(err)
	}
	mustCloseFallback(t, first)
	mustCloseFallback(t, second)
	p := &topicDouble{}
	_, f := newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "the entry in Kafka", func() bool { return f.Stats().Replayed == 1 })
	eventually(t, "an empty directory", func() bool { return len(filesLeft(t, dir)) == 0 })
}

// The second syncer on a fallback writes only; its entries are replayed by the
// first, to their own topic.
func TestOneReplayForAFallback(t *testing.T) {
	p := &topicDouble{}
	_, f := newReplaySyncer(t, p, t.TempDir(), nil, nil)
	other := &fakeProducer{handle: refuse}
	s2, err := NewKafkaSyncer(other, "second", f, &Options{ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	mustWrite(t, s2, "x\n")
	eventually(t, "the entry in Kafka", func() bool { return f.Stats().Replayed == 1 })
	if k := p.stored()[0]; k.topic != "second" {
		t.Errorf("replayed to %q", k.topic)
	}
}

// When the syncer that replays a fallback is shut down, another one of the fallback
// takes over.
func TestReplayIsTakenOver(t *testing.T) {
	first, second := &topicDouble{}, &topicDouble{}
	s, f := newReplaySyncer(t, first, t.TempDir(), nil, nil)
	s2, err := NewKafkaSyncer(second, "second", f, &Options{ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	s3, err := NewKafkaSyncer(&topicDouble{}, "third", f, &Options{ErrorHandler: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	put := func(n uint64) {
		t.Helper()
		if _, err := f.Write([]byte("x\n")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the entry in Kafka", func() bool { return f.Stats().Replayed == n })
	}
	put(1)
	if first.count() != 1 {
		t.Error("the second replays as long as the first is there")
	}
	if err := s3.Close(); err != nil { // while it waits
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	put(2)
	if second.count() != 1 {
		t.Error("not replayed by the second")
	}
	if err := s2.Close(); err != nil {
		t.Error(err)
	}
}

// A replay that cannot be opened is tried again.
func TestReplayThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	defer mustCloseFallback(t, f)
	if _, err := f.Write([]byte("x\n")); err != nil {
		t.Fatal(err)
	}
	other, err := f.spool.OpenReplay() // of which there is one at a time
	if err != nil {
		t.Fatal(err)
	}
	log := &errorLog{}
	s, err := NewKafkaSyncer(&topicDouble{}, "test", f, &Options{ErrorHandler: log.handle})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eventually(t, "a report", func() bool { return strings.Contains(log.String(), "open replay of") })
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entry in Kafka", func() bool { return f.Stats().Replayed == 1 })
}

// A process that dies leaves its entries to the next; those that were
// acknowledged do not come again but for the last few.
func TestReplayAfterACrash(t *testing.T) {
	dir := t.TempDir()
	const n = 5000
	lines := numbered(n)
	leave(t, dir, lines...)
	p := &topicDouble{}
	f := mustOpenFallback(t, dir, nil)
	s, err := NewKafkaSyncer(p, "test", f, &Options{ErrorHandler: func(error) {}, Replay: ReplayOptions{Rate: 10_000}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "some replayed", func() bool { return f.Stats().Replayed > n/4 })
	// The files go from under the syncer, as in a crash: nothing is brought to an
	// end.
	mustCloseFallback(t, f)
	done := f.Stats().Replayed
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_, f = newReplaySyncer(t, p, dir, nil, nil)
	if st := f.Stats(); st.Inherited == 0 || st.Inherited > n-done {
		t.Errorf("%d inherited of %d, of which %d were replayed", st.Inherited, n, done)
	}
	eventually(t, "nothing on file", func() bool { return f.Stats().OnFile == 0 })
	times := map[string]int{}
	twice := 0
	for _, k := range p.stored() {
		if times[k.value]++; times[k.value] == 2 {
			twice++
			if _, ok := k.header("possibly-duplicate"); !ok {
				t.Errorf("%q came twice and is not marked", k.value)
			}
		}
	}
	if len(times) != n || twice > 5*replayRecords {
		t.Errorf("%d of %d entries in Kafka, %d twice", len(times), n, twice)
	}
}

// Entries of one partition that is sick stay on file and do not hold up those
// behind them; nothing is appended again.
func TestFailedReplayStaysOnFile(t *testing.T) {
	dir := t.TempDir()
	const n = 6000
	leave(t, dir, numbered(n)...)
	p := &sickDouble{sick: func(v []byte) bool { return v[len(v)-1] == '3' }}
	_, f := newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "the well ones in Kafka", func() bool { return f.Stats().Replayed == n*9/10 })
	if st := f.Stats(); st.OnFile != n/10 || st.Stored != 0 {
		t.Errorf("%+v, want %d on file and nothing stored anew", st, n/10)
	}
	p.heal()
	eventually(t, "all in Kafka", func() bool { return f.Stats().Replayed == n })
	for _, k := range p.stored() {
		// Nobody knows whether a record that failed was stored.
		if _, marked := k.header("possibly-duplicate"); marked != strings.HasSuffix(k.value, "3") {
			t.Fatalf("%q: marked as possibly duplicate is %v", k.value, marked)
		}
	}
}

// sickDouble fails some records.
type sickDouble struct {
	topicDouble
	sick   func(value []byte) bool
	failed int // records; guarded by mu
}

func (p *sickDouble) failures() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *sickDouble) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sick = func([]byte) bool { return false }
}

func (p *sickDouble) Produce(ctx context.Context, records []*Record) {
	p.mu.Lock()
	sick := p.sick
	p.mu.Unlock()
	var well []*Record
	for _, r := range records {
		if sick(r.Value) {
			r.Done(errors.New("double: no leader"))
		} else {
			well = append(well, r)
		}
	}
	p.mu.Lock()
	p.failed += len(records) - len(well)
	p.mu.Unlock()
	p.topicDouble.Produce(ctx, well)
}

// What is logged goes before what is on file.
func TestLiveTrafficGoesFirst(t *testing.T) {
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	b := &replayBatch{q: q}
	if !q.chargeReplay(q.replayCost()+readingCost, now) {
		t.Fatal("no room in an empty queue")
	}
	if !q.offerReplay(b) {
		t.Fatal("not taken")
	}
	if err := q.put(&noMeta, line200); err != nil {
		t.Fatal(err)
	}
	take := func(now time.Time) *replayBatch { b, _ := q.takeReplay(now); return b }
	if take(q.open.opened.Add(o.Linger)) != nil {
		t.Error("replay goes before an entry that has lingered")
	}
	if take(q.open.opened) != b {
		t.Error("replay waits for an entry that lingers")
	}
	q.offerReplay(b)
	q.mu.Lock()
	q.sealLocked()
	q.mu.Unlock()
	if take(now) != nil {
		t.Error("replay goes before a chunk that waits")
	}
	if q.chargeReplay(1, now) {
		t.Error("replay reads more while a chunk waits")
	}
	if c, _ := q.takeForProducer(now); c == nil {
		t.Fatal("the chunk was not handed over")
	}
	if take(now) != b {
		t.Error("replay is not sent although nothing waits")
	}
	// Scarce room is not the replay's.
	q.mu.Lock()
	q.used = q.limit - q.low
	q.mu.Unlock()
	if q.chargeReplay(1, now) {
		t.Error("replay takes room that is scarce")
	}
}

// Replay is as fast as its rate, and no faster.
func TestReplayRate(t *testing.T) {
	dir := t.TempDir()
	const n, rate = 3000, 5000
	leave(t, dir, numbered(n)...)
	p := &topicDouble{}
	begin := time.Now()
	_, f := newReplaySyncer(t, p, dir, nil, &Options{Replay: ReplayOptions{Rate: rate}})
	eventually(t, "all in Kafka", func() bool { return f.Stats().Replayed == n })
	// The last batch need not wait for its turn.
	if took, least := time.Since(begin), time.Duration(n-rate/10-1)*time.Second/rate-2*yieldFor; took < least {
		t.Errorf("%d entries at %d a second took %v, want %v at least", n, rate, took, least)
	}
}

// What was not used of the rate can be used later, up to two seconds of it: what is on
// file after a moment of overload does not wait.
func TestReplaySavesItsRate(t *testing.T) {
	start := time.Now()
	r := &replayer{rate: 1000, nextAt: start}
	for _, step := range []struct {
		after time.Duration // since the start
		n     int           // entries that go
		next  time.Duration // when others may, since the start
	}{
		{0, 500, 500 * time.Millisecond},      // nothing is saved
		{time.Second, 500, time.Second},       // half a second is
		{time.Minute, 1000, 59 * time.Second}, // two are, whatever the wait
		{time.Minute, 1000, 60 * time.Second}, // the second of them
		{time.Minute, 1000, 61 * time.Second}, // none is left
		{62 * time.Second, 1, 61001 * time.Millisecond},
	} {
		r.pace(step.n, start.Add(step.after))
		if got := r.nextAt.Sub(start); got != step.next {
			t.Errorf("%d entries after %v: more after %v, want %v", step.n, step.after, got, step.next)
		}
	}
}

// The bound on memory holds with entries of all sizes on file.
func TestReplayStaysInsideTheBound(t *testing.T) {
	dir := t.TempDir()
	var lines []string
	for i := 0; i < 400; i++ {
		lines = append(lines, strconv.Itoa(i)+strings.Repeat("x", i*i%120_000))
		if i%40 == 0 {
			lines = append(lines, strconv.Itoa(i)+strings.Repeat("y", 800_000))
		}
	}
	lines = append(lines, strings.Repeat("z", 20<<20)) // more than all of the bound
	leave(t, dir, lines...)
	p := &topicDouble{overhead: Overhead{RecordBytes: 320, ValuePercent: 100}}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{BufferBytes: 8 << 20})
	eventually(t, "all in Kafka", func() bool {
		s.q.mu.Lock()
		if s.q.used+s.q.spare > s.q.limit || s.q.inClient > s.q.clientMost || s.q.replay.used > s.q.used {
			t.Errorf("in use %d, with the client %d", s.q.used+s.q.spare, s.q.inClient)
		}
		s.q.mu.Unlock()
		return f.Stats().Replayed == uint64(len(lines)-1) && f.Stats().Rejected == 1
	})
	eventually(t, "no memory in use", func() bool { return s.Stats().PendingBytes == 0 })
}

// Sync does not wait for the replay, and Shutdown leaves on file what is not
// acknowledged, also when the producer hangs.
func TestShutdownStopsReplay(t *testing.T) {
	dir := t.TempDir()
	const n = 20_000
	leave(t, dir, numbered(n)...)
	p := &topicDouble{}
	p.goDown()
	s, f := newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "a batch at the producer", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return s.q.health.replays > 0
	})
	begin := time.Now()
	if err := s.Sync(); err != nil || time.Since(begin) > 500*time.Millisecond {
		t.Errorf("Sync = %v after %v with nothing logged", err, time.Since(begin))
	}
	if err := shutdownWithin(t, s, 300*time.Millisecond); err != nil {
		t.Error(err)
	}
	if st := f.Stats(); st.OnFile != n || st.Replayed != 0 {
		t.Errorf("%+v, want all on file", st)
	}
	if st := s.Stats(); st.PendingBytes != 0 {
		t.Errorf("%d bytes still charged", st.PendingBytes)
	}
}

// leaveHole leaves a file of nothing that takes minutes to read.
func leaveHole(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "00000000000000000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(1 << 40); err != nil {
		t.Skip("no file system for a file with a large hole:", err)
	}
}

// A file that could not be counted is tried again in seconds, although nothing is
// known to be on file.
func TestReplayComesBackToTheUncounted(t *testing.T) {
	dir := t.TempDir()
	leaveHole(t, dir)
	f := mustOpenFallback(t, dir, &FallbackOptions{MaxBytes: -1})
	defer mustCloseFallback(t, f)
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	r := newReplayer(q, newFallbackFile(f, "test"), "test", o, newReporter(func(error) {}), &sickPartitions{})
	defer r.finish()
	stop := make(chan struct{})
	close(stop)
	f.spool.CountUntil(stop) // stands for a disk that cannot be read now
	now := time.Now()
	r.step(now)
	if wait := r.step(now); wait <= 0 || wait > lookAgain {
		t.Errorf("tried again after %v, want %v", wait, lookAgain)
	}
}

// Shutdown does not wait until a long file of an earlier process is counted.
func TestShutdownEndsCounting(t *testing.T) {
	dir := t.TempDir()
	leaveHole(t, dir)
	s, f := newReplaySyncer(t, &topicDouble{}, dir, &FallbackOptions{MaxBytes: -1}, nil)
	eventually(t, "the replay to count", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return s.q.replay.used > 0
	})
	if err := shutdownWithin(t, s, 100*time.Millisecond); err != nil {
		t.Error(err)
	}
	if st := f.Stats(); st.Uncounted != 1 {
		t.Errorf("%+v, want the file uncounted", st)
	}
}

func TestShutdownWithReplayAtAProducerThatHangs(t *testing.T) {
	for _, p := range []*badProducer{{produce: true}, {close: true}} {
		p.release = make(chan struct{})
		t.Run(fmt.Sprintf("produce=%v,close=%v", p.produce, p.close), func(t *testing.T) {
			dir := t.TempDir()
			const n = 5000 // more than a batch: another one waits for the sender
			leave(t, dir, numbered(n)...)
			f := mustOpenFallback(t, dir, nil)
			defer mustCloseFallback(t, f)
			s, err := NewKafkaSyncer(p, "test", f, &Options{ErrorHandler: func(error) {}})
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "a batch at the producer", func() bool {
				s.q.mu.Lock()
				defer s.q.mu.Unlock()
				return s.q.health.replays > 0 && (!p.produce || s.q.replay.ready != nil)
			})
			if err := shutdownWithin(t, s, 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), "producer's") {
				t.Errorf("Shutdown = %v, want an error that blames the producer", err)
			}
			if st := f.Stats(); st.OnFile != n {
				t.Errorf("%+v, want %d on file", st, n)
			}
			close(p.release)
			waitUntil(s.sender.done, time.Now().Add(waitTime))
			// What comes too late gives the memory back.
			eventually(t, "the memory to be free", func() bool {
				for _, r := range p.takeHeld() {
					r.Done(nil)
				}
				return s.Stats().PendingBytes == 0
			})
		})
	}
}

// Entries for a topic that is gone do not hold up those behind them.
func TestReplayPassesAFailingTopic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := mustOpenFallback(t, dir, nil)
	old.claimTopic("gone")
	for i := 0; i < 6*replayRecords; i++ {
		if _, err := old.Write([]byte("for a topic that is gone\n")); err != nil {
			t.Fatal(err)
		}
	}
	mustCloseFallback(t, old)
	leave(t, dir, "for one that is there")
	p := &sickDouble{sick: func(v []byte) bool { return strings.HasSuffix(string(v), "gone") }}
	_, f := newReplaySyncer(t, p, dir, nil, nil)
	eventually(t, "the last entry in Kafka", func() bool { return f.Stats().Replayed == 1 })
	if st := f.Stats(); st.OnFile != 6*replayRecords {
		t.Errorf("%+v, want the others on file", st)
	}
}

// leaveMany puts n entries of a topic into a fallback, many with a write.
func leaveMany(t testing.TB, dir, topic string, n int, line func(i int) string) {
	t.Helper()
	f := mustOpenFallback(t, dir, nil)
	defer mustCloseFallback(t, f)
	f.claimTopic(topic)
	for i := 0; i < n; {
		b := spool.Batch{First: time.Now(), Last: time.Now()}
		for ; i < n && len(b.Ends) < maxChunkRecords; i++ {
			b.Text = append(append(b.Text, line(i)...), '\n')
			b.Ends = append(b.Ends, uint32(len(b.Text)))
		}
		if entries, err := f.appendBatch(b); err != nil || entries != len(b.Ends) {
			t.Fatalf("%d of %d entries on file: %v", entries, len(b.Ends), err)
		}
	}
}

// However many entries of a failing topic are at the head, those of a topic that is
// well come through, behind them and between them, and only few of the others are
// sent for nothing.
func TestReplayPassesAnyNumberOfFailingEntries(t *testing.T) {
	const n, between = 400_000, 100
	dir := t.TempDir()
	gone := func(i int) string {
		if i%(n/between) == 1 {
			return string(bytes.TrimSuffix(spool.AppendEnvelope(nil, spool.Envelope{Topic: "there", Value: []byte("between")}), []byte{'\n'}))
		}
		return "for a topic that is gone"
	}
	leaveMany(t, dir, "gone", n, gone)
	leave(t, dir, "behind")
	p := &sickDouble{sick: func(v []byte) bool { return strings.HasSuffix(string(v), "gone") }}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{Replay: ReplayOptions{Rate: 10_000_000}})
	eventually(t, "all that are well in Kafka", func() bool { return f.Stats().Replayed == between+1 })
	if st := f.Stats(); st.OnFile != n-between {
		t.Errorf("%+v, want %d on file", st, n-between)
	}
	if sent := p.failures(); sent > n/8 {
		t.Errorf("%d entries of the failing topic were sent", sent)
	}
	if st := s.Stats(); st.PendingBytes > 4<<20 {
		t.Errorf("%d bytes in use for what was passed over", st.PendingBytes)
	}
}

// A topic that is known to fail is no outage while nothing else is under way, however
// long its sample takes.
func TestASickTopicIsNoOutage(t *testing.T) {
	t.Parallel()
	const outageAfter = 500 * time.Millisecond
	dir := t.TempDir()
	leaveMany(t, dir, "gone", 10, func(int) string { return "gone" })
	p := &slowDouble{}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{OutageAfter: outageAfter})
	eventually(t, "a sample of the topic with the client", func() bool { return p.holds() > 0 })
	begin := time.Now()
	eventually(t, "the time of an outage to pass", func() bool { return time.Since(begin) > 2*outageAfter })
	if state := stateOf(s); state == FallbackOnly {
		t.Errorf("state %v with nothing but a sample at the client", state)
	}
	mustWrite(t, s, "live\n")
	eventually(t, "the live entry in Kafka", func() bool { return s.Stats().Acked == 1 })
	if st := f.Stats(); st.OnFile != 10 {
		t.Errorf("%+v, want 10 on file", st)
	}
}

// slowDouble fails records for a topic that is gone, at once at first, and holds
// them from then on.
type slowDouble struct {
	topicDouble
	failed bool // guarded by mu
}

func (p *slowDouble) holds() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held)
}

func (p *slowDouble) Produce(ctx context.Context, records []*Record) {
	p.mu.Lock()
	gone := records[0].Topic == "gone"
	first := gone && !p.failed
	if gone {
		p.failed = true
		p.held = append(p.held, append([]*Record(nil), records...))
	}
	p.mu.Unlock()
	switch {
	case first:
		p.failHeld(errors.New("double: no such topic"))
	case !gone:
		p.topicDouble.Produce(ctx, records)
	}
}

// Samples of a failing topic are taken here and there: a sick partition does not
// hide the entries of another that are behind.
func TestReplayPassesAFailingPartition(t *testing.T) {
	t.Parallel()
	const n, well = 300_000, 60_000
	dir := t.TempDir()
	leaveMany(t, dir, "test", n, func(i int) string {
		if i < n-well {
			return "sick"
		}
		return "well"
	})
	p := &sickDouble{sick: func(v []byte) bool { return string(v) == "sick" }}
	_, f := newReplaySyncer(t, p, dir, nil, &Options{Replay: ReplayOptions{Rate: 10_000_000}})
	// The first of them may have to wait for more samples.
	eventuallyWithin(t, 3*waitTime, "half of the well in Kafka", func() bool { return f.Stats().Replayed >= well/2 })
	p.heal()
	eventuallyWithin(t, 3*waitTime, "all in Kafka", func() bool { return f.Stats().Replayed == n })
}

// What is remembered of entries that succeed between failing ones is inside the
// bound, and all comes through in the end.
func TestReplayRemembersOnlySoMuch(t *testing.T) {
	t.Parallel()
	const n = 40_000
	dir := t.TempDir()
	leaveMany(t, dir, "test", n, func(i int) string { return []string{"well", "sick"}[i%2] })
	p := &sickDouble{sick: func(v []byte) bool { return string(v) == "sick" }}
	s, f := newReplaySyncer(t, p, dir, nil, &Options{BufferBytes: minBufferBytes, MaxEntryBytes: 100_000, Replay: ReplayOptions{Rate: 10_000_000}})
	most := int(s.q.replay.most / 2 / fragmentCost)
	eventually(t, "no memory for more", func() bool { return f.Stats().Replayed >= uint64(most) })
	before := p.failures()
	eventually(t, "another try of those which failed", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		if aside, most := s.q.replay.aside, s.q.replay.most/2; aside > most {
			t.Fatalf("%d bytes for what succeeded between others, want at most %d", aside, most)
		}
		return p.failures() > before+s.q.replay.records
	})
	p.heal()
	eventuallyWithin(t, 3*waitTime, "all in Kafka", func() bool { return f.Stats().Replayed == n })
	eventually(t, "no memory in use", func() bool { return s.Stats().PendingBytes == 0 })
}

// With a small bound what is passed over takes a good part of the replay's memory,
// which must not keep it from going on: nothing else would free that.
func TestReplayPassesAFailingTopicInASmallBound(t *testing.T) {
	t.Parallel()
	for _, overhead := range []Overhead{{RecordBytes: 320, ValuePercent: 100}, {RecordBytes: 192, ValuePercent: 100}, {RecordBytes: 224, ValuePercent: 300}} {
		overhead := overhead
		t.Run(fmt.Sprint(overhead), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			old := mustOpenFallback(t, dir, nil)
			old.claimTopic("gone")
			for i := 0; i < 900; i++ {
				if _, err := old.Write([]byte("for a topic that is gone\n")); err != nil {
					t.Fatal(err)
				}
			}
			mustCloseFallback(t, old)
			leave(t, dir, "for one that is there")
			p := &sickDouble{sick: func(v []byte) bool { return strings.HasSuffix(string(v), "gone") }}
			p.overhead = overhead
			_, f := newReplaySyncer(t, p, dir, nil, &Options{BufferBytes: 4 << 20, MaxEntryBytes: 100_000, OutageAfter: -1})
			eventually(t, "the last entry in Kafka", func() bool { return f.Stats().Replayed == 1 })
		})
	}
}

// A large entry that finds no room beside a batch of the replay which waits for the
// sender is not held up by it.
func TestReplayHoldsUpNoLargeChunk(t *testing.T) {
	o, _ := (&Options{BufferBytes: 4 << 20, MaxEntryBytes: 100_000}).withDefaults()
	q, err := newQueue(o, Overhead{RecordBytes: 320, ValuePercent: 100})
	if err != nil {
		t.Fatal(err)
	}
	q.linger = 0
	cost := q.replayCost()
	if !q.chargeReplay(cost, time.Now()) {
		t.Fatal("no room for a batch")
	}
	b := &replayBatch{q: q, landed: func(*replayBatch) {}}
	if !q.offerReplay(b) {
		t.Fatal("the batch was not taken")
	}
	if err := q.put(&noMeta, line200); err != nil {
		t.Fatal(err)
	}
	q.mu.Lock()
	q.sealLocked()
	q.clientMost = q.inClient + q.clientCost(q.waiting[0]) - 1 // no room beside the batch
	q.mu.Unlock()
	if c, _ := q.takeForProducer(time.Now()); c != nil {
		t.Fatal("the chunk was taken: the test is wrong")
	}
	if got, _ := q.takeReplay(time.Now()); got != b {
		t.Fatal("neither the chunk nor the batch goes")
	}
	q.replayLanded(b)
	q.releaseReplay(cost)
	if c, _ := q.takeForProducer(time.Now()); c == nil {
		t.Error("the chunk does not go although the batch is back")
	}
}

// A topic that takes less than the client's batches is reported as that.
func TestBatchesLargerThanTheTopicTakes(t *testing.T) {
	dir := t.TempDir()
	const n = 3000
	leave(t, dir, numbered(n)...)
	log := &errorLog{}
	p := &smallTopic{most: 100}
	_, f := newReplaySyncer(t, p, dir, nil, &Options{ErrorHandler: log.handle})
	eventually(t, "all in Kafka", func() bool { return f.Stats().Replayed == n })
	if f.Stats().Rejected != 0 {
		t.Errorf("%+v, want none rejected", f.Stats())
	}
	eventually(t, "a report", func() bool {
		return strings.Contains(log.String(), "the batch size of the client and the topic's max.message.bytes do not fit")
	})
}

// smallTopic refuses batches of more than most records.
type smallTopic struct {
	topicDouble
	most int
}

func (p *smallTopic) Produce(ctx context.Context, records []*Record) {
	if len(records) > p.most {
		for _, r := range records {
			r.Done(errPoison)
		}
		return
	}
	p.topicDouble.Produce(ctx, records)
}

// An entry that is refused while records that were just logged are refused too may
// be innocent: it is sent again, and in the end left for later.
func TestARefusalThatOthersMayHaveCaused(t *testing.T) {
	dir := t.TempDir()
	leave(t, dir, "suspect")
	f := mustOpenFallback(t, dir, nil)
	defer mustCloseFallback(t, f)
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	r := newReplayer(q, newFallbackFile(f, "test"), "test", o, newReporter(func(error) {}), &sickPartitions{})
	src, entries := r.next()
	if len(entries) != 1 {
		t.Fatalf("%d entries", len(entries))
	}
	p := &parcel{from: src, left: 1}
	g := &group{parcel: p, entries: entries}
	for try := 1; ; try++ {
		b := &replayBatch{group: *g, q: q, landed: r.batchLanded, refusals: q.counters.refused.Load()}
		b.makeRecords("test", time.Time{})
		q.health.replays++
		r.flying++
		q.counters.refused.Add(1) // a record that was just logged
		b.records[0].Done(errPoison)
		r.settleLanded()
		if n := f.Stats().Rejected; n != 0 {
			t.Fatalf("rejected at try %d", try)
		}
		if r.passed {
			if try != loneTries {
				t.Errorf("passed over at try %d, want %d", try, loneTries)
			}
			break
		}
		if len(r.suspects) != 1 || try > loneTries {
			t.Fatalf("try %d: %d suspects, %+v", try, len(r.suspects), f.Stats())
		}
		g, r.suspects = r.suspects[0], nil
	}
	r.recall(time.Now())
	if _, entries := r.next(); len(entries) != 1 {
		t.Errorf("%d entries after the recall, want it again", len(entries))
	}
	r.finish()
}

// Owners die at any time: every minute it is looked for what they left.
func TestReplayAdoptsLater(t *testing.T) {
	dir := t.TempDir()
	f := mustOpenFallback(t, dir, nil)
	defer mustCloseFallback(t, f)
	other := mustOpenFallback(t, dir, nil)
	if _, err := other.Write([]byte("left by another\n")); err != nil {
		t.Fatal(err)
	}
	o, _ := (*Options)(nil).withDefaults()
	q, err := newQueue(o, Overhead{})
	if err != nil {
		t.Fatal(err)
	}
	r := newReplayer(q, newFallbackFile(f, "test"), "test", o, newReporter(func(error) {}), &sickPartitions{})
	defer r.finish()
	now := time.Now()
	if r.step(now); len(r.sources) != 1 {
		t.Fatalf("%d sources with the other owner alive", len(r.sources))
	}
	mustCloseFallback(t, other)
	if wait := r.step(now); len(r.sources) != 1 || wait <= 0 || wait > adoptEvery {
		t.Fatalf("%d sources before it was time, wait %v", len(r.sources), wait)
	}
	if r.step(now.Add(adoptEvery)); len(r.sources) != 2 {
		t.Errorf("%d sources, want our own and one adopted", len(r.sources))
	}
}
