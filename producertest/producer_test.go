package producertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka"
)

// inMemory makes Producers their own broker. Its only fault is Hold, which is what
// a mute broker is like.
type inMemory struct {
	mu   sync.Mutex
	all  []*Producer
	held bool
}

func (b *inMemory) Topic() string        { return "logs" }
func (b *inMemory) SmallTopic() string   { return "small" }
func (b *inMemory) MissingTopic() string { return "missing" }
func (b *inMemory) Close()               {}

func (b *inMemory) newProducer() *Producer {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := NewProducer()
	if b.held {
		p.Hold()
	}
	b.all = append(b.all, p)
	return p
}

func (b *inMemory) Stored(topic string) ([]Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var of []Message
	for _, p := range b.all {
		for _, m := range p.Records() {
			if m.Topic == topic {
				of = append(of, m)
			}
		}
	}
	return of, nil
}

func (b *inMemory) Set(f Fault) error {
	if f != Mute && f != Stalled && f != MuteOnProduce {
		return fmt.Errorf("%v: nothing is sent: %w", f, ErrNoFault)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
	for _, p := range b.all {
		p.Hold()
	}
	return nil
}

func (b *inMemory) Heal() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	for _, p := range b.all {
		p.Release()
	}
	return nil
}

func TestProducerKeepsTheContract(t *testing.T) {
	h := Harness{
		NewBroker:   func(testing.TB) Broker { return new(inMemory) },
		NewProducer: func(_ testing.TB, b Broker) zapkafka.Producer { return b.(*inMemory).newProducer() },
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	passed := 0
	run := func(cs *contractCase) {
		res := runCase(t, h, cs)
		mu.Lock()
		defer mu.Unlock()
		switch res.Status {
		case Passed:
			passed++
		case Skipped:
			t.Logf("%s", res)
		default:
			t.Errorf("%s: %q", res, res.Failures)
		}
	}
	for _, cs := range cases() {
		cs := cs
		switch {
		case cs.name == "UnknownTopic" || cs.name == "UnknownTopicIsReported" || cs.name == "TooLarge":
			// It knows no topics and nothing of their limits.
		case cs.alone: // these are the first
			run(cs)
		default:
			wg.Add(1)
			slots <- struct{}{}
			go func() {
				defer wg.Done()
				defer func() { <-slots }()
				run(cs)
			}()
		}
	}
	wg.Wait()
	if passed < 40 {
		t.Errorf("only %d cases have run", passed)
	}
}

// producer returns a started Producer, and a function that hands one record over
// and returns where its outcome will be.
func producer(t *testing.T) (*Producer, func(value string) <-chan error) {
	t.Helper()
	p := NewProducer()
	if _, err := p.Start(limits(longDelivery), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(contextDone()) })
	return p, func(value string) <-chan error {
		outcome := make(chan error, 1)
		p.Produce(context.Background(), []*zapkafka.Record{
			zapkafka.NewRecord("logs", []byte(value), func(err error) { outcome <- err }),
		})
		return outcome
	}
}

func TestProducerFails(t *testing.T) {
	p, produce := producer(t)
	want := errors.New("not today")
	p.Fail(want)
	if err := <-produce("a"); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	p.Fail(nil)
	if err := <-produce("b"); err != nil {
		t.Error(err)
	}
	if got := p.Records(); len(got) != 1 || string(got[0].Value) != "b" || got[0].Topic != "logs" {
		t.Errorf("got %+v", got)
	}
}

func TestProducerHolds(t *testing.T) {
	p, produce := producer(t)
	p.Hold()
	a, b := produce("a"), produce("b")
	select {
	case err := <-a:
		t.Fatalf("reported %v while held", err)
	default:
	}
	p.Release()
	if errA, errB := <-a, <-b; errA != nil || errB != nil {
		t.Error(errA, errB)
	}
	if got := p.Records(); len(got) != 2 || string(got[0].Value) != "a" {
		t.Errorf("got %+v", got)
	}
}

func TestProducerDelays(t *testing.T) {
	p, produce := producer(t)
	const delay = 50 * time.Millisecond
	p.Delay(delay)
	begin := time.Now()
	a := produce("a")
	p.Delay(0)
	b := produce("b")
	if err := <-b; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < delay {
		t.Errorf("reported after %v, before what came first", took)
	}
	if err := <-a; err != nil {
		t.Error(err)
	}
	if got := p.Records(); len(got) != 2 || string(got[0].Value) != "a" {
		t.Errorf("got %+v", got)
	}
}

func TestProducerDrops(t *testing.T) {
	p, produce := producer(t)
	p.Drop(true)
	a := produce("a")
	p.Drop(false)
	if err := <-produce("b"); err != nil {
		t.Error(err)
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-a:
		t.Errorf("a dropped record was reported with %v", err)
	default:
	}
}

func TestProducerCloseDeliversWhatIsDelayed(t *testing.T) {
	p, produce := producer(t)
	p.Delay(50 * time.Millisecond)
	a := produce("a")
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-a:
		if err != nil {
			t.Error(err)
		}
	default:
		t.Error("Close returned before the report")
	}
}

func TestProducerRecordsAreCopies(t *testing.T) {
	p, produce := producer(t)
	if err := <-produce("a"); err != nil {
		t.Error(err)
	}
	p.Records()[0].Value[0] = 'X'
	if got := p.Records(); string(got[0].Value) != "a" {
		t.Errorf("got %+v", got)
	}
}
