package zapkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// entryWithID makes an entry that tells whether it was damaged on its way.
func entryWithID(id, filler int) []byte {
	b := []byte(fmt.Sprintf("%d %s ", id, bytes.Repeat([]byte{'a' + byte(id%26)}, filler)))
	return append(strconv.AppendUint(b, uint64(crc32.ChecksumIEEE(b)), 10), '\n')
}

// idOf checks an entry and returns its id.
func idOf(value []byte) (int, error) {
	last := bytes.LastIndexByte(value, ' ')
	first := bytes.IndexByte(value, ' ')
	if last < 0 || strconv.FormatUint(uint64(crc32.ChecksumIEEE(value[:last+1])), 10) != string(value[last+1:]) {
		if len(value) > 60 {
			value = value[:60]
		}
		return 0, fmt.Errorf("damaged entry %q", value)
	}
	return strconv.Atoi(string(value[:first]))
}

// chaos is a Producer and a fallback that do all they may do, and some things
// that they may not.
type chaos struct {
	t    *testing.T
	mu   sync.Mutex
	rng  *rand.Rand
	held []*Record

	acked    map[int]int // reported with nil by the first Done
	onFile   map[int]int
	repeated uint64
	wg       sync.WaitGroup
	closed   bool
}

func (c *chaos) Start(Limits, ErrorHandler) (Overhead, error) {
	return Overhead{RecordBytes: 200, ValuePercent: 10}, nil
}

func (c *chaos) intn(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.Intn(n)
}

// done reports one record, having read what it says.
func (c *chaos) done(r *Record, err error) {
	id, bad := idOf(r.Value)
	if bad != nil {
		c.t.Errorf("at the producer: %v", bad)
	}
	if err == nil {
		c.mu.Lock()
		c.acked[id]++
		c.mu.Unlock()
	}
	r.Done(err)
}

func (c *chaos) Produce(ctx context.Context, records []*Record) {
	mode := c.intn(10)
	if mode == 0 {
		// No room in the client for a while.
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(c.intn(3000)) * time.Microsecond):
		}
	}
	var later []*Record
	for _, r := range records {
		switch n := c.intn(100); {
		case n < 60:
			c.done(r, nil)
		case n < 70:
			c.done(r, errors.New("chaos: refused"))
		case n < 72:
			c.done(r, nil)
			r.Done(errors.New("chaos: said twice"))
			c.mu.Lock()
			c.repeated++
			c.mu.Unlock()
		case n < 76 && mode > 5:
			c.mu.Lock()
			c.held = append(c.held, r)
			c.mu.Unlock()
		default:
			later = append(later, r)
		}
	}
	report := func() {
		for _, r := range later {
			var err error
			if c.intn(10) == 0 {
				err = errors.New("chaos: refused later")
			}
			c.done(r, err)
		}
	}
	// Close may come at any moment, and waits for those that were begun before it.
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.wg.Add(1)
	}
	c.mu.Unlock()
	if closed {
		report()
		return
	}
	go func() {
		defer c.wg.Done()
		report()
	}()
}

func (c *chaos) Flush(context.Context) {}

func (c *chaos) Close(context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wg.Wait()
	c.mu.Lock()
	held := c.held
	c.held = nil
	c.mu.Unlock()
	for i, r := range held {
		var err error
		if i%2 == 0 {
			err = errors.New("chaos: closed")
		}
		c.done(r, err)
	}
	return nil
}

// Write is the fallback's: now and then it takes only a part.
func (c *chaos) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	if c.intn(30) == 0 {
		n, err = c.intn(n+1), errors.New("chaos: no space left on device")
		// Whole lines only count; the rest of a real file is cut back.
		n = bytes.LastIndexByte(p[:n], '\n') + 1
	}
	for _, line := range bytes.Split(p[:n], []byte{'\n'}) {
		if len(line) == 0 {
			continue
		}
		id, bad := idOf(line)
		if bad != nil {
			c.t.Errorf("at the fallback: %v", bad)
		}
		c.mu.Lock()
		c.onFile[id]++
		c.mu.Unlock()
	}
	return n, err
}

func (c *chaos) Sync() error { return nil }

// TestEveryEntryHasOneOutcome drives a syncer with a small bound through a
// random mix of success, failure, late and repeated reports, full queue,
// failing fallback, Sync and Shutdown, and then looks for each entry by its id.
// Memory that comes free is overwritten at once, so a copy that is still needed
// would show up damaged.
func TestEveryEntryHasOneOutcome(t *testing.T) {
	t.Parallel()
	runs := 12
	if testing.Short() {
		runs = 3
	}
	seed := time.Now().UnixNano()
	for run := 0; run < runs; run++ {
		seed := seed + int64(run)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			oneChaosRun(t, seed)
		})
	}
}

func oneChaosRun(t *testing.T, seed int64) {
	c := &chaos{t: t, rng: rand.New(rand.NewSource(seed)), acked: map[int]int{}, onFile: map[int]int{}}
	o, err := (&Options{
		BufferBytes: 4 << 20, SyncTimeout: 20 * time.Millisecond, MaxWait: 20 * time.Millisecond,
		MaxEntryBytes: 300_000, LastResort: zapcore.AddSync(io.Discard), ErrorHandler: func(error) {},
	}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.intn(2) == 0 {
		o.FallbackLevel = zapcore.WarnLevel
	}
	o.DeliveryTimeout = time.Duration(20+c.intn(200)) * time.Millisecond // below what users may ask for
	overhead, _ := c.Start(Limits{}, nil)
	q, err := newQueue(o, overhead)
	if err != nil {
		t.Fatal(err)
	}
	q.onFree = func(text []byte) {
		for i := range text {
			text[i] = '!'
		}
	}
	s := startSyncer(c, "test", c, o, newReporter(o.ErrorHandler), q)

	const writers, each = 8, 1500
	var wg sync.WaitGroup
	for w := 0; w < writers; w++ {
		wg.Add(1)
		go func(w int, rng *rand.Rand) {
			defer wg.Done()
			for i := 0; i < each; i++ {
				filler := rng.Intn(3000)
				switch rng.Intn(300) {
				case 0:
					filler = largeBytes + rng.Intn(100_000)
				case 1:
					filler = 301_000 // oversize
				}
				entry := entryWithID(w*each+i, filler)
				_, _ = s.write(&meta{level: levelRank(rng.Intn(levelRanks))}, entry)
				for i := range entry {
					entry[i] = '?' // as zap's buffer is used again
				}
				if rng.Intn(400) == 0 {
					_ = s.Sync()
				}
			}
		}(w, rand.New(rand.NewSource(seed+int64(w)+1)))
	}
	shutdown := make(chan error, 1)
	early := c.intn(2) == 0
	if early {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.intn(200))*time.Millisecond)
			defer cancel()
			eventually(t, "some entries", func() bool { return s.Stats().Accepted > writers*each/2 })
			shutdown <- s.Shutdown(ctx)
		}()
	}
	wg.Wait()
	if !early {
		shutdown <- s.Close()
	}
	if err := <-shutdown; err != nil {
		t.Logf("shutdown: %v", err)
	}
	c.wg.Wait()

	st := s.Stats()
	checkBalance(t, st)
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.Accepted != writers*each {
		t.Errorf("accepted %d, want %d", st.Accepted, writers*each)
	}
	var nowhere, both, firstAcks, onFile uint64
	for id := 0; id < writers*each; id++ {
		a, f := c.acked[id], c.onFile[id]
		if a > 1 || f > 1 {
			t.Errorf("entry %d: %d times acknowledged, %d times on file", id, a, f)
		}
		firstAcks += uint64(a)
		onFile += uint64(f)
		switch {
		case a == 0 && f == 0:
			nowhere++
		case a == 1 && f == 1:
			both++
		}
	}
	// A write that did not return in time counts as lost and may come to a good
	// end all the same.
	if onFile < st.FellBack.Total() || onFile > st.FellBack.Total()+st.Lost.FallbackStuck {
		t.Errorf("%d entries on file, Stats say %d, and %d stuck", onFile, st.FellBack.Total(), st.Lost.FallbackStuck)
	}
	if firstAcks != st.Acked+st.LateAcked {
		t.Errorf("%d entries acknowledged, Stats say %d and %d late", firstAcks, st.Acked, st.LateAcked)
	}
	// A late acknowledgement may have come for an entry that the fallback
	// failed to write: lost by the books, there all the same.
	if nowhere > st.Lost.Total()+st.Shed {
		t.Errorf("%d entries are nowhere, Stats count only %d lost and %d shed", nowhere, st.Lost.Total(), st.Shed)
	}
	if st.PendingBytes != 0 {
		t.Errorf("%d bytes are still charged although the producer holds nothing", st.PendingBytes)
	}
	if st.RepeatedReports != c.repeated {
		t.Errorf("%d repeated reports, Stats say %d", c.repeated, st.RepeatedReports)
	}
	if testing.Verbose() {
		t.Logf("%+v; nowhere %d, in both %d", st, nowhere, both)
	}
}
