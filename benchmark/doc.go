// Package benchmark compares zapkafka with other ways to log to Kafka.
package benchmark
