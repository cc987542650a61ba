// Package conformance holds every adaptor against the contract of a producer:
// the suite of producertest, on brokers in this process. It needs nothing but
// Go, and prints a table of adaptors and cases at the end.
//
//	go test -race ./conformance                          all adaptors
//	go test -race ./conformance -run 'TestContract/franz'        one
//	go test -race ./conformance -run 'TestContract/franz/CloseWhenMute' -v
package conformance
