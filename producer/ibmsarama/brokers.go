package ibmsarama

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+._-]*://`)

// checkBrokers refuses addresses that cannot be dialled.
func checkBrokers(brokers []string) error {
	if len(brokers) == 0 {
		return errors.New(`ibmsarama: no brokers: give at least one as "host:port"`)
	}
	var errs []error
	for i, b := range brokers {
		if what := brokerFault(b); what != "" {
			errs = append(errs, fmt.Errorf("ibmsarama: broker %d is %q: %s", i+1, withoutUser(b), what))
		}
	}
	return errors.Join(errs...)
}

// withoutUser hides credentials that were put into an address by mistake.
func withoutUser(b string) string {
	if at := strings.LastIndex(b, "@"); at >= 0 {
		return "…" + b[at:]
	}
	return b
}

// brokerFault says what is wrong with an address and what would be right.
func brokerFault(b string) string {
	const want = `want "host:port"`
	switch {
	case b == "":
		return "it is empty, " + want
	case strings.Contains(b, ","):
		return "it holds a comma: give each broker as an element of its own"
	case scheme.MatchString(b):
		return want + " without a scheme (TLS is Net.TLS.Enable in the configuration)"
	case strings.ContainsAny(b, " \t\r\n"):
		return "it holds white space, " + want
	case strings.ContainsAny(b, "/@?#"):
		return want + " and nothing else (credentials are Net.SASL in the configuration)"
	}
	host, port, hasPort := splitBroker(b)
	if host == "" {
		return "the host is missing, " + want
	}
	if n, err := strconv.Atoi(port); hasPort && (err != nil || n < 1 || n > 65535) {
		return "the port must be a number from 1 to 65535"
	}
	return ""
}

// splitBroker cuts the port off; IPv6 addresses have brackets if they have one.
func splitBroker(b string) (host, port string, hasPort bool) {
	if strings.Count(b, ":") > 1 && !strings.HasPrefix(b, "[") {
		return b, "", false
	}
	if end := strings.LastIndex(b, "]"); end >= 0 {
		rest := b[end+1:]
		port, hasPort = strings.CutPrefix(rest, ":")
		return strings.TrimPrefix(b[:end], "["), port, hasPort || rest != ""
	}
	return strings.Cut(b, ":")
}
