package franz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
)

const (
	repeatAfter = 10 * time.Second // the same complaint is reported once in this time
	maxSeen     = 256              // complaints remembered, so that the memory for them is bounded

	// creationGrace is for how long a missing topic is nothing to report when
	// the client may create it: brokers answer "unknown" while they do.
	creationGrace = 3 * time.Second
)

// reporter is the client's logger: it passes warnings and errors on to the
// syncer's handler, few of them and each with its cause.
type reporter struct {
	report  zapkafka.ErrorHandler
	timeout time.Duration // for how long an unknown topic is retried

	mu      sync.Mutex
	stopped bool
	create  bool                 // the client creates topics
	tls     bool                 // the client speaks TLS
	last    time.Time            // when anything was last reported
	seen    map[string]time.Time // when a complaint was last reported
	unknown map[string]time.Time // since when a topic has been missing
}

func newReporter(report zapkafka.ErrorHandler, timeout time.Duration) *reporter {
	return &reporter{
		report:  report,
		timeout: timeout,
		seen:    make(map[string]time.Time),
		unknown: make(map[string]time.Time),
	}
}

// creating says whether the client may create topics.
func (l *reporter) creating(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.create = yes
}

// encrypting says whether the client speaks TLS.
func (l *reporter) encrypting(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tls = yes
}

// Level asks for informational lines too: that a topic is unknown, the client
// says in one of those only.
func (l *reporter) Level() kgo.LogLevel { return kgo.LogLevelInfo }

// Log is called by the client, from any of its goroutines.
func (l *reporter) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if l.report == nil || level > kgo.LogLevelInfo {
		return
	}
	c := newComplaint(msg, keyvals)
	switch {
	case c.topic != "" && errors.Is(c.err, kerr.UnknownTopicOrPartition):
		l.unknownTopic(c.topic, c.err)
	case errors.Is(c.err, context.Canceled) || errors.Is(c.err, kgo.ErrClientClosed):
		// A deadline or Close: the records say so themselves.
	case level > kgo.LogLevelWarn && (c.topic == "" || c.err == nil || !l.quiet()):
		// Information, or what follows from something already reported. What
		// remains is a topic that fails for reasons the client finds no word
		// for, such as a broker that refuses a password by hanging up.
	case l.first(c.key()):
		l.mu.Lock()
		c.tls = l.tls
		l.mu.Unlock()
		l.report(c)
	}
}

// unknownTopic reports a topic that the brokers say is not there. It is told by
// the client's log, early, and by each record that failed for this.
func (l *reporter) unknownTopic(topic string, cause error) {
	if l.report == nil {
		return
	}
	l.mu.Lock()
	create := l.create
	l.mu.Unlock()
	if create && !l.missingFor(topic, creationGrace) || !l.first("unknown topic "+topic) {
		return
	}
	what := "create it, or have the client create it with the option kgo.AllowAutoTopicCreation()"
	if create {
		what = "create it: the brokers do not, although kgo.AllowAutoTopicCreation() asks them to (is auto.create.topics.enable off?)"
	}
	l.report(fmt.Errorf("franz: topic %q does not exist, or not for this user; %s; a record for it is retried for %v and then given up: %w",
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

// quiet reports whether nothing has been reported of late.
func (l *reporter) quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.last) >= repeatAfter
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
	l.seen[key], l.last = now, now
	return true
}

// stop ends reports: what the client says while it is closed is about being
// closed.
func (l *reporter) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
}

// complaint is a line of the client's log as an error.
type complaint struct {
	msg, addr, topic string
	err              error
	tls              bool // the client speaks TLS
}

func newComplaint(msg string, keyvals []any) *complaint {
	c := &complaint{msg: msg}
	for i := 0; i+1 < len(keyvals); i += 2 {
		switch v := keyvals[i+1].(type) {
		case string:
			switch keyvals[i] {
			case "addr":
				c.addr = v
			case "topic":
				c.topic = v
			}
		case error:
			if keyvals[i] == "err" {
				c.err = v
			}
		}
	}
	return c
}

// key leaves the error out: the text of many holds a port that changes with
// every connection.
func (c *complaint) key() string { return c.msg + "\x00" + c.addr + "\x00" + c.topic }

func (c *complaint) Error() string {
	s := "franz: " + c.msg
	if c.topic != "" {
		s += fmt.Sprintf(", topic %q", c.topic)
	}
	if c.addr != "" {
		s += ", broker " + c.addr
	}
	if c.err != nil {
		s += ": " + c.err.Error()
	}
	//nolint:errorlint // a wrapped EOF says more, the client's own hint among it
	if c.err == io.EOF {
		if c.tls {
			s += " (the broker hung up: is this a listener without TLS, or does it want other credentials?)"
		} else {
			s += " (the broker hung up: does it want TLS, or other credentials?)"
		}
	}
	return s
}

func (c *complaint) Unwrap() error { return c.err }
