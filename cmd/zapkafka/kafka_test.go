package main

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// certificate is one for the loopback interface, and a file with its CA.
func certificate(t *testing.T) (own tls.Certificate, caFile string) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, caFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	return s.TLS.Certificates[0], caFile
}

// TestSecuredKafka replays to a broker that wants TLS and a password, and reads
// the topic there.
func TestSecuredKafka(t *testing.T) {
	const password = "p4ssw0rd-of-app"
	own, ca := certificate(t)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			b := newBroker(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}}), kfake.EnableSASL(), kfake.Superuser(mechanism, "app", password))
			dir := t.TempDir()
			fill(t, dir, testTopic, 3)
			t.Setenv("KAFKA_BROKERS", b.list())
			t.Setenv("KAFKA_USER", "app")
			secured := func(command string, more ...string) []string {
				return append([]string{command, "--tls-ca", ca, "--sasl", strings.ToLower(mechanism)}, more...)
			}
			file := filepath.Join(t.TempDir(), "password")

			writeFile(t, file, password+"\n") // goes before the environment
			want(t, exitWell, secured("replay", "--sasl-password-file", file, "--topic", testTopic, dir), "sent 3 of 3")
			t.Setenv("KAFKA_PASSWORD", password)
			want(t, exitWell, secured("tail", "--no-follow", "--from", "beginning", testTopic), "[replayed] ", "order placed")
		})
	}
}

func TestSecuredKafkaRefuses(t *testing.T) {
	own, ca := certificate(t)
	b := newBroker(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}}), kfake.EnableSASL(), kfake.Superuser("PLAIN", "app", "right"))
	dir := t.TempDir()
	fill(t, dir, testTopic, 3)
	t.Setenv("KAFKA_PASSWORD", "s3cret-but-wrong")
	secured := []string{"--brokers", b.list(), "--tls-ca", ca, "--sasl", "plain", "--sasl-user", "app"}
	const hint = "does it want other credentials?" // kfake hangs up
	for _, args := range [][]string{
		append([]string{"replay", "--idle", "700ms", "--topic", testTopic, dir}, secured...),
		append([]string{"tail", "--no-follow", testTopic}, secured...),
	} {
		if _, errs := want(t, exitNot, args, hint); strings.Contains(errs, "s3cret") {
			t.Errorf("the password is printed: %s", errs)
		}
	}
	want(t, exitWell, []string{"inspect", dir}, "3 entries wait for Kafka")
	want(t, exitNot, []string{"tail", "--brokers", b.list(), "--tls", "--no-follow", testTopic}, "certificate")
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	empty, token := filepath.Join(dir, "empty"), filepath.Join(dir, "token")
	writeFile(t, empty, "\n")
	writeFile(t, token, "abc\r\n")
	t.Setenv("KAFKA_TOKEN", "of the environment")
	for _, c := range []struct{ file, want, problem string }{
		{token, "abc", ""}, {"", "of the environment", ""}, {empty, "", "is empty"}, {filepath.Join(dir, "none"), "", "no such file"},
	} {
		got, err := (&kafkaFlags{TokenFile: c.file}).token()
		if got != c.want || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %q, %v", c.file, got, err)
		}
	}
}
