// Package chaos does to Kafka, the network, the disk and the program itself what
// happens to them in production, under load, and looks afterwards for every entry:
//
//	make chaos                                         # all scenarios with all clients; takes hours
//	make chaos CHAOS_SCENARIO='^(killed|frozen)$' CHAOS_CLIENT=franz,kafkago
//	make chaos-short                                   # what the gate runs, in short form
//	make chaos CHAOS_SCENARIO=soak CHAOS_CLIENT=franz SOAK=1h
//
// The program under test is cmd/service, a process of its own, which logs 20,000
// entries of 200 bytes a second from ten goroutines all the time. At the end the
// topic is read back with franz-go and the files by their published format. Then
// every entry has to be somewhere, and both balance sheets have to hold to the
// entry: accepted = acked + fallback + shed + lost for the sink, and inherited +
// stored = replayed + rejected + quarantined + evicted + on file for the files.
// Nothing may be lost or missing but where a scenario says what and why.
//
// The scenarios: the broker is killed, frozen, or down at the start; three brokers
// are restarted in turn; one of twelve partitions has too few replicas; the topic is
// made anew, takes no batch of the usual size, or not one entry; the disk is full,
// or stalls; three processes have one fallback directory and one of them dies; the
// program is killed while it replays; the line refuses, is mute, stalls, is cut in
// the middle of requests, is slow, or far away. outage60 wants what a minute's
// outage left to be in Kafka within another, call-times what a call costs to be that
// of a healthy day, and soak memory to be flat for any length of time.
//
// A run in full form writes a file for each scenario and client into results/,
// from which RESULTS.md is made.
package chaos
