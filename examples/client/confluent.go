//go:build confluent && cgo

package client

import (
	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/confluent"
)

func newConfluent(brokers []string) (zapkafka.Producer, error) { return confluent.New(brokers, nil) }
