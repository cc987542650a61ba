// Command certs makes the certificates for a Kafka with TLS, to try things on:
//
//	go run ./cmd/certs /tmp/certs
//	KAFKA_SECURE=/tmp/certs KAFKA_PORT=19092 ../scripts/kafka.sh start
//
// The broker shows server.pem, which ca.pem has signed; client.pem with
// client.key is a client's certificate that it accepts.
package main

import (
	"fmt"
	"os"

	"github.com/zapkafka/zapkafka/integration/certs"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: certs DIRECTORY")
		os.Exit(2)
	}
	if err := certs.Write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "certs:", err)
		os.Exit(1)
	}
}
