// Command quickstart shows zapkafka at work, and checks it. Ten goroutines log
// 10,000 entries each while the level is changed and the broker goes away for
// some seconds; at the end every entry is looked up in the topic and in the
// fallback. The last line is the balance:
//
//	accepted=… acked=… fallback=… shed=… lost=… missing=… duplicate=…
//
// The exit status is 1 if an entry is lost or missing.
//
// It needs nothing: the broker is part of the program. With KAFKA_BROKERS set
// (host:port, several with commas) it logs to that Kafka instead, in a topic of
// its own, and leaves it to you to disturb the brokers. -client names another
// Kafka client than franz-go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/examples/client"
)

// shutdownTime is what a service would set a little below the time that its
// supervisor leaves it between SIGTERM and SIGKILL.
const shutdownTime = 8 * time.Second

// logToKafka is all that a program has to do. What else is in this directory
// disturbs the broker and checks the result.
func logToKafka(ctx context.Context, d *demo) (err error) {
	// The library in four lines. The first is franz.New(d.brokers) in a program
	// of yours; here the client can be chosen.
	producer, err := client.New(d.client, d.brokers)
	if err != nil {
		return err
	}
	fallback, err := zapkafka.OpenFallback(d.dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fallback.Close()) }()
	syncer, err := zapkafka.NewKafkaSyncer(producer, d.topic, fallback, d.options)
	if err != nil {
		return err
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)

	d.running(syncer, fallback)
	d.work.run(ctx, logger)

	// The work is done, or ended by a signal: what was logged goes to Kafka, and
	// to the fallback if Kafka does not take it in time. The context is a new
	// one, because after a signal ctx is over.
	limited, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return syncer.Shutdown(limited)
}

func main() {
	name := flag.String("client", client.Default, "Kafka client: "+strings.Join(client.Names(), ", "))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	well, err := run(ctx, settings{
		client:  *name,
		kafka:   os.Getenv("KAFKA_BROKERS"),
		out:     os.Stdout,
		inPlace: isTerminal(os.Stdout),
		entries: 10_000,
		pace:    16 * time.Second,
		outage:  4 * time.Second,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
	}
	if err != nil || !well {
		os.Exit(1)
	}
}
