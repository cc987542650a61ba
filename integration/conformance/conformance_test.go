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

// skipRaces leaves out what the race detector cannot bear: it would be the
// client that fails, with our test.
func skipRaces(t *testing.T, a adaptors.Adaptor) {
	t.Helper()
	if adaptors.RaceEnabled && a.Races != "" {
		t.Skipf("%s: not under -race: %s; make test runs it without", a.Name, a.Races)
	}
}

func TestContract(t *testing.T) {
	wrapped, end := adaptors.Wrapped()
	defer end()
	for _, a := range append(adaptors.All(), wrapped) {
		t.Run(a.Name, func(t *testing.T) {
			skipRaces(t, a)
			h := harnessFor(a, func(b producertest.Broker) []string { return b.(*kfakebroker.Broker).Addrs() })
			h.NewBroker = func(t testing.TB) producertest.Broker { return kfakebroker.New(t) }
			h.Report = func(r producertest.Result) { table.add(a.Name, r) }
			producertest.Run(t, h)
		})
	}
}
