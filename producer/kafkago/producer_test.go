package kafkago

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/zapkafka/zapkafka"
)

func TestDelivers(t *testing.T) {
	for _, codec := range []kafka.Compression{0, NoCompression, kafka.Lz4, kafka.Zstd, kafka.Gzip} {
		t.Run(fmt.Sprint(codec), func(t *testing.T) {
			f := newFake(t, 2, 3)
			p := start(t, f.addrs, limits(30*time.Second), nil, &Config{Compression: codec})
			at := time.UnixMilli(1700000000123)
			rs, o := records(5000, numbered)
			for i, r := range rs {
				r.Time = at.Add(time.Duration(i) * time.Millisecond)
				r.Headers = []zapkafka.Header{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "n", Value: nil}}
			}
			rs[7].Key = []byte("seven")
			rs[8].Headers = nil
			p.Produce(context.Background(), rs)
			o.wantAcked(t)

			seen := make(map[int]bool)
			for _, m := range f.stored(logs) {
				var i int
				if _, err := fmt.Sscanf(string(m.value), "entry %d", &i); err != nil || seen[i] {
					t.Fatalf("read %q: %v, seen before: %v", m.value, err, seen[i])
				}
				seen[i] = true
				if want := at.Add(time.Duration(i) * time.Millisecond); !m.time.Equal(want) {
					t.Errorf("record %d: time %v, want %v", i, m.time, want)
				}
				switch {
				case i == 8 && len(m.headers) != 0:
					t.Errorf("record 8 has headers %v", m.headers)
				case i == 7 && string(m.key) != "seven", i != 7 && m.key != nil:
					t.Errorf("record %d has key %q", i, m.key)
				case i != 8 && (len(m.headers) != 2 || string(m.headers[0].Value) != fmt.Sprint(i) || m.headers[1].Key != "n" || len(m.headers[1].Value) != 0):
					t.Errorf("record %d has headers %v", i, m.headers)
				}
			}
			if len(seen) != len(rs) {
				t.Errorf("%d of %d records are stored", len(seen), len(rs))
			}
			want := map[kafka.Compression]kafka.Compression{0: kafka.Snappy, NoCompression: 0}
			got := f.calls[0].codec
			if w, ok := want[codec]; ok && got != w || !ok && got != codec {
				t.Errorf("compressed with %v", got)
			}
			if f.calls[0].acks != -1 {
				t.Errorf("acks %d, want -1 (all)", f.calls[0].acks)
			}
		})
	}
}

// null and empty are two things in Kafka.
func TestNullAndEmpty(t *testing.T) {
	f := newFake(t, 1, 1)
	p := start(t, f.addrs, limits(30*time.Second), nil, nil)
	rs, o := records(2, func(i int) []byte { return [][]byte{nil, {}}[i] })
	rs[1].Key = []byte{}
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	got := f.stored(logs)
	if len(got) != 2 || got[0].value != nil || got[0].key != nil || got[1].value == nil || got[1].key == nil {
		t.Errorf("stored %+v", got)
	}
}

func TestRequiredAcksOne(t *testing.T) {
	f := newFake(t, 1, 1)
	p := start(t, f.addrs, limits(30*time.Second), nil, &Config{RequiredAcks: kafka.RequireOne})
	rs, o := records(1, numbered)
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	if f.calls[0].acks != 1 {
		t.Errorf("acks %d, want 1", f.calls[0].acks)
	}
}

// A fault for every third request: the order of a key holds across retries, for
// there is one batch of a partition under way.
func TestKeepsOrderOfKeyAcrossRetries(t *testing.T) {
	f := newFake(t, 2, 4)
	n := 0
	f.answers(func(*call) answer {
		if n++; n%3 == 0 {
			return answer{code: kafka.NotLeaderForPartition}
		}
		return answer{}
	})
	p := start(t, f.addrs, limits(patience), nil, &Config{BatchBytes: 2000})
	const records1, keys = 3000, 7
	rs, o := records(records1, numbered)
	for i, r := range rs {
		r.Key = fmt.Append(nil, "key", i%keys)
	}
	for i := 0; i < records1; i += 100 {
		p.Produce(context.Background(), rs[i:i+100])
	}
	o.wantAcked(t)
	last := make(map[string]string)
	stored := f.stored(logs)
	for _, m := range stored {
		if prev := last[string(m.key)]; prev >= string(m.value) {
			t.Fatalf("key %q: %q came after %q", m.key, m.value, prev)
		}
		last[string(m.key)] = string(m.value)
	}
	if len(last) != keys || len(stored) != records1 {
		t.Errorf("got %d records of %d keys, want %d of %d", len(stored), len(last), records1, keys)
	}
}

func TestOneBatchOfPartitionUnderWay(t *testing.T) {
	f := newFake(t, 1, 2)
	p := start(t, f.addrs, limits(patience), nil, &Config{BatchBytes: 1000})
	rs, o := records(2000, numbered)
	for i, r := range rs {
		r.Key = fmt.Append(nil, i)
	}
	hold := make(chan struct{})
	f.answers(func(*call) answer {
		f.mu.Unlock() // others may come in meanwhile
		<-hold
		f.mu.Lock()
		return answer{}
	})
	for i := 0; i < len(rs); i += 100 {
		p.Produce(context.Background(), rs[i:i+100])
	}
	f.await("both partitions are sent to", func() bool { return len(f.calls) == 2 })
	close(hold)
	o.wantAcked(t)
	if f.most != 1 {
		t.Errorf("%d requests for a partition at a time", f.most)
	}
}

func TestBatchBytes(t *testing.T) {
	f := newFake(t, 1, 1)
	p := start(t, f.addrs, limits(patience), nil, &Config{BatchBytes: 1000})
	rs, o := records(50, func(i int) []byte { return make([]byte, []int{100, 5000}[i%10/9]) })
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	for _, c := range f.calls {
		bytes := 0
		for _, m := range c.messages {
			bytes += len(m.value)
		}
		if bytes > 1000 && len(c.messages) > 1 {
			t.Errorf("a batch of %d records has %d bytes", len(c.messages), bytes)
		}
	}
	if len(f.calls) > 15 {
		t.Errorf("%d requests for 50 records", len(f.calls))
	}
}

func TestPartitionOfKeyIsThatOfJava(t *testing.T) {
	f := newFake(t, 1, 12)
	p := start(t, f.addrs, limits(patience), nil, nil)
	rs, o := records(1000, numbered)
	for i, r := range rs {
		r.Key = fmt.Append(nil, i)
	}
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	all := make([]int, 12)
	for i := range all {
		all[i] = i
	}
	for id, q := range f.topics[logs] {
		for _, m := range q.stored {
			if want := (kafka.Murmur2Balancer{}).Balance(kafka.Message{Key: m.key}, all...); id != want {
				t.Fatalf("key %q is in partition %d, want %d", m.key, id, want)
			}
		}
	}
}

func TestSticky(t *testing.T) {
	s := &sticky{current: -1}
	ids := []int{1, 3, 4}
	var runs []int // bytes in a row
	last := -1
	for range 1000 {
		id := s.Balance(kafka.Message{Value: make([]byte, 1000)}, ids...)
		if id != last {
			runs = append(runs, 0)
		}
		last = id
		runs[len(runs)-1] += 1000
	}
	for i, n := range runs[:len(runs)-1] {
		if n < stickyBytes || n > stickyBytes+1000 {
			t.Errorf("run %d has %d bytes, want %d", i, n, stickyBytes)
		}
	}
	if id := s.Balance(kafka.Message{Value: []byte("x")}, 7); id != 7 {
		t.Errorf("got partition %d, offered was 7", id)
	}
}

func TestOwnBalancer(t *testing.T) {
	f := newFake(t, 1, 3)
	p := start(t, f.addrs, limits(patience), nil, &Config{Balancer: kafka.BalancerFunc(func(m kafka.Message, ids ...int) int {
		if m.Topic != logs || len(ids) != 3 {
			t.Errorf("topic %q, partitions %v", m.Topic, ids)
		}
		if bytes.Equal(m.Value, numbered(5)) {
			return 99
		}
		return ids[1]
	})})
	rs, o := records(100, numbered)
	p.Produce(context.Background(), rs)
	o.wait(t, patience)
	if n, err := o.failed(); n != 1 || !errors.Is(err, errAstray) || errors.Is(err, zapkafka.ErrRejected) {
		t.Errorf("%d records failed: %v", n, err)
	}
	if got := f.counts(logs); got[1] != 99 {
		t.Errorf("stored by partition: %v", got)
	}
}

func TestProduceWaitsForRoom(t *testing.T) {
	for name, l := range map[string]zapkafka.Limits{
		"records": {Records: 10, Bytes: 1 << 20, RecordBytes: 1000, DeliveryTimeout: patience},
		"bytes":   {Records: 1000, Bytes: 10 * 13, RecordBytes: 1000, DeliveryTimeout: patience},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, 1, 1)
			p := start(t, f.addrs, l, nil, nil)
			f.freeze(true)
			rs, o := records(30, numbered) // of 13 bytes
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			p.Produce(ctx, rs)
			if n := o.pending(); n != 10 {
				t.Errorf("%d records were taken, want 10", n)
			}
			if _, err := o.failed(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the others failed with %v", err)
			}
			f.freeze(false)
			more, o2 := records(30, numbered)
			p.Produce(context.Background(), more) // returns when there is room
			o2.wantAcked(t)
			if n := len(f.stored(logs)); n != 40 {
				t.Errorf("%d records are stored, want 40", n)
			}
		})
	}
}

func TestUsedOutOfTurn(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rs, o := records(3, numbered)
	p.Flush(context.Background())
	p.Produce(context.Background(), rs) // before Start
	o.wantFailed(t, patience, errNotStarted)
	if _, err := p.Start(limits(time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(limits(time.Second), nil); err == nil || !strings.Contains(err.Error(), "second time") {
		t.Errorf("second Start: got %v", err)
	}
	for range 2 {
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	rs, o = records(3000, numbered)
	p.Produce(context.Background(), rs)
	o.wantFailed(t, patience, net.ErrClosed)
	p.Flush(context.Background())
	if _, err := p.Start(limits(time.Second), nil); err == nil {
		t.Error("Start after Close: no error")
	}
}

func TestCloseBeforeStart(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := p.Start(limits(time.Second), nil); err == nil {
		t.Error("Start after Close: no error")
	}
}

func TestCloseDeliversAndHangsUp(t *testing.T) {
	f := newFake(t, 3, 6)
	p := start(t, f.addrs, limits(30*time.Second), nil, nil)
	rs, o := records(20000, numbered)
	p.Produce(context.Background(), rs)
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	o.wantAcked(t)
	f.await("all connections are closed", func() bool { return len(f.conns) == 0 })
}

// With a broker that reads nothing, records in every state are given up.
func TestCloseGivesUp(t *testing.T) {
	for _, connected := range []bool{true, false} {
		f := newFake(t, 2, 4)
		p := start(t, f.addrs, limits(30*time.Second), nil, nil)
		if connected {
			rs, o := records(100, numbered)
			p.Produce(context.Background(), rs)
			o.wantAcked(t)
		}
		f.freeze(true)
		rs, o := records(1000, func(int) []byte { return make([]byte, 500) })
		p.Produce(context.Background(), rs)
		other, o2 := records(10, numbered)
		for _, r := range other {
			r.Topic = "another"
		}
		p.Produce(context.Background(), other)
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		begin := time.Now()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		t.Logf("Close took %v", time.Since(begin).Round(time.Millisecond))
		o.wantFailed(t, 0, errClosed)
		o2.wantFailed(t, 0, errClosed)
		awaitNoClient(t)
	}
}

// awaitNoClient waits until no goroutine of a client is left, which is soon: long
// before its requests time out.
func awaitNoClient(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(2 * time.Second); ; <-time.After(2 * time.Millisecond) {
		stacks := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "segmentio/kafka-go.(*") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the client's goroutines live on:\n%s", stacks)
		}
	}
}

func TestBatchIsRecycledOnlyWhenAnswered(t *testing.T) {
	for _, unanswered := range []bool{false, true} {
		b := new(batch)
		rs, _ := records(3, numbered)
		for _, r := range rs {
			b.items = append(b.items, item{record: r})
		}
		b.copyItems()
		value := b.entries[1].value
		b.unanswered = unanswered
		b.recycle(1000)
		if unanswered == (b.entries[:3][1].value == nil) {
			t.Errorf("unanswered %v: entries %v", unanswered, b.entries)
		}
		if !bytes.Equal(value, numbered(1)) {
			t.Errorf("value is %q", value)
		}
	}
}
