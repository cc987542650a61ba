package conformance

import (
	"testing"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/kfakebroker"
	"github.com/zapkafka/zapkafka/producer/franz"
	"github.com/zapkafka/zapkafka/producertest"
)

// adaptor is what the suite has to know of one.
type adaptor struct {
	name           string
	newProducer    func(brokers []string) (zapkafka.Producer, error)
	unsupported    map[string]string // case to reason, see producertest.Harness
	goroutinesLeft int
}

// adaptors are all that are tested. One that needs cgo goes into a file of its own
// with `//go:build cgo`, which appends it:
//
//	func init() { adaptors = append(adaptors, adaptor{…}) }
var adaptors = []adaptor{
	{
		name:        "franz",
		newProducer: func(brokers []string) (zapkafka.Producer, error) { return franz.New(brokers) },
	},
}

// harness returns all that the adaptor decides; addrs knows where a broker is.
func (a *adaptor) harness(addrs func(producertest.Broker) []string) producertest.Harness {
	return producertest.Harness{
		NewProducer: func(t testing.TB, b producertest.Broker) zapkafka.Producer {
			p, err := a.newProducer(addrs(b))
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Unsupported:    a.unsupported,
		GoroutinesLeft: a.goroutinesLeft,
	}
}

func TestContract(t *testing.T) {
	for _, a := range adaptors {
		t.Run(a.name, func(t *testing.T) {
			h := a.harness(func(b producertest.Broker) []string { return b.(*kfakebroker.Broker).Addrs() })
			h.NewBroker = func(t testing.TB) producertest.Broker { return kfakebroker.New(t) }
			h.Report = func(r producertest.Result) { table.add(a.name, r) }
			producertest.Run(t, h)
		})
	}
}
