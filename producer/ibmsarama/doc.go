// Package ibmsarama hands log entries to Kafka through sarama
// (github.com/IBM/sarama).
package ibmsarama
