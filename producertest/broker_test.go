package producertest

import (
	"context"
	"errors"
	"hash/fnv"
	"sync"
)

var (
	errRefused    = errors.New("memory: connection refused")
	errConnection = errors.New("memory: connection closed")
	errNotLeader  = errors.New("memory: not the leader")
	errTimedOut   = errors.New("memory: request timed out")
	errNoTopic    = errors.New("memory: unknown topic")
	errTooLarge   = errors.New("memory: message too large")
)

// memoryBroker is a Broker without a network.
type memoryBroker struct {
	mu      sync.Mutex
	fault   Fault
	changed chan struct{} // closed when fault changes
	topics  map[string][]Message
	next    int
}

func newMemoryBroker() *memoryBroker {
	return &memoryBroker{changed: make(chan struct{}), topics: map[string][]Message{"logs": nil, "small": nil}}
}

func (b *memoryBroker) Topic() string        { return "logs" }
func (b *memoryBroker) SmallTopic() string   { return "small" }
func (b *memoryBroker) MissingTopic() string { return "missing" }
func (b *memoryBroker) Close()               { _ = b.Set(Refused) }
func (b *memoryBroker) Heal() error          { return b.Set(0) }

func (b *memoryBroker) Set(f Fault) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = f
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

func (b *memoryBroker) Stored(topic string) ([]Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Message(nil), b.topics[topic]...), nil
}

func (b *memoryBroker) state() (Fault, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault, b.changed
}

// dial returns when a connection stands and has been answered on.
func (b *memoryBroker) dial(ctx context.Context) error {
	fault, changed := b.state()
	switch fault {
	case Refused:
		return errRefused
	case Mute, Stalled:
		select {
		case <-changed:
			return errConnection
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// produce is a produce request.
func (b *memoryBroker) produce(ctx context.Context, topic string, batch []Message) error {
	if err := b.dial(ctx); err != nil {
		return err
	}
	fault, changed := b.state()
	switch fault {
	case MuteOnProduce:
		select {
		case <-changed:
			return errConnection
		case <-ctx.Done():
			return ctx.Err()
		}
	case ClosesConnections:
		return errConnection
	case NotLeader:
		return errNotLeader
	}
	if err := b.append(topic, batch); err != nil {
		return err
	}
	if fault == TimeoutAfterStore {
		return errTimedOut
	}
	return nil
}

func (b *memoryBroker) append(topic string, batch []Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.topics[topic]; !ok {
		return errNoTopic
	}
	size := 0
	for _, m := range batch {
		size += len(m.Value)
	}
	if size > 65536 && topic == "small" {
		return errTooLarge
	}
	for _, m := range batch {
		h := fnv.New32a()
		_, _ = h.Write(m.Key)
		m.Partition = int32(h.Sum32() % 4)
		if m.Key == nil {
			b.next++
			m.Partition = int32(b.next % 4)
		}
		b.topics[topic] = append(b.topics[topic], m)
	}
	return nil
}
