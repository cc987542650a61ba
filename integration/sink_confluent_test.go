//go:build cgo

package integration

import "github.com/zapkafka/zapkafka/producer/confluent"

func init() {
	registrations = append(registrations, func() registered {
		sinks, err := confluent.RegisterSink("kafka-confluent", nil)
		return registered{"kafka-confluent", sinks, err}
	})
}
