package ibmsarama

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/IBM/sarama/mocks"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// mockConfig is what a test of a program has: sarama's own defaults, and
// successes.
func mockConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Producer.Return.Successes = true
	return c
}

func wrap(t *testing.T, producer sarama.AsyncProducer, c *sarama.Config, l zapkafka.Limits, log *errorLog) *Producer {
	t.Helper()
	p, err := Wrap(producer, c)
	if err != nil {
		t.Fatal(err)
	}
	var report zapkafka.ErrorHandler
	if log != nil {
		report = log.handle
	}
	if _, err := p.Start(l, report); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := ctxDone()
		defer cancel()
		_ = p.Close(ctx) // tests look at the error where there must be none
	})
	return p
}

// The way in which programs that log through sarama are tested: a mock with one
// expectation a message, and a fallback that already holds text.
func TestMockWithSyncer(t *testing.T) {
	const before = "what was there before\n"
	fallback := bytes.NewBufferString(before)
	mock := mocks.NewAsyncProducer(t, mockConfig())
	mock.ExpectInputWithCheckerFunctionAndSucceed(func(value []byte) error {
		if !bytes.Contains(value, []byte("goes to Kafka")) {
			return errors.New("another entry")
		}
		return nil
	})
	mock.ExpectInputAndFail(sarama.ErrOutOfBrokers)
	p, err := Wrap(mock, mockConfig())
	if err != nil {
		t.Fatal(err)
	}
	syncer, err := zapkafka.NewKafkaSyncer(p, topic, zapcore.AddSync(fallback), nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), syncer, zap.InfoLevel))
	logger.Info("goes to Kafka")
	if err := logger.Sync(); err != nil {
		t.Error(err)
	}
	if got := fallback.String(); got != before {
		t.Errorf("the fallback holds %q after a delivered entry", got)
	}
	logger.Info("goes to the fallback")
	if err := logger.Sync(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := syncer.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	got, kept := strings.CutPrefix(fallback.String(), before)
	if !kept || strings.Count(got, "\n") != 1 || !strings.Contains(got, `"msg":"goes to the fallback"`) {
		t.Errorf("the fallback holds %q", fallback.String())
	}
	if err := mock.Close(); err != nil { // its owner is the test, and it checks that nothing is left to expect
		t.Error(err)
	}
}

// quietly is a mock's reporter that fails nothing.
type quietly struct{}

func (quietly) Errorf(string, ...any) {}

// A mock whose check fails reports an error and a success for one message; so
// may sarama.
func TestReportedTwice(t *testing.T) {
	mock := mocks.NewAsyncProducer(quietly{}, mockConfig())
	defer mock.Close()
	for range 100 {
		mock.ExpectInputWithCheckerFunctionAndSucceed(func([]byte) error { return errors.New("unwanted") })
		mock.ExpectInputAndSucceed()
	}
	p := wrap(t, mock, mockConfig(), limits(30*time.Second), nil)
	rs, o := records(200, numbered)
	p.Produce(t.Context(), rs)
	o.wait(t, patience)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for i, n := range o.calls {
		if n != 1 {
			t.Errorf("record %d was reported %d times", i, n)
		}
		if i%2 == 1 && o.errs[i] != nil {
			t.Errorf("record %d, whose neighbour was reported twice: %v", i, o.errs[i])
		}
	}
}

// fake is a sarama producer in the hands of a test.
type fake struct {
	sarama.AsyncProducer
	input     chan *sarama.ProducerMessage
	successes chan *sarama.ProducerMessage
	errs      chan *sarama.ProducerError
}

func newFake() *fake {
	return &fake{
		input:     make(chan *sarama.ProducerMessage),
		successes: make(chan *sarama.ProducerMessage),
		errs:      make(chan *sarama.ProducerError),
	}
}

func (f *fake) Input() chan<- *sarama.ProducerMessage     { return f.input }
func (f *fake) Successes() <-chan *sarama.ProducerMessage { return f.successes }
func (f *fake) Errors() <-chan *sarama.ProducerError      { return f.errs }
func (f *fake) IsTransactional() bool                     { return false }

func (f *fake) receive(t *testing.T) *sarama.ProducerMessage {
	t.Helper()
	select {
	case m := <-f.input:
		return m
	case <-time.After(patience):
		t.Fatal("no message at the input")
		return nil
	}
}

func TestIgnoresMessagesOfOthers(t *testing.T) {
	f := newFake()
	p := wrap(t, f, mockConfig(), limits(30*time.Second), nil)
	rs, o := records(1, numbered)
	p.Produce(t.Context(), rs)
	m := f.receive(t)
	f.successes <- &sarama.ProducerMessage{Topic: topic}
	f.successes <- nil
	f.errs <- nil
	f.errs <- &sarama.ProducerError{Err: sarama.ErrOutOfBrokers}
	f.errs <- &sarama.ProducerError{Msg: &sarama.ProducerMessage{Topic: topic, Metadata: m.Metadata}, Err: sarama.ErrOutOfBrokers}
	f.errs <- &sarama.ProducerError{Msg: &sarama.ProducerMessage{Topic: topic, Value: m.Value}, Err: sarama.ErrOutOfBrokers}
	if o.pending() != 1 {
		t.Fatal("a message of others was taken for ours")
	}
	m.Metadata = "what an interceptor has put there"
	f.successes <- m
	o.wantAcked(t)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The user closes his producer while the syncer still has it.
func TestClosedByOwner(t *testing.T) {
	t.Run("with records inside", func(t *testing.T) {
		f := newFake()
		p := wrap(t, f, mockConfig(), limits(30*time.Second), nil)
		rs, o := records(2, numbered)
		p.Produce(t.Context(), rs)
		f.receive(t)
		f.receive(t)
		close(f.successes)
		close(f.errs)
		o.wantFailed(t, patience, sarama.ErrClosedClient)
		rs, o = records(100, numbered)
		p.Produce(t.Context(), rs)
		o.wantFailed(t, patience, sarama.ErrClosedClient)
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("input first", func(t *testing.T) {
		f := newFake()
		p := wrap(t, f, mockConfig(), limits(30*time.Second), nil)
		close(f.input) // before the other two: a send panics
		rs, o := records(100, numbered)
		p.Produce(t.Context(), rs)
		o.wantFailed(t, patience, sarama.ErrClosedClient)
		close(f.successes)
		close(f.errs)
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("mock", func(t *testing.T) {
		mock := mocks.NewAsyncProducer(t, mockConfig())
		p := wrap(t, mock, mockConfig(), limits(30*time.Second), nil)
		if err := mock.Close(); err != nil {
			t.Error(err)
		}
		rs, o := records(100, numbered)
		p.Produce(t.Context(), rs)
		o.wantFailed(t, patience, sarama.ErrClosedClient)
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("sarama", func(t *testing.T) {
		c := newCluster(t)
		producer, err := sarama.NewAsyncProducer(c.ListenAddrs(), NewConfig())
		if err != nil {
			t.Fatal(err)
		}
		p := wrap(t, producer, NewConfig(), limits(30*time.Second), nil)
		rs, o := records(1000, numbered)
		p.Produce(t.Context(), rs)
		o.wantAcked(t)
		if err := producer.Close(); err != nil {
			t.Error(err)
		}
		rs, o = records(1000, numbered)
		p.Produce(t.Context(), rs)
		o.wantFailed(t, patience, sarama.ErrClosedClient)
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What Wrap cannot keep is said and not hung up on: the client does not report.
func TestWrappedClientIsMute(t *testing.T) {
	t.Parallel()
	f := newFake()
	log := newErrorLog()
	p := wrap(t, f, mockConfig(), limits(100*time.Millisecond), log)
	rs, o := records(3, numbered)
	p.Produce(t.Context(), rs)
	m := f.receive(t) // and never says what became of it
	_ = log.wait(t, "a client that keeps a record", func(err error) bool { return strings.Contains(err.Error(), "use New") })
	if n := o.pending(); n != 1 {
		t.Errorf("%d records pending, want the one that the client has", n)
	}
	ctx, cancel := ctxDone()
	defer cancel()
	if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 records") {
		t.Errorf("Close: got %v, want how many records are left", err)
	}
	f.successes <- m // long after
	o.wait(t, patience)
}

// The first message that a closing client refuses is the last that it gets:
// sarama can panic on one that comes while it closes its channels.
func TestStopsWhenClientShutsDown(t *testing.T) {
	f := newFake()
	p := wrap(t, f, mockConfig(), limits(30*time.Second), nil)
	rs, o := records(100, numbered)
	p.Produce(t.Context(), rs)
	m := f.receive(t)
	f.errs <- &sarama.ProducerError{Msg: m, Err: sarama.ErrShuttingDown}
	sent := 1
	for o.pending() > 0 {
		select {
		case m := <-f.input:
			sent++
			f.errs <- &sarama.ProducerError{Msg: m, Err: sarama.ErrShuttingDown}
		case <-o.done:
		case <-time.After(patience):
			t.Fatalf("%d records pending", o.pending())
		}
	}
	o.wantFailed(t, 0, sarama.ErrClosedClient)
	if sent > 2 { // one may have been on its way
		t.Errorf("%d messages were sent to a client that shuts down", sent)
	}
}

func TestWrapDelivers(t *testing.T) {
	c := newCluster(t)
	config := NewConfig()
	producer, err := sarama.NewAsyncProducer(c.ListenAddrs(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	p := wrap(t, producer, config, limits(30*time.Second), nil)
	rs, o := records(5000, numbered)
	p.Produce(t.Context(), rs)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	o.wantAcked(t)
	stored(t, c, len(rs))
}

func TestWrapRefuses(t *testing.T) {
	for want, change := range map[string]func(*sarama.Config){
		"Producer.Return.Successes": func(c *sarama.Config) { c.Producer.Return.Successes = false },
		"Producer.Return.Errors":    func(c *sarama.Config) { c.Producer.Return.Errors = false },
		"Producer.RequiredAcks":     func(c *sarama.Config) { c.Producer.RequiredAcks = sarama.NoResponse },
		"Producer.Transaction.ID":   func(c *sarama.Config) { c.Producer.Transaction.ID = "x" },
		"Flush.Frequency":           func(c *sarama.Config) { c.Producer.Flush.Messages = 100 },
	} {
		c := mockConfig()
		change(c)
		if p, err := Wrap(newFake(), c); p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
	if _, err := Wrap(newFake(), nil); err == nil || !strings.Contains(err.Error(), "config is nil") {
		t.Errorf("nil config: %v", err)
	}
	if _, err := Wrap(nil, mockConfig()); err == nil || !strings.Contains(err.Error(), "producer is nil") {
		t.Errorf("nil producer: %v", err)
	}
}
