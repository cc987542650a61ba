module github.com/zapkafka/zapkafka/integration

go 1.26

replace github.com/zapkafka/zapkafka => ../

require (
	github.com/zapkafka/zapkafka v0.0.0
	github.com/zapkafka/zapkafka/producer/franz v0.0.0
)

replace github.com/zapkafka/zapkafka/producer/franz => ../producer/franz
