package ibmsarama

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// closeGrace is how long Close goes on after its context is done, for the client
// to give back what it holds.
const closeGrace = 90 * time.Millisecond

// Close ends Produce, lets the client deliver what it holds until ctx is done,
// gives up the rest, and frees the client. It returns at the latest a tenth of a
// second after ctx is done, be the brokers mute, frozen or gone; the client's
// connections are cut then, and every record has been reported. With a ctx that
// never ends it waits for at most Limits.DeliveryTimeout and a few seconds.
//
// A producer that was wrapped is not closed, which is up to its owner, and its
// connections are not cut: records that it still has when ctx is done are
// reported when it gives them back, and the error says how many.
//
// Close may be called at any time, before Start too, beside every other method
// and more than once: later calls wait for the first or for their own ctx. The
// error is nil unless the client could not be closed in time.
func (p *Producer) Close(ctx context.Context) error {
	if p == nil || p.ended == nil {
		return nil // not made with New or Wrap: Start has refused it
	}
	p.mu.Lock()
	first := !p.closing
	if first {
		p.closing = true
		close(p.ended)
	}
	started := p.started
	p.mu.Unlock()
	if !first {
		return p.awaitClosed(ctx)
	}
	if started {
		p.closeErr = p.closeClient(ctx)
	}
	close(p.done)
	return p.closeErr
}

// awaitClosed waits for the first Close, whose result comes before ctx's.
func (p *Producer) awaitClosed(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		select {
		case <-p.done:
		default:
			return ctx.Err()
		}
	}
	return p.closeErr
}

func (p *Producer) closeClient(ctx context.Context) error {
	p.draining.Store(true)
	p.drain(ctx)
	p.reports.stop()
	p.stop()
	closed := make(chan struct{})
	go func() {
		if p.wrapped != nil {
			// The client's channels are read until it has given everything back;
			// after that nothing of ours comes.
			p.drain(context.Background())
			close(p.current.quit)
		}
		p.work.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
	}
	t := time.NewTimer(closeGrace)
	defer t.Stop()
	select {
	case <-closed:
		return nil
	case <-t.C:
	}
	if left := p.inflight.Load(); left > 0 {
		return fmt.Errorf("ibmsarama: the sarama producer still has %d records: they are reported when it gives them back", left)
	}
	return errors.New("ibmsarama: the sarama client was not closed in time; it ends in the background")
}

// drain waits until every record is reported or ctx is done.
func (p *Producer) drain(ctx context.Context) {
	for ctx.Err() == nil && p.inflight.Load() > 0 {
		select {
		case <-p.idle:
		case <-ctx.Done():
		}
	}
}

// stop gives up everything that has not been delivered. What the client holds
// comes back because its connections are cut.
func (p *Producer) stop() {
	close(p.stopped)
	p.mu.Lock()
	g, w := p.current, p.dialing
	p.mu.Unlock()
	if w != nil {
		w.cut()
	}
	if g != nil {
		g.close(true)
	}
}
