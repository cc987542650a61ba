package ibmsarama

import (
	"testing"
	"time"

	"github.com/zapkafka/zapkafka"
)

func TestWindow(t *testing.T) {
	w := newWindow(zapkafka.Limits{Records: 40, Bytes: 400})
	never := make(chan struct{})
	for range 9 {
		if !w.take(1, never, never, never) {
			t.Fatal("no room")
		}
	}
	if !w.take(1000, never, never, never) { // a large record reaches beyond the end
		t.Fatal("no room for a large record")
	}
	took := make(chan bool)
	for range 2 { // neither records nor bytes are free
		go func() { took <- w.take(1, never, never, never) }()
	}
	for w.waiting.Load() < 2 {
		<-time.After(time.Millisecond)
	}
	w.give(1)
	select {
	case <-took:
		t.Fatal("there was no room for bytes")
	case <-time.After(20 * time.Millisecond):
	}
	w.give(1000) // one signal is enough for both
	for range 2 {
		select {
		case ok := <-took:
			if !ok {
				t.Error("refused")
			}
		case <-time.After(patience):
			t.Fatal("a lane was forgotten")
		}
	}
	ended := make(chan struct{})
	close(ended)
	if w.take(1, ended, never, never) || w.take(1, never, ended, never) || w.take(1, never, never, ended) {
		t.Error("room where there is none")
	}
}

// Most of what cannot be sent waits outside the client.
func TestClientHoldsNoMoreThanTheWindow(t *testing.T) {
	c := newCluster(t)
	n := newNetwork(t)
	l := limits(30 * time.Second)
	l.Records = 4000
	p := start(t, c.ListenAddrs(), l, nil, n.through(NewConfig()))
	rs, o := records(100, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	n.freeze()
	rs, o = records(4000, numbered)
	p.Produce(t.Context(), rs)
	g := p.current
	for deadline := time.Now().Add(patience); g.window.waiting.Load() == 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the client takes more than %d records: %d", l.Records/4, g.held.Load())
		}
	}
	if held := g.held.Load(); held != int64(l.Records/4) {
		t.Errorf("the client has %d records, want %d", held, l.Records/4)
	}
	n.thaw()
	o.wantAcked(t)
}
