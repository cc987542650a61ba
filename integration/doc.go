// Package integration holds the tests that need a real Kafka: make integration
// runs them.
package integration
