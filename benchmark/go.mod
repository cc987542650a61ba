module github.com/zapkafka/zapkafka/benchmark

go 1.26.0

replace github.com/zapkafka/zapkafka => ../

replace github.com/zapkafka/zapkafka/integration => ../integration

replace github.com/zapkafka/zapkafka/producer/franz => ../producer/franz

replace github.com/zapkafka/zapkafka/producer/kafkago => ../producer/kafkago

replace github.com/zapkafka/zapkafka/producer/confluent => ../producer/confluent

replace github.com/zapkafka/zapkafka/producer/ibmsarama => ../producer/ibmsarama

replace github.com/zapkafka/zapkafka/producer/shopifysarama => ../producer/shopifysarama

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/IBM/sarama v1.61.1
	github.com/Shopify/sarama v1.38.1
	github.com/confluentinc/confluent-kafka-go/v2 v2.15.1
	github.com/segmentio/kafka-go v0.4.51
	github.com/twmb/franz-go v1.22.2
	github.com/twmb/franz-go/pkg/kadm v1.18.0
	github.com/twmb/franz-go/pkg/kfake v0.0.0-20260918054303-01f206a7e32c
	github.com/zapkafka/zapkafka v0.0.0
	github.com/zapkafka/zapkafka/integration v0.0.0
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.28.0
	gopkg.in/natefinch/lumberjack.v2 v2.2.1
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/eapache/go-resiliency v1.7.0 // indirect
	github.com/eapache/go-xerial-snappy v0.0.0-20230111030713-bf00bc1b83b6 // indirect
	github.com/eapache/queue v1.1.0 // indirect
	github.com/golang/snappy v0.0.4 // indirect
	github.com/hashicorp/errwrap v1.1.0 // indirect
	github.com/hashicorp/go-multierror v1.1.1 // indirect
	github.com/hashicorp/go-uuid v1.0.3 // indirect
	github.com/jcmturner/aescts/v2 v2.0.0 // indirect
	github.com/jcmturner/dnsutils/v2 v2.0.0 // indirect
	github.com/jcmturner/gofork v1.7.6 // indirect
	github.com/jcmturner/gokrb5/v8 v8.4.4 // indirect
	github.com/jcmturner/rpc/v2 v2.0.3 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/pierrec/lz4/v4 v4.1.33 // indirect
	github.com/rcrowley/go-metrics v0.0.0-20250401214520-65e299d6c5c9 // indirect
	github.com/twmb/franz-go/pkg/kmsg v1.15.0 // indirect
	github.com/xdg-go/pbkdf2 v1.0.0 // indirect
	github.com/xdg-go/scram v1.1.2 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	github.com/zapkafka/zapkafka/producer/confluent v0.0.0 // indirect
	github.com/zapkafka/zapkafka/producer/franz v0.0.0 // indirect
	github.com/zapkafka/zapkafka/producer/ibmsarama v0.0.0 // indirect
	github.com/zapkafka/zapkafka/producer/kafkago v0.0.0 // indirect
	github.com/zapkafka/zapkafka/producer/shopifysarama v0.0.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)
