//go:build cgo

package confluent

import "github.com/zapkafka/zapkafka"

var overhead = zapkafka.Overhead{RecordBytes: 1024, ValuePercent: 200}
