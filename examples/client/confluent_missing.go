//go:build !confluent || !cgo

package client

import (
	"errors"

	"github.com/zapkafka/zapkafka"
)

// newConfluent says what is missing: the client is librdkafka, a C library of
// some size, which nobody should have to download for the other clients.
func newConfluent([]string) (zapkafka.Producer, error) {
	return nil, errors.New("this program was built without the client confluent: it needs a C compiler, CGO_ENABLED=1 and -tags confluent (make demo CLIENT=confluent)")
}
