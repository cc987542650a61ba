// Package confluent is about confluent-kafka-go.
package confluent
