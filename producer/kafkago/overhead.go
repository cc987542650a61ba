package kafkago

import "github.com/zapkafka/zapkafka"

var overhead = zapkafka.Overhead{RecordBytes: 256, ValuePercent: 200}
