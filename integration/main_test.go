package integration

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka/integration/harness"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		harness.Summary(os.Stdout)
		os.Exit(code)
	}))
}
