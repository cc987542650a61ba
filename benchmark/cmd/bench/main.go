// Command bench compares this sink with what else programs log with. Each case
// runs in a process of its own, on a broker that another process is. What comes of
// it is written to files, from which cmd/tables makes the tables and plots, and
// printed in the form of Go's benchmarks, for benchstat.
//
//	go run ./cmd/bench -list -set calls
//	go run ./cmd/bench -set short -script ../scripts/kafka.sh
//	go run ./cmd/bench -set calls -run 'flood\.kafka' -times 5 -script ../scripts/kafka.sh
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka/benchmark/trial"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	set := flag.String("set", "short", "set of cases: "+strings.Join(trial.SetNames(), ", "))
	only := flag.String("run", "", "regular expression for the names of cases")
	list := flag.Bool("list", false, "print the names of the cases, with the time that they may take, and end")
	times := flag.Int("times", 0, "runs of each case (0: as the set has it)")
	out := flag.String("out", "", "directory for the results, a file a case (default: none is written)")
	script := flag.String("script", "", "scripts/kafka.sh, whose Kafka (KAFKA_PORT) is used, and started if it does not run")
	brokers := flag.String("brokers", "", "addresses of a Kafka in its place, separated by commas: none of the cases stops it")
	dir := flag.String("dir", "", "directory for the files that are logged to (default: the system's for temporary files)")
	check := flag.Bool("check", false, "fail if the ratios of the set are beyond their limits")
	scale := flag.Float64("scale", 1, "factor for the number of entries and the length of cases")
	// What this program runs itself as.
	child := flag.Bool("child", false, "run one case as told on standard input (for this program itself)")
	discard := flag.Int("discard-broker", 0, "be a broker with so many partitions (for this program itself)")
	flag.Parse()
	switch {
	case *child:
		return trial.Child(os.Stdin, os.Stdout)
	case *discard > 0:
		return trial.DiscardBroker(*discard, os.Stdin, os.Stdout)
	}

	chosen, err := trial.Choose(*set, *only, *scale)
	if err != nil {
		return err
	}
	if *times > 0 {
		chosen.Times = *times
	}
	if *list {
		for _, c := range chosen.Cases {
			fmt.Println(c.Name())
		}
		fmt.Printf("%d cases, %d times; about %v\n", len(chosen.Cases), chosen.Times, chosen.About())
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	r := &trial.Runner{Program: program, Script: *script, Dir: *dir, Say: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	if *brokers != "" {
		r.Brokers, r.Script = strings.Split(*brokers, ","), ""
	}
	if r.Script == "" && len(r.Brokers) == 0 {
		chosen = chosen.WithoutKafka()
	}
	if r.Script != "" {
		if r.Brokers, err = start(r.Script); err != nil {
			return err
		}
	}
	begin := time.Now()
	results, err := r.RunAll(chosen.Cases, chosen.Times, *out)
	fmt.Printf("# %d cases in %v\n", len(results), time.Since(begin).Round(time.Second))
	if err != nil {
		return err
	}
	if *check {
		return trial.Check(results)
	}
	return nil
}

var brokersLine = regexp.MustCompile(`(?m)^KAFKA_BROKERS=(.+)$`)

// start starts the Kafka of the script, unless it runs, and returns its addresses.
func start(script string) ([]string, error) {
	if out, err := exec.Command(script, "start").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s start: %w: %s", script, err, out)
	}
	out, err := exec.Command(script, "env").Output()
	if err != nil {
		return nil, fmt.Errorf("%s env: %w", script, err)
	}
	found := brokersLine.FindSubmatch(out)
	if found == nil {
		return nil, fmt.Errorf("%s env says no KAFKA_BROKERS but %q", script, out)
	}
	return strings.Split(string(found[1]), ","), nil
}
