// Package franz hands log entries to Kafka through franz-go.
package franz
