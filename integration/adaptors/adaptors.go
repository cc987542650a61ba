// Package adaptors lists the producers that the tests are run with.
package adaptors

import (
	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// Adaptor is a producer under test, as a user gets it who configures nothing.
type Adaptor struct {
	Name string
	New  func(brokers []string) (zapkafka.Producer, error)

	// Idempotent: the client's retries store nothing twice.
	Idempotent bool
	// Unsupported and GoroutinesLeft are as in producertest.Harness.
	Unsupported    map[string]string
	GoroutinesLeft int
}

// All returns the adaptors that this build has.
func All() []Adaptor {
	return append([]Adaptor{
		{
			Name:       "franz",
			New:        func(brokers []string) (zapkafka.Producer, error) { return franz.New(brokers) },
			Idempotent: true,
		},
	}, withCgo...)
}

// withCgo are those which only a build with cgo has.
var withCgo []Adaptor
