// Package pipeline holds the last leg of a log to the test: services log into a
// real Kafka through an outage, each with another encoder, a consumer loads their
// topics into a real search engine with the header id as the document's id, and
// then the engine is asked: every entry is there once, also those that Kafka has
// twice or that were consumed twice, lines that were logged several times are
// there as often, and the times are dates, those of the replay too.
//
// make pipeline starts Kafka and OpenSearch and runs it.
package pipeline
