package zapkafka

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if how := os.Getenv(endEnv); how != "" {
		endForParent(how)
	}
	goleak.VerifyTestMain(m)
}
