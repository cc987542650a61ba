package ibmsarama

import "github.com/zapkafka/zapkafka"

// overhead is an upper bound of what this package and the client hold for
// records in their hands. TestOverhead measures it, with brokers that freeze and
// with records that have all been tried before.
//
// RecordBytes: a record that waits costs 48 bytes and its share of the lists, 60
// to 70 bytes as measured. One inside the client costs about 400 more (a message
// of 170 bytes, sarama's own record, its places in lists), but the window lets in
// a quarter of the limits at most: 120 to 130 bytes on average.
//
// ValuePercent: a value is read where it lies and copied twice inside the window,
// into a compressed batch, which stays until the answer, and into the request
// that is being written. Both buffers grow by doubling. With values that cannot
// be compressed 20 to 30 per cent of all values were held so, with log lines
// less than 10.
var overhead = zapkafka.Overhead{RecordBytes: 192, ValuePercent: 100}
