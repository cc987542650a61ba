// Command load logs to Kafka through the sink at a given rate, or as fast as it
// goes, optionally with the broker frozen, and prints as JSON what a log call
// took and what memory the process held. Before, it does the same with a logger
// that writes to io.Discard.
//
//	go build -o load ./cmd/load
//	./load -brokers 127.0.0.1:9092 -topic test -fallback /tmp/fallback -script ../scripts/kafka.sh
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

type config struct {
	brokers  []string
	topic    string
	fallback string
	script   string
	profile  string
	workers  int
	rate     int
	size     int
	duration time.Duration
	baseline time.Duration
	buffer   int64
	discard  bool
}

func main() {
	var c config
	brokers := flag.String("brokers", "127.0.0.1:9092", "addresses of brokers, separated by commas")
	flag.StringVar(&c.topic, "topic", "test", "topic, which exists")
	flag.StringVar(&c.fallback, "fallback", "", "directory of the fallback (cap 4 GiB)")
	flag.StringVar(&c.script, "script", "", "scripts/kafka.sh: freeze the broker during the load with it")
	flag.StringVar(&c.profile, "profile", "", "file for a heap profile at the end of the load")
	flag.IntVar(&c.workers, "goroutines", 10, "goroutines that log")
	flag.IntVar(&c.rate, "rate", 50_000, "entries a second, all goroutines together; 0: as fast as it goes")
	flag.IntVar(&c.size, "size", 200, "bytes of an entry")
	flag.DurationVar(&c.duration, "duration", 10*time.Second, "of the load")
	flag.DurationVar(&c.baseline, "baseline", 0, "of the same load on io.Discard before it (default: as the load)")
	flag.Int64Var(&c.buffer, "buffer", 64<<20, "BufferBytes of the sink")
	flag.BoolVar(&c.discard, "discard", false, "log to io.Discard only")
	flag.Parse()
	c.brokers = strings.Split(*brokers, ",")
	if c.baseline == 0 {
		c.baseline = c.duration
	}
	if c.fallback == "" && !c.discard {
		fmt.Fprintln(os.Stderr, "load: -fallback is missing: name a directory")
		os.Exit(2)
	}
	report, err := run(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
