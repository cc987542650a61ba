package franz

import "github.com/zapkafka/zapkafka"

// overhead is an upper bound of what this package and the client hold for
// records in their hands. TestOverhead measures it against a broker that
// freezes, the case in which most is held.
//
// RecordBytes: a kgo.Record and the pointer back (160 and 8 bytes), the
// client's entry in its batch (32, in a slice with up to a quarter of slack),
// together 205 to 218 bytes as measured. The rest is room for two headers (40
// bytes each for the client's copy of the struct) and for the framing of a
// record in an encoded request, for a quarter of slack in a block that is used
// again, and for blocks that have come free and were not collected yet: no more of
// them than were under way a moment before, and gone with the second collection.
//
// ValuePercent: a value is read where it lies, and is copied only into the
// request that is about to be written and the buffer in which a batch is
// compressed. Those do not grow with the values held but with the brokers:
// requests are bounded (see sized), and a broker's are encoded one after the
// other, so each has up to requestBuffers of them, for as long as the encoding
// takes and until two garbage collections have passed. With half of the syncer's
// default bound the declared sum is about one broker's buffers; each further broker
// that stops reading in that moment can exceed it by requestBuffers.
var overhead = zapkafka.Overhead{RecordBytes: 320, ValuePercent: 100}

// requestBuffers is the most memory, in bytes, in which the requests to one
// broker are encoded: what is written, the batch before compression, and for
// each the smaller buffer that it has just grown out of. 7.5 MiB were measured.
const requestBuffers = 9 << 20
