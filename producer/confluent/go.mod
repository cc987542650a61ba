module github.com/zapkafka/zapkafka/producer/confluent

go 1.25.0

require (
	github.com/confluentinc/confluent-kafka-go/v2 v2.15.1
	github.com/zapkafka/zapkafka v0.0.0
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.28.0
)

require go.uber.org/multierr v1.10.0 // indirect

replace github.com/zapkafka/zapkafka => ../..
