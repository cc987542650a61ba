// Command concurrent_write logs 100,000 entries to a Kafka of yours as fast as
// ten goroutines can, and prints what became of them.
//
//	go run ./concurrent_write -brokers localhost:9092 -topic test
//
// The topic must exist. What arrives there is seen from the other side with
//
//	kcat -C -b localhost:9092 -t test -o beginning -e -q | wc -l
//
// or, on the Kafka of this repository (docker-compose.yml, or make kafka-start
// where there is no Docker), with
//
//	make consume TOPIC=test
//
// A goroutine logs several hundred thousand entries a second, which no broker
// takes: the buffer is for that. With 64 MiB it holds all of the 100,000, and
// nothing goes to the fallback; try -buffer=4MiB to see it overflow to the
// disk, and lose nothing either.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/examples/client"
)

type settings struct {
	client            string
	brokers           string
	topic             string
	goroutines, lines int
	buffer            size
	fallback          string
	shutdown          time.Duration
}

func main() {
	s, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err == nil {
		err = run(s, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "concurrent_write:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	s := settings{buffer: 64 << 20}
	f := flag.NewFlagSet("concurrent_write", flag.ContinueOnError)
	f.StringVar(&s.client, "client", client.Default, "Kafka client: "+strings.Join(client.Names(), ", "))
	f.StringVar(&s.brokers, "brokers", "localhost:9092", "brokers, host:port, with commas between them")
	f.StringVar(&s.topic, "topic", "test", "topic; it must exist")
	f.IntVar(&s.goroutines, "goroutines", 10, "goroutines that log at the same time")
	f.IntVar(&s.lines, "lines", 10_000, "entries of each goroutine")
	f.Var(&s.buffer, "buffer", "memory for entries on their way, such as 4MiB or 1GiB")
	f.StringVar(&s.fallback, "fallback", filepath.Join(os.TempDir(), "concurrent_write-fallback"), "directory for what Kafka does not take")
	f.DurationVar(&s.shutdown, "shutdown", 10*time.Second, "time for the rest to be delivered at the end")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%q is not understood: there are options only, see -help", f.Arg(0))
	case s.goroutines < 1 || s.lines < 1:
		return s, fmt.Errorf("-goroutines is %d and -lines %d: both must be at least 1", s.goroutines, s.lines)
	}
	return s, nil
}

// run logs, shuts down, and prints the balance. It fails if an entry is lost.
func run(s settings, out io.Writer) (err error) {
	// franz.New(brokers) in a program that has no choice to offer.
	producer, err := client.New(s.client, strings.Split(s.brokers, ","))
	if err != nil {
		return err
	}
	fallback, err := zapkafka.OpenFallback(s.fallback, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fallback.Close()) }()
	syncer, err := zapkafka.NewKafkaSyncer(producer, s.topic, fallback, &zapkafka.Options{BufferBytes: int64(s.buffer)})
	if err != nil {
		return err
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)

	begin := time.Now()
	var group sync.WaitGroup
	for g := range s.goroutines {
		group.Go(func() {
			for i := range s.lines {
				logger.Info("request handled",
					zap.Int("goroutine", g),
					zap.Int("line", i),
					zap.String("method", "GET"),
					zap.String("path", "/api/v1/orders"),
					zap.Int("status", 200),
					zap.Duration("took", 1500*time.Microsecond),
				)
			}
		})
	}
	group.Wait()
	logged := time.Since(begin)

	// The entries are in memory or further on. Shutdown gives Kafka its time for
	// them, and what it has not acknowledged then goes to the fallback.
	ctx, cancel := context.WithTimeout(context.Background(), s.shutdown)
	defer cancel()
	err = syncer.Shutdown(ctx)
	report(out, syncer.Stats(), logged, time.Since(begin), fallback.Dir())
	return err
}

func report(out io.Writer, s zapkafka.Stats, logged, all time.Duration, dir string) {
	rate := func(n uint64, d time.Duration) float64 { return float64(n) / d.Seconds() }
	fmt.Fprintf(out, "logged    %8d entries in %v, %.0f entries/s\n", s.Accepted, logged.Round(time.Millisecond), rate(s.Accepted, logged))
	fmt.Fprintf(out, "in Kafka  %8d entries after %v, %.0f entries/s\n", s.Acked, all.Round(time.Millisecond), rate(s.Acked, all))
	fmt.Fprintf(out, "fallback  %8d entries", s.FellBack.Total())
	if s.FellBack.Total() > 0 {
		fmt.Fprintf(out, " in %s: %+v", dir, s.FellBack)
	}
	fmt.Fprintf(out, "\nlost      %8d entries", s.Lost.Total())
	if s.Lost.Total() > 0 {
		fmt.Fprintf(out, ": %+v", s.Lost)
	}
	fmt.Fprintln(out)
}
