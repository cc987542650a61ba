package conformance

import (
	"context"
	"sync"

	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
)

var _ = add(
	adaptor{
		name:           "ibmsarama",
		newProducer:    func(brokers []string) (zapkafka.Producer, error) { return ibmsarama.New(brokers, nil) },
		goroutinesLeft: 1, // the ticker of sarama's metrics, one for the process
	},
	adaptor{
		name:           "ibmsarama wrap",
		newProducer:    wrapped,
		goroutinesLeft: 1,
		unsupported:    wrapCannot,
	},
)

func add(more ...adaptor) bool {
	adaptors = append(adaptors, more...)
	return true
}

// ownedWrap closes the sarama producer after its Producer, as its owner.
type ownedWrap struct {
	*ibmsarama.Producer
	owned sarama.AsyncProducer
	once  sync.Once // a second AsyncClose of sarama's panics
}

func wrapped(brokers []string) (zapkafka.Producer, error) {
	c := ibmsarama.NewConfig()
	c.Producer.Retry.Max = 3
	owned, err := sarama.NewAsyncProducer(brokers, c)
	if err != nil {
		return nil, err
	}
	p, err := ibmsarama.Wrap(owned, c)
	return &ownedWrap{Producer: p, owned: owned}, err
}

func (w *ownedWrap) Close(ctx context.Context) error {
	err := w.Producer.Close(ctx)
	w.once.Do(w.owned.AsyncClose)
	return err
}

const (
	noCut     = "the connections of a producer that somebody else has made cannot be cut: its own time-outs and retries decide when it reports"
	noRetries = "the retries of a producer that somebody else has made are all that there are"
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
