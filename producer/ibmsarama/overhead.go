package ibmsarama

import "github.com/zapkafka/zapkafka"

var overhead = zapkafka.Overhead{RecordBytes: 1024, ValuePercent: 200}
