package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	short   = flag.Bool("chaos.short", false, "the short form: seconds of load, and no results are written")
	clients = flag.String("chaos.clients", "", "clients, separated by commas (default: all; in short form what the gate needs)")
	only    = flag.String("chaos.scenario", "", "regular expression for the scenarios (default: all)")
	soakFor = flag.Duration("chaos.soak", 0, "length of the soak (default 2 min; in short form 30 s)")
	port    = flag.Int("chaos.port", 19200, "port of the first Kafka; others have those 20 and 100 above")
	update  = flag.Bool("update", false, "write RESULTS.md")
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "zapkafka-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs.dir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		summary(os.Stdout)
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// programs are the builds of cmd/service.
var programs builds

type builds struct{ dir string }

// build compiles the program, before anything is timed.
func (b builds) build(t *testing.T, race bool) string {
	t.Helper()
	name := filepath.Join(b.dir, fmt.Sprintf("service-race=%v", race))
	out, err := exec.Command("go", "build", fmt.Sprintf("-race=%v", race), "-o", name, "../cmd/service").CombinedOutput()
	if err != nil {
		t.Fatalf("go build -race=%v ../cmd/service: %v\n%s", race, err, out)
	}
	return name
}

// long returns how long something lasts: full, or in the short form less.
func long(full, inShort time.Duration) time.Duration {
	if *short {
		return inShort
	}
	return full
}
