package zapkafka

import (
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// reportInterval is the time in which one kind of trouble is reported once.
	reportInterval = 10 * time.Second
	// reportQueue is how many reports wait for a handler that is slow.
	reportQueue = 32
	// reportKinds bounds the kinds that are told apart, and so the memory.
	reportKinds = 64
)

// stderrHandler is the default ErrorHandler.
func stderrHandler(err error) {
	fmt.Fprintf(os.Stderr, "%s %v\n", time.Now().Format(time.RFC3339), err)
}

// reporter stands between those who find trouble, who must not be held up and
// may find the same trouble a thousand times a second, and the user's
// ErrorHandler, which may block. It has a goroutine of its own for calling it.
type reporter struct {
	handler ErrorHandler
	queue   chan error // never closed

	mu    sync.Mutex
	kinds map[string]*kindReports

	stop chan struct{} // closed by close
	done chan struct{} // closed by run
}

type kindReports struct {
	last       time.Time
	suppressed int
	lastErr    error // the latest one that was suppressed
}

func newReporter(handler ErrorHandler) *reporter {
	return &reporter{
		handler: handler,
		queue:   make(chan error, reportQueue),
		kinds:   make(map[string]*kindReports),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
}

// report takes an error for the handler. It never blocks. Within
// reportInterval only the first error of a kind is passed on; the next one
// after it says how many were not.
func (r *reporter) report(kind string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.kinds[kind]
	if k == nil {
		if len(r.kinds) >= reportKinds {
			kind = "other"
		}
		if k = r.kinds[kind]; k == nil {
			k = &kindReports{}
			r.kinds[kind] = k
		}
	}
	now := time.Now()
	if !k.last.IsZero() && now.Sub(k.last) < reportInterval {
		k.suppressed++
		k.lastErr = err
		return
	}
	send := err
	if k.suppressed > 0 {
		send = fmt.Errorf("%w (and %d more reports like it since the last one)", err, k.suppressed)
	}
	select {
	case r.queue <- send:
		k.last, k.suppressed = now, 0
	default:
		k.suppressed++ // the handler is slow
		k.lastErr = err
	}
}

// producerTrouble is the ErrorHandler of the producer. Its errors are told
// apart by how they begin.
func (r *reporter) producerTrouble(err error) {
	if err == nil {
		return
	}
	kind := err.Error()
	if len(kind) > 48 {
		kind = kind[:48]
	}
	r.report("producer: "+kind, fmt.Errorf("zapkafka: producer: %w", err))
}

func (r *reporter) run() {
	defer close(r.done)
	for {
		select {
		case err := <-r.queue:
			r.handler(err)
		case <-r.stop:
			for _, err := range r.rest() {
				r.handler(err)
			}
			return
		}
	}
}

// rest is what is left to say at the end: the queue, and what was suppressed
// since its last report.
func (r *reporter) rest() []error {
	var errs []error
	for {
		select {
		case err := <-r.queue:
			errs = append(errs, err)
			continue
		default:
		}
		break
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		if k.suppressed > 0 {
			err := k.lastErr
			if more := k.suppressed - 1; more > 0 {
				err = fmt.Errorf("%w (and %d more like it)", err, more)
			}
			errs = append(errs, err)
		}
	}
	return errs
}
