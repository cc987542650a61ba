package adaptors

import (
	"context"
	"sync"

	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
)

// Wrapped is ibmsarama.Wrap around a client that was made elsewhere, which must
// find its Kafka when it is made. end closes all that were made.
func Wrapped() (a Adaptor, end func()) {
	o := &owner{}
	return Adaptor{
		Name:           "ibmsarama.Wrap",
		New:            o.newWrapped,
		Unsupported:    wrapCannot,
		GoroutinesLeft: saramaMeter,
	}, o.close
}

// owner is who made the clients and closes them.
type owner struct {
	mu  sync.Mutex
	all []*ownedWrap
}

// ownedWrap closes the sarama producer after its Producer, as its owner.
type ownedWrap struct {
	*ibmsarama.Producer
	owned sarama.AsyncProducer
	once  sync.Once // a second AsyncClose of sarama's panics
}

func (o *owner) newWrapped(brokers []string) (zapkafka.Producer, error) {
	c := ibmsarama.NewConfig()
	c.Producer.Retry.Max = 3
	owned, err := sarama.NewAsyncProducer(brokers, c)
	if err != nil {
		return nil, err
	}
	p, err := ibmsarama.Wrap(owned, c)
	w := &ownedWrap{Producer: p, owned: owned}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, w)
	return w, err
}

func (w *ownedWrap) Close(ctx context.Context) error {
	err := w.Producer.Close(ctx)
	w.once.Do(w.owned.AsyncClose)
	return err
}

// close waits for the end of all, those included that nobody has started or
// closed.
func (o *owner) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.all {
		w.once.Do(w.owned.AsyncClose)
		for range w.owned.Successes() { // closed with the client
		}
		for range w.owned.Errors() {
		}
	}
}

const (
	noCut     = "the connections of a client that somebody else has made cannot be cut: its own time-outs and retries decide when it reports"
	noRetries = "the retries of a client that somebody else has made are all that there are"
)

// wrapCannot is what the documentation of Wrap says too.
var wrapCannot = map[string]string{
	"ReportedWhenMute":                noCut,
	"ReportedWhenMuteFromTheStart":    noCut,
	"ReportedWhenMuteOnProduce":       noCut,
	"ReportedWhenStalled":             noCut,
	"ReportedWhenStalledFromTheStart": noCut,
	"TimedOutIsNotRejected":           noCut,
	"MemoryAfterTimeout":              noCut,
	"CloseEndsProduce":                noCut,
	"CloseWithDoneContext":            noCut,
	"CloseWhenMute":                   noCut,
	"CloseWhenMuteFromTheStart":       noCut,
	"CloseWhenStalled":                noCut,
	"CloseWhenStalledFromTheStart":    noCut,
	"GoroutinesAfterCloseWhenMute":    noCut,
	"GoroutinesAfterFailedStart":      "the client runs before Start is called",
	"RetriedAfterRefused":             noRetries,
	"RetriedAfterClosesConnections":   noRetries,
	"RetriedAfterNotLeader":           noRetries,
	"RetriedAfterTimeoutAfterStore":   noRetries,
}
