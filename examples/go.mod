module github.com/zapkafka/zapkafka/examples

go 1.26

replace github.com/zapkafka/zapkafka => ../
