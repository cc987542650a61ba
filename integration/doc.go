// Package integration holds the tests that need a real Kafka: make integration
// starts one and runs them.
//
// Each scenario prints a line of what was accepted, acknowledged, on file, lost
// and missing; missing is what is neither in the topic nor on file nor counted
// as lost, and is found by reading both back entry by entry. The topic is counted
// by kcat as well, where it is installed.
//
// TestFrozenUnderLoad and TestFrozenAtFullSpeed run the program cmd/load and
// print what log calls took and what memory was held. For figures that mean
// something give them time, and the machine to themselves:
//
//	make integration TESTFLAGS='-run=TestFrozen -frozen=30s'
//
// -heapprofiles=DIRECTORY keeps a heap profile of each load.
//
// What takes a program of its own, several brokers, a bad line or a bad disk is in
// the package chaos: make chaos and make chaos-short run it.
package integration
