package integration

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/integration/harness"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(endsAfterSync); dir != "" {
		logAndEnd(dir, os.Getenv("ZAPKAFKA_TOPIC"))
		os.Exit(0)
	}
	if os.Getenv("KAFKA_BROKERS") == "" {
		fmt.Println("KAFKA_BROKERS is not set: the tests that need a real Kafka are skipped; `make integration` starts one and runs them on it")
	}
	goleak.VerifyTestMain(m,
		// sarama counts with this package, which starts one goroutine for the
		// whole process with its first meter, and has no way to end it.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		goleak.Cleanup(func(code int) {
			harness.Summary(os.Stdout)
			os.Exit(code)
		}))
}
