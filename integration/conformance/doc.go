// Package conformance holds every adaptor against the contract of a producer:
// the suite of producertest, on brokers in this process. It needs nothing but
// Go, and prints a table of adaptors and cases at the end, for which go test
// wants -v.
//
//	go test -race -v ./conformance                                   all adaptors
//	go test -race -v ./conformance -run 'TestContract$/franz'        one
//	go test -race -v ./conformance -run 'TestContract$/franz/TooLarge'
//
// With KAFKA_BROKERS set TestContractOnKafka does the same on a real Kafka, and
// with KAFKA_SCRIPT it stops and kills that one for the cases which want it.
package conformance
