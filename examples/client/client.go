// Package client makes a producer of the Kafka client that a flag of an example
// names. A program that has decided for one imports that one alone.
package client

import (
	"fmt"
	"strings"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
	"github.com/zapkafka/zapkafka/producer/ibmsarama"
	"github.com/zapkafka/zapkafka/producer/kafkago"
	"github.com/zapkafka/zapkafka/producer/shopifysarama"
)

// Default is the client to take when nothing speaks for another.
const Default = "franz"

// adaptor is a client and how it is made, for brokers without TLS or password.
type adaptor struct {
	name string
	new  func(brokers []string) (zapkafka.Producer, error)
}

// adaptors are all clients, whether this program was built with them or not.
var adaptors = []adaptor{
	{Default, func(brokers []string) (zapkafka.Producer, error) { return franz.New(brokers) }},
	{"kafkago", func(brokers []string) (zapkafka.Producer, error) { return kafkago.New(brokers, nil) }},
	{"ibmsarama", func(brokers []string) (zapkafka.Producer, error) { return ibmsarama.New(brokers, nil) }},
	{"shopifysarama", func(brokers []string) (zapkafka.Producer, error) { return shopifysarama.New(brokers, nil) }},
	{"confluent", newConfluent},
}

// Names lists the clients.
func Names() []string {
	var names []string
	for _, a := range adaptors {
		names = append(names, a.name)
	}
	return names
}

// New returns a producer of the client. No name stands for Default. An error
// lists the names if there is none such, and says how the program has to be
// built if it was built without that client.
func New(name string, brokers []string) (zapkafka.Producer, error) {
	if name == "" {
		name = Default
	}
	for _, a := range adaptors {
		if a.name == name {
			return a.new(brokers)
		}
	}
	return nil, fmt.Errorf("there is no client %q, but: %s", name, strings.Join(Names(), ", "))
}
