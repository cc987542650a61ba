// Package adaptors lists the producers that the tests are run with.
package adaptors

import (
	"testing"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
	"github.com/zapkafka/zapkafka/producer/kafkago"
	"github.com/zapkafka/zapkafka/producer/shopifysarama"
)

// Adaptor is a producer under test, as a user gets it who configures nothing.
type Adaptor struct {
	Name string
	New  func(brokers []string) (zapkafka.Producer, error)

	// Idempotent: the client's retries store nothing twice.
	Idempotent bool
	// Races says why it cannot be run under the race detector; empty if it can.
	Races string
	// Unsupported and GoroutinesLeft are as in producertest.Harness.
	Unsupported    map[string]string
	GoroutinesLeft int
}

// SkipIfItRaces leaves out what the race detector cannot bear: it would be the
// client that fails, with our test.
func (a Adaptor) SkipIfItRaces(t testing.TB) {
	t.Helper()
	if raceEnabled && a.Races != "" {
		t.Skipf("%s: not under -race: %s; it is run without as well", a.Name, a.Races)
	}
}

// saramaMeter is the ticker of the metrics that both saramas keep, one for the
// process.
const saramaMeter = 1

// All returns the adaptors that this build has.
func All() []Adaptor {
	return append([]Adaptor{
		{
			Name:       "franz",
			New:        func(brokers []string) (zapkafka.Producer, error) { return franz.New(brokers) },
			Idempotent: true,
		},
		{
			Name: "kafkago",
			New:  func(brokers []string) (zapkafka.Producer, error) { return kafkago.New(brokers, nil) },
		},
		{
			Name:           "ibmsarama",
			New:            func(brokers []string) (zapkafka.Producer, error) { return ibmsarama.New(brokers, nil) },
			GoroutinesLeft: saramaMeter,
		},
		{
			Name:           "shopifysarama",
			New:            func(brokers []string) (zapkafka.Producer, error) { return shopifysarama.New(brokers, nil) },
			GoroutinesLeft: saramaMeter,
			Races:          "Shopify/sarama v1.38.1 has data races of its own when it reconnects",
		},
	}, withCgo...)
}

// withCgo are those which only a build with cgo has.
var withCgo []Adaptor
