package franz

import "github.com/zapkafka/zapkafka"

var overhead = zapkafka.Overhead{RecordBytes: 320, ValuePercent: 50}
