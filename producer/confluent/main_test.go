//go:build cgo

package confluent

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(overheadAddr); addr != "" {
		overheadChild(addr)
		return
	}
	goleak.VerifyTestMain(m)
}
