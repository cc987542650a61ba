package franz

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Close ends Produce, lets the client deliver what it holds until ctx is done,
// gives up the rest, and frees the client. Every record has been reported when
// it returns, at the latest a tenth of a second after ctx is done, be the
// brokers mute, frozen or gone. With a ctx that never ends it waits for at most
// Limits.DeliveryTimeout and a few seconds.
//
// It may be called at any time, before Start too, beside every other method and
// more than once: later calls wait for the first or for their own ctx. The error
// is nil unless the client could not be closed in time.
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
	client := p.client
	p.mu.Unlock()
	if !first {
		return p.awaitClosed(ctx)
	}
	if client != nil {
		p.closeErr = p.closeClient(ctx, client)
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

func (p *Producer) closeClient(ctx context.Context, client *kgo.Client) error {
	p.draining.Store(true)
	if ctx.Err() == nil && p.inflight.Load() > 0 {
		p.drain(ctx, client)
	}
	p.reports.stop()
	closed := make(chan struct{})
	go func() { // in a goroutine: hooks of the user run in it
		client.Close()
		p.kill()
		p.helpers.Wait()
		close(closed)
	}()
	// The client returns from Close before it has run all promises
	// (kgo/producer.go, promiseBatch: they have a goroutine of their own).
	ended, grace := ctx.Done(), (<-chan time.Time)(nil)
	for wait := closed; wait != nil || p.inflight.Load() > 0; {
		select {
		case <-wait:
			wait = nil
		case <-p.idle:
		case <-ended:
			ended, grace = nil, time.After(closeGrace)
		case <-grace:
			if p.inflight.Load() == 0 {
				return errors.New("franz: the time was over before the client had closed: its connections end later")
			}
			return fmt.Errorf("franz: the time was over before the client had reported all it gave up: %d records come late (many at once do, or a hook that blocks)", p.inflight.Load())
		}
	}
	return nil
}

// drain waits until every record is reported or ctx is done.
func (p *Producer) drain(ctx context.Context, client *kgo.Client) {
	nudge(client)
	for p.inflight.Load() > 0 {
		select {
		case <-p.idle:
		case <-ctx.Done():
			return
		}
	}
}
