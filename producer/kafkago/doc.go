// Package kafkago hands log entries to Kafka through the client kafka-go
// (github.com/segmentio/kafka-go).
package kafkago
