package ibmsarama

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"

	"github.com/zapkafka/zapkafka"
)

// judged returns a Producer that is good for judging, and what it reports.
func judged(change func(*sarama.Config)) (*Producer, *errorLog) {
	c := with(change)
	log := newErrorLog()
	p := newProducer(c)
	p.limits = limits(time.Second)
	p.reports = newReporter(log.handle, time.Second, c)
	return p, log
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		err             error
		again, rejected bool
	}{
		{sarama.ErrMessageSizeTooLarge, false, true},
		{sarama.ErrMessageSetSizeTooLarge, false, true},
		{sarama.ErrInvalidRecord, false, true},
		{sarama.ErrInvalidTimestamp, false, true},
		{sarama.ErrInvalidTopic, false, true},
		{sarama.PacketEncodingError{Info: "string too long"}, false, true},
		{sarama.ConfigurationError("Attempt to produce message larger than configured Producer.MaxMessageBytes: 2 > 1"), false, true},
		{sarama.ConfigurationError("Producing headers requires Kafka at least v0.11"), false, false},
		{sarama.ErrTopicAuthorizationFailed, false, false},
		{sarama.ErrClusterAuthorizationFailed, false, false},
		{sarama.ErrUnsupportedVersion, false, false},
		{sarama.ErrNotLeaderForPartition, true, false},
		{sarama.ErrRequestTimedOut, true, false},
		{sarama.ErrNotEnoughReplicasAfterAppend, true, false},
		{sarama.ErrUnknownTopicOrPartition, true, false},
		{sarama.ErrLeaderNotAvailable, true, false},
		{sarama.KError(100), true, false}, // UNKNOWN_TOPIC_ID
		{sarama.ErrOutOfBrokers, true, false},
		{sarama.ErrShuttingDown, true, false},
		{sarama.ErrIncompleteResponse, true, false},
		{breaker.ErrBreakerOpen, true, false},
		{io.EOF, true, false},
		{errors.New("whatever"), true, false},
	} {
		p, _ := judged(func(*sarama.Config) {})
		again, outcome := p.judge(topic, fmt.Errorf("wrapped: %w", test.err))
		if again != test.again || errors.Is(outcome, zapkafka.ErrRejected) != test.rejected || outcome == nil || !strings.HasPrefix(outcome.Error(), "ibmsarama: ") {
			t.Errorf("%v: again %v, rejected %v, %v; want %v, %v", test.err, again, errors.Is(outcome, zapkafka.ErrRejected), outcome, test.again, test.rejected)
		}
		if _, isText := test.err.(sarama.ConfigurationError); !isText && !errors.Is(outcome, test.err) { //nolint:errorlint // the very type
			t.Errorf("%v is not in %v", test.err, outcome)
		}
	}
}

// Whatever the client or a broker says, a password is not passed on.
func TestPasswordsAreHidden(t *testing.T) {
	const password = "correct-horse"
	p, log := judged(func(c *sarama.Config) {
		c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, "app", password
	})
	_, outcome := p.judge(topic, fmt.Errorf("user app with password %q: %w", password, sarama.ErrSASLAuthenticationFailed))
	_, other := p.judge(topic, fmt.Errorf("dial: %w", errors.New(password)))
	timeout := &timeoutError{after: time.Second, last: outcome}
	for _, err := range append(log.all(), outcome, other, timeout) {
		for ; err != nil; err = errors.Unwrap(err) {
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), password) {
				t.Errorf("the password is in %q", err)
			}
		}
	}
	if len(log.all()) != 2 || !errors.Is(outcome, sarama.ErrSASLAuthenticationFailed) || !errors.Is(timeout, context.DeadlineExceeded) {
		t.Errorf("reported %v, outcome %v", log.all(), outcome)
	}
}

// The same trouble a thousand times is one report and one error.
func TestReportsAreFew(t *testing.T) {
	p, log := judged(func(*sarama.Config) {})
	var first error
	for range 1000 {
		_, outcome := p.judge(topic, io.EOF)
		if first == nil {
			first = outcome
		}
		if outcome != first { //nolint:errorlint // the very same
			t.Fatal("an error was made anew")
		}
	}
	_, _ = p.judge("other", io.EOF)
	_, _ = p.judge(topic, sarama.ErrNotLeaderForPartition)
	if errs := log.all(); len(errs) != 3 || !strings.Contains(errs[0].Error(), "hung up") || !strings.Contains(errs[0].Error(), `"`+topic+`"`) {
		t.Errorf("reported: %v", errs)
	}
}

// someErrors is an error that cannot be compared; a dialer may return anything.
type someErrors []error

func (s someErrors) Error() string { return "some errors" }

type wrapping struct{ error }

// An error whose type can be compared may hold one that cannot.
func TestErrorsThatCannotBeCompared(t *testing.T) {
	p := newProducer(NewConfig())
	p.reports = newReporter(nil, time.Second, p.config)
	for range 2 {
		if got := p.clean(wrapping{someErrors{errors.New("one")}}); got.Error() != "ibmsarama: some errors" {
			t.Errorf("got %v", got)
		}
	}
}

// What an error means depends on what the client was told to do.
func TestHints(t *testing.T) {
	secure := func(c *sarama.Config) { c.Net.TLS.Enable = true }
	user := func(c *sarama.Config) {
		c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, "app", "sesame"
	}
	caused := fmt.Errorf("%w: connection refused", sarama.ErrOutOfBrokers)
	for name, test := range map[string]struct {
		change func(*sarama.Config)
		err    error
		want   string
	}{
		"hung up":                  {func(*sarama.Config) {}, io.EOF, "does it want TLS, or other credentials?)"},
		"hung up on TLS":           {secure, io.EOF, "is this a listener without TLS, or does it want other credentials?)"},
		"SASL, no cause":           {user, sarama.ErrOutOfBrokers, "available brokers to talk to (does this listener take SASL, and this mechanism?)"},
		"SASL, and a cause":        {user, caused, "connection refused"},
		"neither, without a cause": {func(*sarama.Config) {}, sarama.ErrOutOfBrokers, "available brokers to talk to"},
	} {
		p, log := judged(test.change)
		_, _ = p.judge(topic, test.err)
		if errs := log.all(); len(errs) != 1 || !strings.HasSuffix(errs[0].Error(), test.want) {
			t.Errorf("%s: reported %v, want %q", name, errs, test.want)
		}
	}
}
