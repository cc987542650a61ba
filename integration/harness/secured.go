package harness

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/zapkafka/zapkafka/integration/certs"
)

// User and Password are those which scripts/kafka.sh gives a secured Kafka.
const (
	User     = "app"
	Password = "app-password"
)

// Secured is a Kafka of the test's own which wants to know who its clients are.
type Secured struct {
	*Kafka        // through a listener that does not
	Certs  string // directory with the files of package certs

	// Addresses of the listeners with TLS: the first asks for nothing more, the
	// second for a certificate, the third for user and password.
	TLS, MTLS, SASL []string
}

// NeedSecured starts a secured Kafka beside the one of the other tests, and
// skips the test where that could not be started either.
func NeedSecured(t testing.TB) *Secured {
	t.Helper()
	script := os.Getenv("KAFKA_SCRIPT")
	if script == "" {
		t.Skip("a Kafka with TLS and SASL is started by scripts/kafka.sh, which is not to be used here (KAFKA_SCRIPT is not set): `make integration` without KAFKA_BROKERS does it")
	}
	s := &Secured{Certs: t.TempDir(), Kafka: &Kafka{script: script}}
	if err := certs.Write(s.Certs); err != nil {
		t.Fatal(err)
	}
	s.env = []string{fmt.Sprintf("KAFKA_PORT=%d", FreePort(t)), "KAFKA_SECURE=" + s.Certs, "KAFKA_NODES=1", "KAFKA_TOPIC=", "KAFKA_HEAP=384m"}
	listeners := s.listeners(t)
	s.Brokers = listeners["KAFKA_BROKERS"]
	s.TLS, s.MTLS, s.SASL = listeners["KAFKA_SSL"], listeners["KAFKA_MTLS"], listeners["KAFKA_SASL_SSL"]
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the secured broker's warnings:\n%s", s.warnings())
		}
		s.run(t, nil, "clean")
	})
	s.Start(t)
	return s
}

// warnings returns the last few of the broker's log.
func (s *Secured) warnings() string {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.script, "log")
	cmd.Env = append(os.Environ(), s.env...)
	out, err := cmd.Output()
	if err != nil {
		return err.Error()
	}
	var lines [][]byte
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte(" WARN ")) || bytes.Contains(line, []byte(" ERROR ")) {
			lines = append(lines, line)
		}
	}
	return string(bytes.Join(lines[max(len(lines)-15, 0):], nil))
}

// FreePort finds a port for the script: those that the broker takes beside it
// have to be free too.
func FreePort(t testing.TB) int {
	t.Helper()
	// Below the range from which systems take the ports of connections.
	for port := 21500; port < 31000; port += 100 {
		if free(port, port+10, port+20, port+30, port+1000) {
			return port
		}
	}
	t.Fatal("no free ports for a second Kafka between 21500 and 31000")
	return 0
}

func free(ports ...int) bool {
	for _, port := range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = l.Close() // nobody has connected
	}
	return true
}
