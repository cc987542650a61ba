module github.com/zapkafka/zapkafka/producer/kafkago

go 1.23.0

require (
	github.com/segmentio/kafka-go v0.4.51
	github.com/zapkafka/zapkafka v0.0.0
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.28.0
)

require (
	github.com/klauspost/compress v1.15.9 // indirect
	github.com/pierrec/lz4/v4 v4.1.15 // indirect
	github.com/xdg-go/pbkdf2 v1.0.0 // indirect
	github.com/xdg-go/scram v1.1.2 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/text v0.23.0 // indirect
)

replace github.com/zapkafka/zapkafka => ../..
