//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"time"
)

const (
	// closeGrace is how long Close goes on after its context is done, for the
	// client to report what it gives up.
	closeGrace = 90 * time.Millisecond
	// freeAfter is how long the client may take to be freed before that is worth
	// an error. It takes up to 100 ms by itself: its goroutine looks that often.
	freeAfter = time.Second
)

// Close ends Produce, lets the client deliver what it holds until ctx is done,
// gives up the rest, and frees the client. Every record has been reported when
// it returns, at the latest a tenth of a second after ctx is done, be the
// brokers mute, frozen or gone. With a ctx that never ends it waits for at most
// Limits.DeliveryTimeout and a few seconds.
//
// When ctx leaves no time for it, the client's threads end shortly after Close
// has returned. The C library is known to hang in this now and then; then one
// goroutine and those threads stay behind, and the error says so if ctx left
// enough time to tell.
//
// Close may be called at any time, before Start too, beside every other method
// and more than once: later calls wait for the first or for their own ctx.
func (p *Producer) Close(ctx context.Context) error {
	if p == nil || p.ended == nil {
		return nil // not made with New: Start has refused it
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
		p.closeErr = p.closeClients(ctx)
	} else {
		close(p.freed)
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

func (p *Producer) closeClients(ctx context.Context) error {
	p.drain(ctx)
	p.reports.stop()
	begun := time.Now()
	go p.free()
	freed, ended, grace := p.freed, ctx.Done(), (<-chan time.Time)(nil)
	for freed != nil || p.inflight.Load() > 0 {
		select {
		case <-freed:
			freed = nil
		case <-p.idle:
		case <-ended:
			ended, grace = nil, time.After(closeGrace)
		case <-grace:
			return p.unfinished(time.Since(begun))
		}
		// With ctx done there is no need to wait for threads to end.
		if ended == nil && p.inflight.Load() == 0 && p.feederEnded() {
			return p.unfinished(time.Since(begun))
		}
	}
	return nil
}

// unfinished says what Close leaves behind, nil if that will be gone soon.
func (p *Producer) unfinished(after time.Duration) error {
	switch left := p.inflight.Load(); {
	case left > 0:
		return fmt.Errorf("confluent: the client was not closed in time, %d records have not been reported yet", left)
	case !p.feederEnded():
		return fmt.Errorf("confluent: the client was not closed in time: a call into librdkafka has not returned")
	case after > freeAfter:
		return fmt.Errorf("confluent: librdkafka has not freed its threads within %v; they stay behind", after.Round(time.Millisecond))
	}
	return nil
}

func (p *Producer) feederEnded() bool {
	select {
	case <-p.fed:
		return true
	default:
		return false
	}
}

// drain waits until every record is reported or ctx is done.
func (p *Producer) drain(ctx context.Context) {
	select {
	case <-p.fed: // whatever it had in hand is with the client now
	case <-ctx.Done():
		return
	}
	for p.inflight.Load() > 0 {
		select {
		case <-p.idle:
		case <-ctx.Done():
			return
		}
	}
}

// free gives up what the clients hold and waits until they are gone.
func (p *Producer) free() {
	p.endClients() // also when the feeder is stuck in one: what else that one holds is reported
	<-p.fed
	for _, c := range p.endClients() { // the feeder may have built another
		<-c.freed
	}
	close(p.freed)
}

func (p *Producer) endClients() []*client {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*client, 0, len(p.clients))
	for c := range p.clients {
		c.end(errClosed)
		all = append(all, c)
	}
	return all
}
