//go:build cgo

package confluent

import "github.com/zapkafka/zapkafka"

// overhead is an upper bound of what this package and the client hold for
// records in their hands. TestOverhead measures it as resident memory, with no
// broker and with brokers that become mute.
//
// RecordBytes: 260 to 370 bytes as measured, of which the C library's message
// (rdkafka_msg.h, rd_kafka_msg_t) and what malloc adds make up the most, the
// client's map from messages to records (kafka/handle.go, cgoPut) the rest. The
// remainder is room for two headers, each of which is an allocation.
//
// ValuePercent: the C library copies each value together with its message
// (rdkafka_msg.c, rd_kafka_msg_new00). A value is there once more while it is in
// a request, of which five with up to 1 MB each are under way to a broker.
var overhead = zapkafka.Overhead{RecordBytes: 640, ValuePercent: 150}
