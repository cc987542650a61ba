//go:build cgo

package confluent

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zapkafka/zapkafka/internal/spelling"
)

var (
	unknownName = regexp.MustCompile(`^No such configuration property: "([^"]*)"`)
	badFile     = regexp.MustCompile(`^(ssl\.[a-z.]*location) failed: `)
)

// explained returns the client's refusal of a config in the names of the user's,
// and with what would be right where the client does not say it.
func explained(text string, user settings) string {
	if m := unknownName.FindStringSubmatch(text); len(m) > 1 {
		if near := nearest(m[1]); near != "" {
			return fmt.Sprintf("%s (did you mean %q?)", text, near)
		}
		return text + " (librdkafka's CONFIGURATION.md lists them all)"
	}
	if m := badFile.FindStringSubmatch(text); len(m) > 1 && user[m[1]].text != "" {
		return fmt.Sprintf("%s (it is %q: want a file in PEM, or PKCS #12 for ssl.keystore.location; with a password if it has one)", text, user[m[1]].text)
	}
	// The client speaks of a property by the older of its names.
	for alias, name := range aliases {
		set, ok := user[name]
		if !ok {
			continue
		}
		for _, other := range []string{alias, name} {
			if quoted := `"` + other + `"`; other != set.name && strings.Contains(text, "property "+quoted) {
				return strings.Replace(text, quoted, `"`+set.name+`"`, 1)
			}
		}
	}
	return text
}

// commonNames are the properties that people set, for a word about a typing
// error. It need not be complete.
var commonNames = []string{
	"api.version.request.timeout.ms", "batch.num.messages", "batch.size", "broker.address.family", "broker.address.ttl", "client.dns.lookup",
	"client.rack", "compression.level", "connections.max.idle.ms", "debug", "enable.ssl.certificate.verification", "https.ca.location",
	"log.connection.close", "log_level", "metadata.max.age.ms", "queuing.strategy", "retry.backoff.max.ms", "retry.backoff.ms",
	"sasl.oauthbearer.config", "sasl.oauthbearer.extensions", "sasl.oauthbearer.method", "sasl.oauthbearer.scope",
	"sasl.oauthbearer.token.endpoint.url", "sasl.password", "sasl.username", "security.protocol", "socket.keepalive.enable",
	"socket.nagle.disable", "socket.receive.buffer.bytes", "socket.send.buffer.bytes", "ssl.ca.location", "ssl.ca.pem",
	"ssl.certificate.location", "ssl.certificate.pem", "ssl.cipher.suites", "ssl.crl.location", "ssl.endpoint.identification.algorithm",
	"ssl.key.location", "ssl.key.password", "ssl.key.pem", "ssl.keystore.location", "ssl.keystore.password", "statistics.interval.ms",
	"sticky.partitioning.linger.ms",
}

// knownNames are commonNames and those that this package sets or reads itself.
func knownNames() []string {
	names := slices.Clone(commonNames)
	for name := range configMap(nil, nil, smallest) {
		names = append(names, name)
	}
	for alias, name := range aliases {
		names = append(names, alias, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// nearest returns the known property whose name is like the given one, "" if
// there is none.
func nearest(name string) string {
	return spelling.Nearest(strings.ToLower(name), knownNames())
}
