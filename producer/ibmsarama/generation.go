package ibmsarama

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

const (
	// orderWait is how long a new client waits for the old one to give back its
	// records, so that they are sent again before younger ones.
	orderWait = time.Second
	// wornAge is how old a client is at least before it is replaced because its
	// circuit breakers are open.
	wornAge = 2 * time.Second
	// softWait is how long a client that is replaced may take for what it has
	// before it is cut off: longer than the time-out of a request.
	softWait = 8 * time.Second
)

// generation is one sarama client with its connections. There is one at a time;
// it is given up, and a new one made, when it keeps records past their deadline:
// only cut connections make it give them back, and after that its circuit
// breakers would refuse records for ten seconds (sarama/async_producer.go,
// breaker.New).
type generation struct {
	p        *Producer
	producer sarama.AsyncProducer
	input    chan<- *sarama.ProducerMessage
	client   sarama.Client // nil if wrapped
	wire     *wire         // nil if wrapped
	born     time.Time

	window *window
	held   atomic.Int64  // records that the client has
	worn   atomic.Bool   // a circuit breaker is open
	empty  chan struct{} // room for one: held has become 0 after ending

	mu      sync.Mutex
	feeders int
	over    bool
	ending  chan struct{} // closed when nothing more is sent
	nobody  chan struct{} // closed when over and without feeders

	drained chan struct{} // closed when all records are back, or time is up
	quit    chan struct{} // closed to end the drains of a wrapped producer; else nil
	drains  sync.WaitGroup
}

func (p *Producer) newGeneration(producer sarama.AsyncProducer, client sarama.Client, w *wire) *generation {
	g := &generation{
		p: p, producer: producer, input: producer.Input(), client: client, wire: w, born: time.Now(),
		window:  newWindow(p.limits),
		empty:   make(chan struct{}, 1),
		ending:  make(chan struct{}),
		nobody:  make(chan struct{}),
		drained: make(chan struct{}),
	}
	if client == nil {
		g.quit = make(chan struct{})
	}
	// Both channels are read until they are closed: one that is not read stops
	// the whole client.
	g.drains.Add(2)
	p.work.Add(1)
	go func() {
		defer g.drains.Done()
		g.drainSuccesses()
	}()
	go func() {
		defer g.drains.Done()
		g.drainErrors()
	}()
	go func() {
		defer p.work.Done()
		g.drains.Wait()
		g.sweep()
	}()
	return g
}

func (g *generation) drainSuccesses() {
	for {
		select {
		case m, ok := <-g.producer.Successes():
			if !ok {
				return
			}
			g.report(m, nil)
		case <-g.quit:
			return
		}
	}
}

func (g *generation) drainErrors() {
	for {
		select {
		case e, ok := <-g.producer.Errors():
			if !ok {
				return
			}
			if e != nil {
				g.report(e.Msg, e.Err)
			}
		case <-g.quit:
			return
		}
	}
}

// report is told what became of a message. One that is not ours, or was
// reported before, is ignored: sarama has let internal ones slip out, and its
// mocks report an error and a success for the same.
func (g *generation) report(m *sarama.ProducerMessage, err error) {
	if m == nil {
		return
	}
	a := attemptOf(m)
	if a == nil || !a.entry.held.CompareAndSwap(a, nil) {
		return
	}
	a.gen.back(a, m.Partition, err)
}

// back takes a record that the client has let go of.
func (g *generation) back(a *attempt, partition int32, err error) {
	p, e := g.p, a.entry
	defer g.release(a)
	if err == nil {
		e.finish(nil)
		return
	}
	if p.isStopped() {
		e.finish(errClosed)
		return
	}
	if p.wrapped != nil && errors.Is(err, sarama.ErrShuttingDown) {
		// Its owner closes it. The next message could meet channels that are
		// just being closed, on which sarama panics (sarama/async_producer.go,
		// dispatcher and shutdown).
		g.close(false)
		e.finish(errClientClosed)
		return
	}
	again, outcome := p.judge(e.lane.topic, err)
	switch {
	case !again || p.wrapped != nil:
		e.finish(outcome)
	default:
		if isBreaker(err) {
			g.worn.Store(true)
		}
		var answer sarama.KError
		if !errors.As(err, &answer) {
			e.lane.trouble.Store(true)
		}
		p.shunned.add(e.lane.topic, partition)
		if isSilence(err) {
			p.shunned.silent(e.lane.topic, partition, p.limits.DeliveryTimeout)
		}
		e.lane.retry(e, outcome)
	}
}

// release counts a record out.
func (g *generation) release(a *attempt) {
	g.window.give(a.size)
	if g.held.Add(-1) == 0 && g.isOver() {
		signal(g.empty)
	}
}

func (g *generation) isOver() bool {
	select {
	case <-g.ending:
		return true
	default:
		return false
	}
}

// send hands an entry to the client; false when it has to go back to its lane.
// sarama's input has no room of its own, so this blocks as long as the client is
// busy.
func (g *generation) send(a *attempt, e *entry) (taken bool) {
	if e.block.isExpired() || g.isOver() {
		return false
	}
	a.size = e.size()
	if !g.window.take(a.size, g.ending, e.block.expired, g.p.stopped) {
		return false
	}
	e.prepare(a, g)
	e.held.Store(a)
	g.held.Add(1)
	defer func() {
		// The user of a wrapped producer has closed it.
		if !taken && recover() != nil {
			g.close(false)
		}
		if !taken {
			e.held.Store(nil)
			g.release(a)
		}
	}()
	select {
	case g.input <- &a.msg:
		return true
	case <-g.ending:
	case <-e.block.expired:
	case <-g.p.stopped:
	}
	return false
}

// enter counts the caller among those who send; false if the client is given up.
func (g *generation) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return false
	}
	g.feeders++
	return true
}

func (g *generation) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.feeders--; g.feeders == 0 && g.over {
		close(g.nobody)
	}
}

// condemn gives the client up, and has it give back what it holds.
func (g *generation) condemn() {
	if g.wire != nil { // else there is nothing that could be cut
		g.close(true)
	}
}

// close ends the sending, and for a client of ours everything else in the
// background.
func (g *generation) close(cut bool) {
	g.mu.Lock()
	first := !g.over
	if first {
		g.over = true
		close(g.ending)
		if g.feeders == 0 {
			close(g.nobody)
		}
	}
	g.mu.Unlock()
	if cut && g.wire != nil {
		g.wire.cut()
	}
	if first && g.client != nil {
		g.p.work.Add(1)
		go g.retire()
	}
}

// retire waits for the client to give back its records, and closes it.
func (g *generation) retire() {
	defer g.p.work.Done()
	// Whoever still sends must be gone: the client closes its input.
	<-g.nobody
	late := time.NewTimer(softWait)
	defer late.Stop()
	stopped := g.p.stopped
	for waiting := true; waiting && g.held.Load() > 0; {
		select {
		case <-g.empty:
		case <-stopped:
			g.wire.cut()
			stopped = nil
		case <-late.C:
			waiting = false
		}
	}
	close(g.drained)
	g.wire.cut()
	g.producer.AsyncClose()
	g.drains.Wait()
	_ = g.client.Close() // fails only when it has been closed
}

// sweep runs when the client's channels are closed: what it has not reported by
// then it never will, and it does not read it any more.
func (g *generation) sweep() {
	select {
	case <-g.quit:
		return
	default:
	}
	g.close(true)
	<-g.nobody
	if g.held.Load() == 0 {
		return
	}
	g.p.mu.Lock()
	blocks := make([]*block, 0, len(g.p.live))
	for b := range g.p.live {
		blocks = append(blocks, b)
	}
	g.p.mu.Unlock()
	for _, b := range blocks {
		for i := range b.entries {
			e := &b.entries[i]
			if a := e.held.Load(); a != nil && a.gen == g && e.held.CompareAndSwap(a, nil) {
				e.finish(errClientClosed)
				g.release(a)
			}
		}
	}
}

// knows asks the client for the topic, and returns why it cannot be written to.
func (g *generation) knows(topic string) error {
	err := g.client.RefreshMetadata(topic)
	if err != nil && !errors.Is(err, sarama.ErrLeaderNotAvailable) {
		return err
	}
	// Some partitions without a leader do not stop the others.
	partitions, werr := g.client.WritablePartitions(topic)
	if werr != nil {
		return werr
	}
	if len(partitions) == 0 {
		return sarama.ErrLeaderNotAvailable
	}
	// Each of these is in the client's memory now. This dials leaders to which
	// there is no connection yet, without waiting.
	leaders := make(map[int32]string, len(partitions))
	for _, partition := range partitions {
		if b, err := g.client.Leader(topic, partition); err == nil {
			leaders[partition] = b.Addr()
		}
	}
	g.p.shunned.led(topic, leaders)
	return nil
}

// generation returns the client, which is made first if there is none, or if the
// last had to be given up. One lane does that for all.
func (p *Producer) generation() (*generation, error) {
	p.building.Lock()
	defer p.building.Unlock()
	p.mu.Lock()
	g := p.current
	p.mu.Unlock()
	if g != nil {
		if !g.isOver() && g.worn.Load() && time.Since(g.born) > wornAge {
			g.close(false)
		}
		if !g.isOver() {
			return g, nil
		}
		if p.wrapped != nil {
			return nil, errClientClosed
		}
		t := time.NewTimer(orderWait)
		defer t.Stop()
		select {
		case <-g.drained:
		case <-t.C:
		case <-p.stopped:
		}
	}
	return p.build()
}

// build makes a client. It dials only if the user's configuration asks for all
// topics' metadata (Metadata.Full).
func (p *Producer) build() (*generation, error) {
	c, w := forClient(p.config, &p.shunned)
	p.mu.Lock()
	p.dialing = w
	p.mu.Unlock()
	if p.isStopped() { // stop has not seen the wire
		w.cut()
		return nil, errClosed
	}
	client, err := sarama.NewClient(p.brokers, c)
	if err != nil {
		w.cut()
		return nil, err
	}
	producer, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		w.cut()
		_ = client.Close()
		return nil, fmt.Errorf("making a producer: %w", err)
	}
	g := p.newGeneration(producer, client, w)
	p.mu.Lock()
	p.current = g
	p.mu.Unlock()
	if p.isStopped() { // stop has not seen the generation
		g.close(true)
	}
	return g, nil
}
