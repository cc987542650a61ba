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
		fmt.Println("KAFKA_BROKERS is not set: every test here is skipped; `make integration` starts a Kafka and runs them on it")
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		harness.Summary(os.Stdout)
		os.Exit(code)
	}))
}
