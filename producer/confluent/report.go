//go:build cgo

package confluent

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/zapkafka/zapkafka"
)

const (
	repeatAfter = 10 * time.Second // the same complaint is reported once in this time
	maxSeen     = 256              // complaints remembered, so that the memory for them is bounded

	// creationGrace is for how long a missing topic is nothing to report when
	// the client may create it: brokers answer "unknown" while they do.
	creationGrace = 3 * time.Second
)

// reporter passes the client's errors and warnings on to the syncer's handler,
// few of them and each with its cause.
type reporter struct {
	report  zapkafka.ErrorHandler
	timeout time.Duration // for how long an unknown topic is retried
	create  bool          // the client asks the brokers to create topics
	user    settings      // whose secrets are kept out of texts

	mu      sync.Mutex
	stopped bool
	seen    map[string]time.Time // when a complaint was last reported
	unknown map[string]time.Time // since when a topic has been missing
}

func newReporter(report zapkafka.ErrorHandler, timeout time.Duration, user settings) *reporter {
	return &reporter{
		report:  report,
		timeout: timeout,
		create:  user.flag("allow.auto.create.topics", false),
		user:    user,
		seen:    make(map[string]time.Time),
		unknown: make(map[string]time.Time),
	}
}

// event reports an error that the client raised by itself.
func (l *reporter) event(e kafka.Error) {
	text := e.Error()
	if e.Code() == kafka.ErrAllBrokersDown && strings.HasPrefix(text, "0/") {
		return // it counts while connections are made and unmade
	}
	if e.Code() == kafka.ErrAllBrokersDown {
		text += ": no broker can be reached"
	}
	l.complain(text, e)
}

// log reports a line of the client's log. Some come as an event as well, with
// the same text.
func (l *reporter) log(line kafka.LogEvent) {
	const warning = 4 // of syslog; less is worse
	if line.Level <= warning || line.Tag == "CONFWARN" || line.Tag == "FAIL" {
		l.complain(line.Message, nil)
	}
}

// complain reports a text of the client's, and once only if it differs in
// numbers and times alone.
func (l *reporter) complain(text string, cause error) {
	if strings.HasPrefix(text, "[thrd:") {
		if _, rest, ok := strings.Cut(text, "]: "); ok {
			text = rest
		}
	}
	what, _, _ := strings.Cut(text, " (after ")
	if rest, ok := strings.CutPrefix(what, broker(text)); ok {
		what = rest
	}
	key := broker(text) + strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, what)
	if hungUp(text) {
		if strings.Contains(text, "in state UP") {
			key = broker(text) + " broke off"
		} else {
			key = broker(text) + " hung up"
			text += " (the broker hung up: does it want another security.protocol, or other credentials?)"
		}
	}
	l.once(key, &complaint{text: "confluent: " + l.user.redact(text), err: cause})
}

// hungUp reports whether the text is about a connection that the broker has
// ended, and leaves open why.
func hungUp(text string) bool {
	for _, known := range []string{"security.protocol", "broker listener?"} {
		if strings.Contains(text, known) {
			return false
		}
	}
	for _, words := range []string{"Broken pipe", "Disconnected", "Connection reset"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// noToken reports that the client wants a token from a function that there is
// no way to give it.
func (l *reporter) noToken() {
	l.once("token", fmt.Errorf("confluent: the client asks for an OAUTHBEARER token, which this package cannot give it: let it fetch tokens by itself with sasl.oauthbearer.method=oidc"))
}

// broker returns the host and port that a text of the client's begins with, as
// in "ssl://kafka-1:9092/bootstrap: ", "" if it does not. What is behind the
// slash changes when the broker's number becomes known.
func broker(text string) string {
	name, _, ok := strings.Cut(text, ": ")
	if !ok || strings.ContainsAny(name, " \"") {
		return ""
	}
	scheme, rest, ok := strings.Cut(name, "://")
	if !ok {
		scheme, rest = "", name
	} else {
		scheme += "://"
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + host
}

// unknownTopic reports a topic that the brokers say is not there.
func (l *reporter) unknownTopic(topic string, cause error) {
	if l.create && !l.missingFor(topic, creationGrace) {
		return
	}
	what := "create it, or have the client create it with the property allow.auto.create.topics=true"
	if l.create {
		what = "create it: the brokers do not, although allow.auto.create.topics asks them to (is auto.create.topics.enable off?)"
	}
	l.once("unknown topic "+topic, fmt.Errorf("confluent: topic %q does not exist, or not for this user; %s; a record for it is retried for %v and then given up: %w",
		topic, what, l.timeout, cause))
}

// missingFor reports whether the topic has been missing for that long.
func (l *reporter) missingFor(topic string, d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	since, ok := l.unknown[topic]
	// One that was seen long ago has been there in between.
	if !ok || time.Since(since) > max(l.timeout, repeatAfter) {
		if len(l.unknown) >= maxSeen {
			clear(l.unknown)
		}
		l.unknown[topic] = time.Now()
		return false
	}
	return time.Since(since) >= d
}

// once reports the error unless that was done for the key of late.
func (l *reporter) once(key string, err error) {
	if l.report != nil && l.first(key) {
		l.report(err)
	}
}

// first reports whether the complaint is new, or old enough to be repeated.
func (l *reporter) first(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if at, ok := l.seen[key]; l.stopped || ok && now.Sub(at) < repeatAfter {
		return false
	}
	if len(l.seen) >= maxSeen {
		clear(l.seen)
	}
	l.seen[key] = now
	return true
}

// stop ends reports: what the client says while it is closed is about being
// closed.
func (l *reporter) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
}

// complaint is an error of the client's with a text of ours.
type complaint struct {
	text string
	err  error
}

func (c *complaint) Error() string { return c.text }
func (c *complaint) Unwrap() error { return c.err }
