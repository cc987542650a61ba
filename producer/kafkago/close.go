package kafkago

import (
	"context"
	"fmt"
	"time"
)

// closeGrace is how long Close goes on after its context is done.
const closeGrace = 90 * time.Millisecond

// Close ends Produce, delivers what is in hand until ctx is done, gives up the
// rest, and cuts the connections. Every record has been reported when it
// returns, at the latest a tenth of a second after ctx is done, be the brokers
// mute, frozen or gone. With a ctx that never ends it waits for at most
// Limits.DeliveryTimeout and a few seconds.
//
// It may be called at any time, before Start too, beside every other method and
// more than once: later calls wait for the first or for their own ctx. The error
// is nil unless something could not be ended in time.
func (p *Producer) Close(ctx context.Context) error {
	if p == nil || p.ended == nil {
		return nil // not made with New: Start has refused it
	}
	p.mu.Lock()
	first, started := !p.closing, p.started
	if first {
		p.closing = true
		close(p.ended)
	}
	p.mu.Unlock()
	if !first {
		select {
		case <-p.done:
		case <-ctx.Done():
			select {
			case <-p.done: // the result comes before ctx's
			default:
				return ctx.Err()
			}
		}
		return p.closeErr
	}
	if started {
		p.closeErr = p.shutDown(ctx)
	}
	close(p.done)
	return p.closeErr
}

func (p *Producer) shutDown(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		p.workers.Wait() // every record is with a worker, so all are reported then
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	p.reports.stop()
	p.kill()
	p.cluster.close()
	select {
	case <-ended:
		return nil
	case <-time.After(closeGrace):
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("kafkago: not closed in time, %d records have not been reported yet (does the Balancer, Dial or Resolver block?)", p.records)
	}
}
