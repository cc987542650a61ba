package ibmsarama

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/zapkafka/zapkafka"
)

const (
	repeatAfter = 10 * time.Second // the same complaint is reported once in this time
	maxSeen     = 256              // complaints remembered, so that the memory for them is bounded

	// creationGrace is for how long a missing topic is nothing to report when
	// the client may create it: brokers answer "unknown" while they do.
	creationGrace = 3 * time.Second
)

// reporter tells the syncer's handler why records are tried again: few errors,
// each with its cause.
type reporter struct {
	report  zapkafka.ErrorHandler
	timeout time.Duration // for how long a record is tried
	create  bool          // the client may create topics
	tls     bool          // the client speaks TLS
	sasl    bool          // the client logs in
	wrapped bool          // the client's retries are all there are
	secrets []string

	mu      sync.Mutex
	stopped bool
	seen    map[string]time.Time // when a complaint was last reported
	unknown map[string]time.Time // since when a topic has been missing
}

func newReporter(report zapkafka.ErrorHandler, timeout time.Duration, c *sarama.Config) *reporter {
	r := &reporter{
		report:  report,
		timeout: timeout,
		create:  c.Metadata.AllowAutoTopicCreation,
		tls:     c.Net.TLS.Enable,
		sasl:    c.Net.SASL.Enable,
		seen:    make(map[string]time.Time),
		unknown: make(map[string]time.Time),
	}
	for _, s := range []string{c.Net.SASL.Password, c.Net.SASL.GSSAPI.Password} {
		if s != "" {
			r.secrets = append(r.secrets, s)
		}
	}
	return r
}

// scrub makes one line of the text and takes passwords out of it; hidden reports
// whether there was one.
func (r *reporter) scrub(text string) (clean string, hidden bool) {
	for _, s := range r.secrets {
		if strings.Contains(text, s) {
			text, hidden = strings.ReplaceAll(text, s, "…"), true
		}
	}
	return strings.Join(strings.Fields(text), " "), hidden
}

// trouble is told of each error because of which records of a topic are tried
// again.
func (r *reporter) trouble(topic string, err error) {
	if r.report == nil || errors.Is(err, errCut) || isBreaker(err) {
		return // what follows from something already reported
	}
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		r.unknownTopic(topic, err)
		return
	}
	kind := "connection"
	var answer sarama.KError
	if errors.As(err, &answer) {
		kind = fmt.Sprint(int16(answer))
	}
	if !r.first(topic + "\x00" + kind) {
		return
	}
	r.report(fmt.Errorf("ibmsarama: topic %q: entries are tried again, each for %v: %w%s", topic, r.timeout, trimmed{err}, r.hint(err)))
}

// hint says what is probably meant by errors that do not say it themselves.
func (r *reporter) hint(err error) string {
	text := err.Error()
	hungUp := errors.Is(err, io.EOF) || strings.HasSuffix(text, "EOF")
	switch {
	case errors.Is(err, sarama.ErrSASLAuthenticationFailed):
		return " (check Net.SASL in the configuration)"
	case hungUp && r.tls:
		return " (the broker hung up: is this a listener without TLS, or does it want other credentials?)"
	case hungUp:
		return " (the broker hung up: does it want TLS, or other credentials?)"
	case r.tls && strings.HasSuffix(text, "timeout"):
		return " (the broker does not answer: does it speak TLS on this port?)"
	case r.sasl && strings.HasSuffix(text, sarama.ErrOutOfBrokers.Error()):
		// Without a cause behind it: that a broker refuses the handshake, as one
		// does whose listener is without SASL, the client keeps to itself.
		return " (does this listener take SASL, and this mechanism?)"
	}
	return ""
}

// trimmed is an error without the name of this package in front.
type trimmed struct{ error }

func (t trimmed) Error() string { return strings.TrimPrefix(t.error.Error(), "ibmsarama: ") }
func (t trimmed) Unwrap() error { return t.error }

// unknownTopic reports a topic that the brokers say is not there.
func (r *reporter) unknownTopic(topic string, err error) {
	if r.create && !r.missingFor(topic, creationGrace) || !r.first(topic+"\x00unknown") {
		return
	}
	what := "create it, or have the client create it with Metadata.AllowAutoTopicCreation in the configuration"
	if r.create {
		what = "create it: the brokers do not, although Metadata.AllowAutoTopicCreation asks them to (is auto.create.topics.enable off?)"
	}
	until := ""
	if !r.wrapped {
		until = fmt.Sprintf("; a record for it is tried for %v and then given up", r.timeout)
	}
	r.report(fmt.Errorf("ibmsarama: topic %q does not exist, or not for this user; %s%s: %w", topic, what, until, trimmed{err}))
}

// missingFor reports whether the topic has been missing for that long.
func (r *reporter) missingFor(topic string, d time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, ok := r.unknown[topic]
	// One that was seen long ago has been there in between.
	if !ok || time.Since(since) > max(r.timeout, repeatAfter) {
		if len(r.unknown) >= maxSeen {
			clear(r.unknown)
		}
		r.unknown[topic] = time.Now()
		return false
	}
	return time.Since(since) >= d
}

// wedged reports a client that has not given back records, which ought not to
// be possible for one whose connections were cut.
func (r *reporter) wedged(records int) {
	if r.report == nil || !r.first("wedged") {
		return
	}
	why := "although its connections are cut: their memory stays in use until it does, or the process ends"
	if r.wrapped {
		why = "which was made elsewhere, so that its connections cannot be cut: lower Producer.Retry.Max and the time-outs in its configuration, or use New"
	}
	r.report(fmt.Errorf("ibmsarama: %d records have not been given back by the sarama producer within %v and %v more, %s", records, r.timeout, grace+wedged, why))
}

// first reports whether the complaint is new, or old enough to be repeated.
func (r *reporter) first(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if at, ok := r.seen[key]; r.stopped || ok && now.Sub(at) < repeatAfter {
		return false
	}
	if len(r.seen) >= maxSeen {
		clear(r.seen)
	}
	r.seen[key] = now
	return true
}

// stop ends reports: what fails while the client is closed does so because it is
// closed.
func (r *reporter) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
}
