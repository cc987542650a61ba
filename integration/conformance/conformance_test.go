package conformance

import (
	"testing"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
	"github.com/zapkafka/zapkafka/integration/kfakebroker"
	"github.com/zapkafka/zapkafka/producertest"
)

// harnessFor returns all that the adaptor decides; addrs knows where a broker is.
func harnessFor(a adaptors.Adaptor, addrs func(producertest.Broker) []string) producertest.Harness {
	return producertest.Harness{
		NewProducer: func(t testing.TB, b producertest.Broker) zapkafka.Producer {
			p, err := a.New(addrs(b))
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Unsupported:    a.Unsupported,
		GoroutinesLeft: a.GoroutinesLeft,
	}
}

func TestContract(t *testing.T) {
	wrapped, end := adaptors.Wrapped()
	defer end()
	for _, a := range append(adaptors.All(), wrapped) {
		t.Run(a.Name, func(t *testing.T) {
			a.SkipIfItRaces(t)
			h := harnessFor(a, func(b producertest.Broker) []string { return b.(*kfakebroker.Broker).Addrs() })
			h.NewBroker = func(t testing.TB) producertest.Broker { return kfakebroker.New(t) }
			h.Report = func(r producertest.Result) { table.add(a.Name, r) }
			producertest.Run(t, h)
		})
	}
}
