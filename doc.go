// Package zapkafka sends the log of a program that uses go.uber.org/zap to
// Kafka.
package zapkafka
