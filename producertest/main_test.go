package producertest

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(runFails) != "" {
		os.Exit(m.Run()) // a run that is to fail, see TestRunFails
	}
	goleak.VerifyTestMain(m)
}
