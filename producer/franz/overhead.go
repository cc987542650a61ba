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
// record in an encoded request.
//
// ValuePercent: a value is read where it lies, and is copied only into the
// request that is about to be written and the buffer in which a batch is
// compressed. Requests are bounded (see sized), and a broker's are encoded one
// after the other, so a broker that does not read holds up to 5 MiB of such
// buffers, growth included: with 16 MiB of values 20 to 50 per cent for one
// frozen broker, 95 for three.
var overhead = zapkafka.Overhead{RecordBytes: 320, ValuePercent: 100}
