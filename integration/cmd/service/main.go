// Command service is a program that logs through the sink, for tests which do
// things to it and to Kafka: it reads commands from standard input and answers
// on standard output. Package service has both. It ends when standard input does.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
)

type config struct {
	client      string
	brokers     []string
	topic       string
	fallback    string
	progress    string
	cap         int64
	workers     int
	firstWorker int
	rate        int
	size        int
	keys        int
	options     zapkafka.Options
}

func main() {
	var c config
	flag.StringVar(&c.client, "client", "franz", "adaptor")
	brokers := flag.String("brokers", "127.0.0.1:9092", "addresses of brokers, separated by commas")
	flag.StringVar(&c.topic, "topic", "test", "topic, which exists")
	flag.StringVar(&c.fallback, "fallback", "", "directory of the fallback")
	flag.StringVar(&c.progress, "progress", "", "file for what each goroutine has begun to log")
	flag.Int64Var(&c.cap, "cap", 4<<30, "MaxBytes of the fallback")
	flag.IntVar(&c.workers, "workers", 10, "goroutines that log")
	flag.IntVar(&c.firstWorker, "first-worker", 0, "number of the first of them, which is in its entries")
	flag.IntVar(&c.rate, "rate", 20_000, "entries a second, all goroutines together; 0: none at all")
	flag.IntVar(&c.size, "size", 200, "bytes of an entry")
	flag.IntVar(&c.keys, "keys", 0, "number of keys that entries have; 0: they have none")
	flag.Int64Var(&c.options.BufferBytes, "buffer", 0, "BufferBytes of the sink")
	flag.DurationVar(&c.options.DeliveryTimeout, "deadline", 0, "DeliveryTimeout of the sink")
	flag.DurationVar(&c.options.OutageAfter, "outage-after", 0, "OutageAfter of the sink")
	flag.IntVar(&c.options.Replay.Rate, "replay", 0, "Replay.Rate of the sink")
	flag.Parse()
	c.brokers = strings.Split(*brokers, ",")
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(c config) (err error) {
	s, err := open(c)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(s.first()); err != nil {
		return err
	}
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		a := s.answer(commands.Text())
		if err := out.Encode(a); err != nil {
			return err
		}
		if s.closed {
			return nil
		}
	}
	// Who started this is gone, and what it logs is of no use to anybody.
	return errors.Join(errors.New("standard input ended before the command shutdown"), commands.Err())
}

// producer makes the client's.
func producer(c config) (zapkafka.Producer, error) {
	var names []string
	for _, a := range adaptors.All() {
		if a.Name == c.client {
			return a.New(c.brokers)
		}
		names = append(names, a.Name)
	}
	return nil, fmt.Errorf("-client %s: this build has %s", c.client, strings.Join(names, ", "))
}

// report writes what the sink complains of to standard error.
func report(err error) {
	fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05.000"), err)
}
