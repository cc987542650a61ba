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

// adaptors are all that are tested. Those which need cgo add themselves in files
// of their own, by the initialisation of a variable that calls add.
var adaptors = []adaptor{
	{
		name:        "franz",
		newProducer: func(brokers []string) (zapkafka.Producer, error) { return franz.New(brokers) },
	},
}

func TestContract(t *testing.T) {
	for _, a := range adaptors {
		t.Run(a.name, func(t *testing.T) {
			producertest.Run(t, producertest.Harness{
				NewBroker: func(t testing.TB) producertest.Broker { return kfakebroker.New(t) },
				NewProducer: func(t testing.TB, b producertest.Broker) zapkafka.Producer {
					p, err := a.newProducer(b.(*kfakebroker.Broker).Addrs())
					if err != nil {
						t.Fatal(err)
					}
					return p
				},
				Unsupported:    a.unsupported,
				GoroutinesLeft: a.goroutinesLeft,
				Report:         func(r producertest.Result) { table.add(a.name, r) },
			})
		})
	}
}
