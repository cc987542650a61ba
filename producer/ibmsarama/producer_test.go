package ibmsarama

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/zapkafka/zapkafka"
)

func TestDelivers(t *testing.T) {
	c := newCluster(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
	at := time.UnixMilli(1700000000123)
	rs, o := records(5000, numbered)
	for i, r := range rs {
		r.Time = at.Add(time.Duration(i) * time.Millisecond)
		r.Headers = []zapkafka.Header{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "n", Value: nil}}
	}
	rs[7].Key = []byte("seven")
	rs[8].Headers = nil
	p.Produce(t.Context(), rs)
	o.wantAcked(t)

	seen := make(map[int]bool)
	for _, r := range stored(t, c, len(rs)) {
		var i int
		if _, err := fmt.Sscanf(string(r.Value), "entry %d", &i); err != nil || seen[i] {
			t.Fatalf("read %q: %v, seen before: %v", r.Value, err, seen[i])
		}
		seen[i] = true
		if want := at.Add(time.Duration(i) * time.Millisecond); !r.Timestamp.Equal(want) {
			t.Errorf("record %d: time %v, want %v", i, r.Timestamp, want)
		}
		switch {
		case i == 8 && len(r.Headers) != 0:
			t.Errorf("record 8 has headers %v", r.Headers)
		case i == 7 && string(r.Key) != "seven", i != 7 && r.Key != nil:
			t.Errorf("record %d has key %q", i, r.Key)
		case i != 8 && (len(r.Headers) != 2 || string(r.Headers[0].Value) != fmt.Sprint(i) || r.Headers[1].Key != "n" || len(r.Headers[1].Value) != 0):
			t.Errorf("record %d has headers %v", i, r.Headers)
		}
	}
}

// An entry from the fallback can be hours old: its time stamp is no deadline.
func TestOldAndFutureTimeStamps(t *testing.T) {
	c := newCluster(t)
	p := start(t, c.ListenAddrs(), limits(time.Second), nil, nil)
	rs, o := records(2, numbered)
	rs[0].Time = time.Now().Add(-48 * time.Hour)
	rs[1].Time = time.Now().Add(time.Hour)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
}

func TestKeepsOrderOfKey(t *testing.T) {
	c := newCluster(t, kfake.SeedTopics(12, "keyed"))
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
	const n, keys = 6000, 7
	rs, o := records(n, numbered)
	for i, r := range rs {
		r.Key = fmt.Append(nil, "key", i%keys)
	}
	for i := 0; i < n; i += 100 {
		p.Produce(t.Context(), rs[i:i+100])
	}
	o.wantAcked(t)
	last := make(map[string]string)
	for _, r := range stored(t, c, n) {
		if prev := last[string(r.Key)]; prev >= string(r.Value) {
			t.Fatalf("key %q: %q came after %q", r.Key, r.Value, prev)
		}
		last[string(r.Key)] = string(r.Value)
	}
	if len(last) != keys {
		t.Errorf("got %d keys, want %d", len(last), keys)
	}
}

func TestUsedOutOfTurn(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rs, o := records(3, numbered)
	p.Flush(t.Context())
	p.Produce(t.Context(), rs) // before Start
	o.wantFailed(t, patience, nil)

	if _, err := p.Start(limits(time.Second), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(limits(time.Second), nil); err == nil || !bytes.Contains([]byte(err.Error()), []byte("second time")) {
		t.Errorf("second Start: got %v", err)
	}
	for range 2 {
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	rs, o = records(3000, numbered)
	p.Produce(t.Context(), rs)
	o.wantFailed(t, patience, sarama.ErrClosedClient)
	p.Flush(t.Context())
	if _, err := p.Start(limits(time.Second), nil); err == nil {
		t.Error("Start after Close: no error")
	}
}

func TestCloseBeforeStart(t *testing.T) {
	p, err := New([]string{"127.0.0.1:1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := p.Start(limits(time.Second), nil); err == nil {
		t.Error("Start after Close: no error")
	}
}

func TestProduceWaitsForRoomUntilContextEnds(t *testing.T) {
	l := limits(30 * time.Second)
	l.Records = 10
	p := start(t, []string{muteBroker(t)}, l, nil, nil)
	rs, o := records(30, numbered)
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan struct{})
	go func() {
		p.Produce(ctx, rs)
		close(returned)
	}()
	for !p.waiting.Load() {
		select {
		case <-returned:
			t.Fatal("Produce returned with 20 records for which there is no room")
		case <-time.After(time.Millisecond):
		}
	}
	if n := o.pending(); n != 30 {
		t.Errorf("%d records pending while Produce waits, want 30", n)
	}
	cancel()
	<-returned
	if n, err := o.failed(); n != 20 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d records were reported with %v when the context ended, want 20 with %v", n, err, context.Canceled)
	}
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	if n := o.pending(); n != 0 {
		t.Errorf("%d records pending after Close", n)
	}
}

func TestProduceGoesOnWhenThereIsRoom(t *testing.T) {
	c := newCluster(t)
	l := limits(30 * time.Second)
	l.Records = 100
	p := start(t, c.ListenAddrs(), l, nil, nil)
	rs, o := records(5000, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
}

func TestDoneContextTakesNothing(t *testing.T) {
	c := newCluster(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
	ctx, cancel := ctxDone()
	defer cancel()
	rs, o := records(10, numbered)
	p.Produce(ctx, rs)
	o.wantFailed(t, patience, context.Canceled)
}

// The context of Produce is for Produce: what the client has taken is not
// given up when it ends.
func TestContextEndsAfterProduce(t *testing.T) {
	c := newCluster(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, with(func(c *sarama.Config) { c.Producer.Flush.Frequency = time.Second }))
	ctx, cancel := context.WithCancel(t.Context())
	rs, o := records(10, numbered)
	p.Produce(ctx, rs)
	cancel()
	o.wantAcked(t)
}

func TestFlushDoesNotWait(t *testing.T) {
	p := start(t, []string{muteBroker(t)}, limits(30*time.Second), nil, nil)
	rs, o := records(100, numbered)
	p.Produce(t.Context(), rs)
	begin := time.Now()
	p.Flush(t.Context())
	if took := time.Since(begin); took > 5*time.Second || o.pending() != 100 {
		t.Errorf("Flush took %v, %d of 100 records pending", took, o.pending())
	}
}

func TestCloseDelivers(t *testing.T) {
	c := newCluster(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
	rs, o := records(20000, numbered)
	p.Produce(t.Context(), rs)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if n := o.pending(); n > 0 {
		t.Fatalf("%d records without an outcome after Close", n)
	}
	o.wantAcked(t)
}

// closeWithin closes p with a context of the given time, and checks that it kept
// to it and that every record is reported. That all of them are when Close returns
// is for a machine with nothing else to do.
func closeWithin(t *testing.T, p *Producer, o *outcomes, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	begin := time.Now()
	err := p.Close(ctx)
	took := time.Since(begin)
	t.Logf("Close with %v took %v: %v, %d records without an outcome", limit, took, err, o.pending())
	// The tenth of a second of the contract, and some for a busy machine.
	slack := 200 * time.Millisecond
	if raceEnabled {
		slack = 3 * time.Second
	}
	if took > limit+slack {
		t.Errorf("Close with %v took %v", limit, took)
	}
	o.wait(t, patience)
}

// many is as many records as can be reported in a tenth of a second with ease.
func many() int {
	if raceEnabled {
		return 300
	}
	return 50000
}

func TestCloseWithBrokerMute(t *testing.T) {
	p := start(t, []string{muteBroker(t)}, limits(30*time.Second), nil, nil)
	rs, o := records(many(), numbered)
	p.Produce(t.Context(), rs)
	closeWithin(t, p, o, 200*time.Millisecond)
	o.wantFailed(t, 0, sarama.ErrClosedClient)
}

func TestCloseWithBrokerFrozen(t *testing.T) {
	c := newCluster(t)
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.through(NewConfig()))
	rs, o := records(1000, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	n.freeze()
	rs, o = records(many(), numbered)
	p.Produce(t.Context(), rs)
	closeWithin(t, p, o, 300*time.Millisecond)
}

func TestCloseWithBrokerGone(t *testing.T) {
	p := start(t, []string{"127.0.0.1:1"}, limits(30*time.Second), nil, nil)
	rs, o := records(1000, numbered)
	p.Produce(t.Context(), rs)
	closeWithin(t, p, o, 0)
}

func TestCloseDuringProduceAndFlush(t *testing.T) {
	c := newCluster(t)
	for range 20 {
		p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
		rs, o := records(5000, numbered)
		begun := make(chan struct{})
		produced := make(chan struct{})
		go func() {
			defer close(produced)
			close(begun)
			for i := 0; i < len(rs); i += 100 {
				p.Produce(context.Background(), rs[i:i+100])
				p.Flush(context.Background())
			}
		}()
		<-begun
		errs := make(chan error)
		for range 3 {
			go func() { errs <- p.Close(context.Background()) }()
		}
		for range 3 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		<-produced // what came after Close was reported by Produce itself
		o.wait(t, 0)
		o.mu.Lock()
		for i, n := range o.calls {
			if n != 1 {
				t.Errorf("record %d was reported %d times", i, n)
			}
		}
		o.mu.Unlock()
	}
}

func TestLaterCloseHasItsOwnContext(t *testing.T) {
	p := start(t, []string{muteBroker(t)}, limits(30*time.Second), nil, nil)
	rs, o := records(1, numbered)
	p.Produce(t.Context(), rs)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- p.Close(ctx) }()
	<-p.ended
	done, cancelDone := ctxDone()
	defer cancelDone()
	if err := p.Close(done); !errors.Is(err, context.Canceled) {
		t.Errorf("later Close with a context that is done: got %v", err)
	}
	cancel()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := p.Close(done); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	o.wantFailed(t, 0, nil)
}
