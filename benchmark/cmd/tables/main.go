// Command tables makes the tables and plots of the benchmarks' results anew, in the
// README.md of the benchmarks and of the repository: `go run ./cmd/tables` in the
// directory of this module.
package main

import (
	"fmt"
	"os"

	"github.com/zapkafka/zapkafka/benchmark/report"
)

func main() {
	changed, err := report.Update(".", true)
	for _, name := range changed {
		fmt.Println("made", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}
