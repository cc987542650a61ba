// Package confluent hands log entries to Kafka through confluent-kafka-go.
package confluent
