// Command shutdown shows how a service ends: on SIGTERM or Ctrl-C it stops its
// work, shuts the sink down with a deadline, and closes the fallback, in this
// order. Try it with Kafka up, frozen and down.
//
//	go run ./shutdown -brokers localhost:9092 -topic test -fallback /tmp/shutdown-fallback
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// shutdownTime stays below the time between SIGTERM and SIGKILL: Docker leaves
// 10 seconds, Kubernetes 30.
const shutdownTime = 5 * time.Second

func main() {
	brokers := flag.String("brokers", "localhost:9092", "brokers, host:port, with commas between them")
	topic := flag.String("topic", "test", "topic; it must exist")
	dir := flag.String("fallback", filepath.Join(os.TempDir(), "shutdown-fallback"), "directory for what Kafka does not take")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, strings.Split(*brokers, ","), *topic, *dir, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "shutdown:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, brokers []string, topic, dir string, out io.Writer) (err error) {
	producer, err := franz.New(brokers)
	if err != nil {
		return err
	}
	fallback, err := zapkafka.OpenFallback(dir, nil)
	if err != nil {
		return err
	}
	// Last: the fallback takes what is logged after Shutdown too.
	defer func() { err = errors.Join(err, fallback.Close()) }()
	syncer, err := zapkafka.NewKafkaSyncer(producer, topic, fallback, nil)
	if err != nil {
		return err
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)

	fmt.Fprintln(out, "working; end it with Ctrl-C or kill")
	serve(ctx, logger.Logger)

	// ctx is over, so the deadline needs a context of its own.
	limited, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	begin := time.Now()
	err = syncer.Shutdown(limited)
	logger.Info("logged after Shutdown: this goes straight to the fallback")

	s := syncer.Stats()
	fmt.Fprintf(out, "shut down in %v: %d entries, %d in Kafka, %d in %s, %d lost\n",
		time.Since(begin).Round(time.Millisecond), s.Accepted, s.Acked, s.FellBack.Total(), fallback.Dir(), s.Lost.Total())
	return err
}

// serve stands for the work of the service. It returns when all of it is done:
// nothing is logged any more.
func serve(ctx context.Context, logger *zap.Logger) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		logger.Info("working", zap.Int("n", n))
		select {
		case <-tick.C:
		case <-ctx.Done():
			logger.Info("stopping", zap.Error(context.Cause(ctx)))
			return
		}
	}
}
