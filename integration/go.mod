module github.com/zapkafka/zapkafka/integration

go 1.26

replace github.com/zapkafka/zapkafka => ../
