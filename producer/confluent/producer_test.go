//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

func TestDelivers(t *testing.T) {
	c := mockCluster(t, 3)
	p := start(t, servers(c), limits(patience), nil, nil)
	rs, o := records(5000, numbered)
	for i, r := range rs {
		r.Key = []byte{byte(i)}
		r.Headers = []zapkafka.Header{{Key: "a", Value: []byte("b")}, {Key: "none"}, {Key: "empty", Value: []byte{}}}
	}
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	p.Produce(t.Context(), nil)
	p.Flush(t.Context())
}

// Brokers go down, and up again long before the records run out of time.
func TestBrokersGoDownAndUp(t *testing.T) {
	c := mockCluster(t, 1)
	log := newErrorLog()
	p := start(t, servers(c), limits(patience), log, nil)
	rs, o := records(10, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	if err := c.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	rs, o = records(1000, numbered)
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "refused")
	if o.pending() != len(rs) {
		n, err := o.failed()
		t.Fatalf("%d records failed long before their deadline: %v", n, err)
	}
	if err := c.SetBrokerUp(-1); err != nil {
		t.Fatal(err)
	}
	o.wantAcked(t)
}

func TestDeadlineWithMuteBrokers(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func() (brokers []string, mute func()){
		"from the start": func() ([]string, func()) {
			return []string{listener(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })}, nil
		},
		"on produce": func() ([]string, func()) {
			c := mockCluster(t, 1)
			return servers(c), func() {
				if err := c.SetRoundtripDuration(-1, time.Minute); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			const delivery = 1500 * time.Millisecond
			brokers, mute := prepare()
			p := start(t, brokers, limits(delivery), nil, nil)
			if mute != nil {
				rs, o := records(10, numbered)
				p.Produce(t.Context(), rs)
				o.wantAcked(t)
				mute()
			}
			rs, o := records(20000, numbered)
			begin := time.Now()
			p.Produce(t.Context(), rs)
			o.wait(t, delivery+10*time.Second)
			t.Logf("the last record was reported %v after its deadline", o.last.Sub(begin.Add(delivery)).Round(time.Millisecond))
			o.wantFailed(t, context.DeadlineExceeded)
		})
	}
}

// The client dials as soon as it is built: so it is built for the first record.
func TestNewAndStartDoNotDial(t *testing.T) {
	dialled := make(chan struct{}, 100)
	addr := listener(t, func(c net.Conn) { dialled <- struct{}{} })
	p, err := New([]string{addr}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(limits(time.Second), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-dialled:
		t.Fatal("dialled without a record")
	case <-time.After(300 * time.Millisecond): // it would take 2 ms
	}
	rs, o := records(1, numbered)
	p.Produce(t.Context(), rs)
	await(t, dialled, "the broker is dialled")
	if err := p.Close(ctxDone(t)); err != nil {
		t.Error(err)
	}
	o.wait(t, patience)
	await(t, p.freed, "the client is freed")
}

// A call into the C library that hangs: the lock stands for it.
func TestCallIntoLibraryHangs(t *testing.T) {
	c := mockCluster(t, 1)
	p, err := New(servers(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(limits(patience), nil); err != nil {
		t.Fatal(err)
	}
	rs, o := records(10, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)

	feeding := &onlyClient(t, p).feeding
	feeding.Lock()
	first, o1 := records(10, numbered)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p.Produce(ctx, first)
	if ctx.Err() == nil {
		t.Fatal("Produce returned before its context was done")
	}
	if left := o1.pending(); left != 1 {
		t.Errorf("%d records are not reported, want the one that the library has", left)
	}
	second, o2 := records(10, numbered)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p.Produce(ctx, second)
	o2.wantFailed(t, context.DeadlineExceeded)
	third, o3 := records(10, numbered)
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		p.Produce(context.Background(), third)
	}()
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "has not returned") {
		t.Errorf("Close: %v, want an error that says what hangs", err)
	}
	await(t, produced, "Close has ended Produce")
	o3.wantFailed(t, errClosed)

	feeding.Unlock() // the library returns at last
	o1.wait(t, patience)
	await(t, p.freed, "the client is freed")
}

// After a fatal error the client refuses everything for ever: it is replaced.
func TestFatalError(t *testing.T) {
	c := mockCluster(t, 1)
	log := newErrorLog()
	p := start(t, servers(c), limits(patience), log, nil)
	rs, o := records(10, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	if err := c.SetRoundtripDuration(-1, time.Minute); err != nil {
		t.Fatal(err)
	}
	held, o := records(100, numbered)
	p.Produce(t.Context(), held)
	old := onlyClient(t, p)
	if code := old.kafka.TestFatalError(kafka.ErrOutOfOrderSequenceNumber, "as if"); code != kafka.ErrNoError {
		t.Fatal(code)
	}
	o.wait(t, patience) // at once, not at their deadline
	for i, err := range o.errs {
		if !fatal(err) || errors.Is(err, errClosed) {
			t.Fatalf("record %d: got %v, want the fatal error", i, err)
		}
	}
	_ = log.wait(t, "as if")
	await(t, old.freed, "the old client is freed")
	if err := c.SetRoundtripDuration(-1, 0); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		rs, o := records(10, numbered)
		p.Produce(t.Context(), rs)
		o.wait(t, patience)
		n, err := o.failed()
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("records still fail: %v", err)
		}
		<-time.After(50 * time.Millisecond)
	}
	if onlyClient(t, p) == old {
		t.Error("the client was not replaced")
	}
}

// The client's own limit, which the syncer's never come near.
func TestProduceWithoutRoom(t *testing.T) {
	l := zapkafka.Limits{Records: 10, Bytes: 1000, RecordBytes: 100, DeliveryTimeout: patience}
	p := start(t, []string{"127.0.0.1:1"}, l, nil, &kafka.ConfigMap{"queue.buffering.max.messages": 10})
	rs, o := records(30, numbered)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	p.Produce(ctx, rs)
	if ctx.Err() == nil {
		t.Error("Produce returned although there was no room")
	}
	if n, err := o.failed(); n != 20 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d records have been refused with %v, want 20 with that of the context", n, err)
	}
}

func TestInvalidTopic(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(patience), nil, nil)
	for _, name := range []string{"", ".", "..", "a b", "a\x00b", "ä", strings.Repeat("a", 250), strings.Repeat("a", 600)} {
		rs, o := records(1, numbered)
		rs[0].Topic = name
		p.Produce(t.Context(), rs)
		o.wantFailed(t, zapkafka.ErrRejected)
	}
}

func TestProduceBeforeStartAndAfterClose(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rs, o := records(3, numbered)
	p.Produce(t.Context(), rs)
	o.wantFailed(t, errNotStarted)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	rs, o = records(3, numbered)
	p.Produce(t.Context(), rs)
	o.wantFailed(t, errClosed)
	if _, err := p.Start(limits(time.Second), nil); err == nil {
		t.Error("Start after Close returned no error")
	}
}

// Nothing is left of the C library: its threads are known by their names.
func TestCloseEndsThreads(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc/self/task, which only Linux has")
	}
	p := start(t, []string{listener(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })}, limits(patience), nil, nil)
	rs, o := records(1000, numbered)
	p.Produce(t.Context(), rs)
	during := len(libraryThreads(t))
	if during < 2 {
		t.Errorf("%d threads of the library while it works: the test looks for the wrong names", during)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	t.Logf("Close took %v", time.Since(begin).Round(time.Millisecond))
	o.wantFailed(t, errClosed)
	await(t, p.freed, "the client is freed")
	t.Logf("freed after %v, %d threads before", time.Since(begin).Round(time.Millisecond), during)
	// A thread that has been joined may be in /proc for a moment more.
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		left := libraryThreads(t)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads after Close: %v", left)
		}
	}
}

func libraryThreads(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil || len(files) == 0 {
		t.Fatal("no threads in /proc: ", err)
	}
	var names []string
	for _, f := range files {
		if name, err := os.ReadFile(f); err == nil && strings.HasPrefix(string(name), "rdk:") {
			names = append(names, strings.TrimSpace(string(name)))
		}
	}
	return names
}

// TestAllocations pins what a record allocates from Produce to Done, ours and
// the client's.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	c := mockCluster(t, 1)
	p := start(t, servers(c), limits(patience), nil, nil)
	warm, o := records(5000, numbered)
	p.Produce(t.Context(), warm)
	o.wantAcked(t)
	const n = 50_000
	rs, o := records(n, numbered)
	var before, between, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < n; i += 1000 {
		p.Produce(t.Context(), rs[i:i+1000])
	}
	runtime.ReadMemStats(&between)
	o.wantAcked(t)
	runtime.ReadMemStats(&after)
	perRecord := float64(after.Mallocs-before.Mallocs) / n
	t.Logf("%.2f allocations a record (%.2f when Produce has returned), %.0f B", perRecord,
		float64(between.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n)
	if perRecord > 8 {
		t.Errorf("%.2f allocations a record, want at most 8", perRecord)
	}
}

func BenchmarkProduce(b *testing.B) {
	c := mockCluster(b, 1)
	p := start(b, servers(c), limits(patience), nil, nil)
	value := []byte(strings.Repeat(fmt.Sprintf(`{"msg":"%d"}`, 1), 17))
	const call = 1000
	acks := make(chan error, call)
	rs := make([]*zapkafka.Record, call)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for n := 0; n < b.N; n += call {
		for i := range rs {
			rs[i] = zapkafka.NewRecord(topic, value, func(err error) { acks <- err })
		}
		p.Produce(b.Context(), rs)
		for range rs {
			if err := <-acks; err != nil {
				b.Fatal(err)
			}
		}
	}
}
