module github.com/zapkafka/zapkafka/benchmark

go 1.26

replace github.com/zapkafka/zapkafka => ../
