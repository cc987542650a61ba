package kafkago

import "github.com/zapkafka/zapkafka"

// overhead is an upper bound of what this package and the client hold for
// records in their hands. TestOverhead measures it against brokers that stall,
// the case in which most is held.
//
// RecordBytes: a place in a queue (16 bytes, in a slice with slack), and while
// the record is under way another one and its copy's slices (96 bytes), together
// 150 as measured. Headers are 40 bytes each more while they are under way.
//
// ValuePercent: what is under way is copied once by us and once, compressed, into
// a request by the client, in pages of 64 KiB. With 12 partitions that is 3 MiB
// of batches and twice as much together; with so many partitions that every
// record is under way, and values that do not compress, 225 per cent.
var overhead = zapkafka.Overhead{RecordBytes: 224, ValuePercent: 300}
