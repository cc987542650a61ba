module github.com/zapkafka/zapkafka/levelfile

go 1.23

replace github.com/zapkafka/zapkafka => ../

require (
	github.com/fsnotify/fsnotify v1.10.1
	github.com/zapkafka/zapkafka v0.0.0
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.28.0
)

require (
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/sys v0.13.0 // indirect
)
