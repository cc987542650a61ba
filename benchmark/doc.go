// Package benchmark compares zapkafka with other ways to log, and to log to Kafka.
//
// The comparison itself is cmd/bench, with the rivals in package rivals and the
// cases in package trial; cmd/tables makes README.md of what came of it. The
// benchmarks in this directory are for a quick look, in the form and under the
// names that the field knows.
package benchmark
