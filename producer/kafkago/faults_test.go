package kafkago

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/sasl/plain"

	"github.com/zapkafka/zapkafka"
)

// reportedWithin waits for the outcomes, for which the contract allows the
// deadline and 10 s.
func reportedWithin(t *testing.T, o *outcomes, begin time.Time, delivery time.Duration) {
	t.Helper()
	o.wait(t, delivery+10*time.Second)
	o.mu.Lock()
	defer o.mu.Unlock()
	t.Logf("deadline %v: the last record was reported %v after it", delivery, o.last.Sub(begin.Add(delivery)).Round(time.Millisecond))
}

func TestReportsInTime(t *testing.T) {
	for name, fault := range map[string]func(f *fake){
		"refused":             func(f *fake) { f.down() },
		"frozen":              func(f *fake) { f.freeze(true) },
		"mute on produce":     func(f *fake) { f.answers(func(*call) answer { return answer{silent: true} }) },
		"hangs up on produce": func(f *fake) { f.answers(func(*call) answer { return answer{hangUp: true} }) },
		"not leader":          func(f *fake) { f.answers(func(*call) answer { return answer{code: kafka.NotLeaderForPartition} }) },
		"timeout after store": func(f *fake) {
			f.answers(func(*call) answer { return answer{code: kafka.RequestTimedOut, store: true} })
		},
	} {
		for _, connected := range []bool{true, false} {
			if !connected && name != "refused" && name != "frozen" {
				continue // all others need a connection
			}
			t.Run(fmt.Sprintf("%s, connected %v", name, connected), func(t *testing.T) {
				t.Parallel()
				f := newFake(t, 3, 6)
				const delivery = 2 * time.Second
				log := newErrorLog()
				p := start(t, f.addrs, limits(delivery), log, nil)
				if connected {
					rs, o := records(100, numbered)
					p.Produce(context.Background(), rs)
					o.wantAcked(t)
				}
				fault(f)
				var all []*outcomes
				var begins []time.Time
				for i := range 5 {
					rs, o := records(1000, func(int) []byte { return make([]byte, 500) })
					for k, r := range rs {
						if k%2 == i%2 {
							r.Key = fmt.Append(nil, k)
						}
					}
					all, begins = append(all, o), append(begins, time.Now())
					p.Produce(context.Background(), rs)
				}
				for i, o := range all {
					reportedWithin(t, o, begins[i], delivery)
					o.wantFailed(t, 0, context.DeadlineExceeded)
					if _, err := o.failed(); errors.Is(err, zapkafka.ErrRejected) {
						t.Fatalf("%v: nobody has rejected it", err)
					}
				}
				_ = log.wait(t, "anything", func(error) bool { return true })
				if n := len(log.all()); n > 12 {
					t.Errorf("%d errors at the handler: %v", n, log.all())
				}
			})
		}
	}
}

func TestBrokerComesUpLater(t *testing.T) {
	f := newFake(t, 1, 3)
	f.down()
	log := newErrorLog()
	p := start(t, f.addrs, limits(30*time.Second), log, nil)
	rs, o := records(3000, numbered)
	begin := time.Now()
	p.Produce(context.Background(), rs)
	_ = log.wait(t, "a refused connection", func(err error) bool {
		return strings.Contains(err.Error(), f.addrs[0]) && strings.Contains(err.Error(), "refused")
	})
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the handler was told after %v", took)
	}
	begin = time.Now()
	f.up()
	o.wantAcked(t)
	t.Logf("delivered %v after the broker came up", time.Since(begin).Round(time.Millisecond))
}

func TestRetriesWhatCanBeRetried(t *testing.T) {
	for _, a := range []answer{
		{code: kafka.NotLeaderForPartition}, {code: kafka.NotEnoughReplicas}, {code: kafka.UnknownTopicOrPartition},
		{code: kafka.LeaderNotAvailable}, {code: kafka.BrokerNotAvailable}, {code: kafka.InvalidMessage}, {hangUp: true},
	} {
		t.Run(a.code.Title(), func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 2, 3)
			n := 0
			f.answers(func(*call) answer {
				if n++; n <= 6 {
					return a
				}
				return answer{}
			})
			p := start(t, f.addrs, limits(patience), nil, nil)
			rs, o := records(2000, numbered)
			p.Produce(context.Background(), rs)
			o.wantAcked(t)
			if n <= 6 {
				t.Error("the fault was not met")
			}
			if got := len(f.stored(logs)); got != len(rs) {
				t.Errorf("%d records stored, want %d", got, len(rs))
			}
		})
	}
}

// What may have been stored is not sent over and over: every time is a
// duplicate.
func TestRetriesSlowlyWhatMayBeStored(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1, 1)
	n := 0
	f.answers(func(*call) answer {
		if n++; n <= 2 {
			return answer{code: kafka.NotEnoughReplicasAfterAppend, store: true}
		}
		return answer{}
	})
	p := start(t, f.addrs, limits(patience), nil, nil)
	rs, o := records(10, numbered)
	begin := time.Now()
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	if took := time.Since(begin); took < 1500*time.Millisecond {
		t.Errorf("two retries within %v", took)
	}
	if got := len(f.stored(logs)); got != 30 {
		t.Errorf("%d records stored, want 30", got)
	}
}

// One record that is too large takes none with it, neither of its batch nor of
// those behind.
func TestTooLargeTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	for _, code := range []kafka.Error{kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidTimestamp} {
		tooLarge := code == kafka.MessageSizeTooLarge || code == kafka.RecordListTooLarge
		t.Run(code.Title(), func(t *testing.T) {
			f := newFake(t, 1, 1)
			f.answers(func(c *call) answer {
				if slices.ContainsFunc(c.messages, func(m message) bool { return len(m.value) > 1000 }) {
					return answer{code: code}
				}
				return answer{}
			})
			p := start(t, f.addrs, limits(patience), nil, nil)
			large := map[int]bool{0: true, 313: true, 314: true, 999: true}
			rs, o := records(1000, func(i int) []byte {
				if large[i] {
					return make([]byte, 2000)
				}
				return numbered(i)
			})
			p.Produce(context.Background(), rs)
			o.wait(t, patience)
			for i, err := range o.errs {
				if large[i] != (err != nil) || large[i] && (!errors.Is(err, zapkafka.ErrRejected) || errors.Is(err, zapkafka.ErrTooLarge) != tooLarge || !errors.Is(err, code)) {
					t.Errorf("record %d: %v", i, err)
				}
			}
			stored := f.stored(logs)
			if len(stored) != 996 || !slices.IsSortedFunc(stored, func(a, b message) int { return strings.Compare(string(a.value), string(b.value)) }) {
				t.Errorf("%d records are stored, or not in order", len(stored))
			}
			t.Logf("%d requests", len(f.calls))
		})
	}
}

// Halving ends at the deadline, and a connection lost meanwhile loses nothing.
func TestTooLargeWithTrouble(t *testing.T) {
	f := newFake(t, 1, 1)
	n := 0
	f.answers(func(c *call) answer {
		n++
		switch {
		case n%4 == 3:
			return answer{hangUp: true}
		case slices.ContainsFunc(c.messages, func(m message) bool { return len(m.value) > 1000 }):
			return answer{code: kafka.MessageSizeTooLarge}
		}
		return answer{}
	})
	p := start(t, f.addrs, limits(patience), nil, nil)
	rs, o := records(8, func(i int) []byte { return make([]byte, []int{10, 2000}[i/7]) })
	p.Produce(context.Background(), rs)
	o.wait(t, patience)
	if n, err := o.failed(); n != 1 || !errors.Is(err, zapkafka.ErrRejected) {
		t.Errorf("%d failed: %v", n, err)
	}
	if n := len(f.stored(logs)); n != 7 {
		t.Errorf("%d records stored, want 7", n)
	}
}

func TestRefusals(t *testing.T) {
	for code, rejected := range map[kafka.Error]bool{kafka.InvalidTopic: true, kafka.TopicAuthorizationFailed: false} {
		for _, where := range []string{"produce", "metadata"} {
			t.Run(where+" "+code.Title(), func(t *testing.T) {
				f := newFake(t, 1, 1)
				if where == "metadata" {
					f.set(func() { f.errors[logs] = code })
				}
				f.answers(func(*call) answer { return answer{code: code} })
				p := start(t, f.addrs, limits(patience), nil, nil)
				rs, o := records(10, numbered)
				p.Produce(context.Background(), rs)
				o.wantFailed(t, patience/2, code) // and not at the deadline
				if _, err := o.failed(); errors.Is(err, zapkafka.ErrRejected) != rejected {
					t.Errorf("%v: rejected is to be %v", err, rejected)
				}
			})
		}
	}
}

func TestUnknownTopic(t *testing.T) {
	t.Parallel()
	for _, create := range []bool{false, true} {
		f := newFake(t, 1, 1)
		log := newErrorLog()
		const delivery = 4 * time.Second
		p := start(t, f.addrs, limits(delivery), log, &Config{AllowAutoTopicCreation: create})
		rs, o := records(100, numbered)
		for _, r := range rs {
			r.Topic = "missing"
		}
		begin := time.Now()
		p.Produce(context.Background(), rs)
		_ = log.wait(t, "topic and option", func(err error) bool {
			return strings.Contains(err.Error(), `"missing"`) && strings.Contains(err.Error(), "Config.AllowAutoTopicCreation") &&
				strings.Contains(err.Error(), "auto.create.topics.enable") == create && errors.Is(err, kafka.UnknownTopicOrPartition)
		})
		if took := time.Since(begin); create && took < creationGrace/2 {
			t.Errorf("the handler was told after %v, brokers need longer to make a topic", took)
		}
		if o.pending() != 100 {
			t.Error("records were given up before their deadline")
		}
		reportedWithin(t, o, begin, delivery)
		o.wantFailed(t, 0, context.DeadlineExceeded)
		if n := len(log.all()); n != 1 {
			t.Errorf("%d errors at the handler, want 1: %v", n, log.all())
		}
	}
}

func TestTopicIsMadeLate(t *testing.T) {
	f := newFake(t, 2, 1)
	log := newErrorLog()
	p := start(t, f.addrs, limits(30*time.Second), log, nil)
	rs, o := records(100, numbered)
	for _, r := range rs {
		r.Topic = "late"
	}
	p.Produce(context.Background(), rs)
	_ = log.wait(t, "a missing topic", func(err error) bool { return strings.Contains(err.Error(), `"late"`) })
	f.make("late", 3)
	o.wantAcked(t)
}

func TestTopicIsCreated(t *testing.T) {
	f := newFake(t, 1, 1)
	f.creates = true
	log := newErrorLog()
	p := start(t, f.addrs, limits(30*time.Second), log, &Config{AllowAutoTopicCreation: true})
	rs, o := records(100, numbered)
	for _, r := range rs {
		r.Topic = "made"
	}
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	if errs := log.all(); len(errs) > 0 {
		t.Errorf("errors at the handler: %v", errs)
	}
}

// Only the topics of the records are asked for, and not many times.
func TestAsksForItsTopicsAlone(t *testing.T) {
	f := newFake(t, 1, 1)
	p := start(t, f.addrs, limits(30*time.Second), nil, nil)
	for _, name := range []string{logs, "second"} {
		f.make(name, 1)
		rs, o := records(1, numbered)
		rs[0].Topic = name
		p.Produce(context.Background(), rs)
		o.wantAcked(t)
	}
	f.set(func() {
		if len(f.polled) > 6 {
			t.Errorf("asked %d times", len(f.polled))
		}
		for _, names := range f.polled {
			if len(names) == 0 {
				t.Error("asked for all topics")
			}
		}
	})
}

// The leader moves to another broker, as in a rolling restart.
func TestLeaderMoves(t *testing.T) {
	f := newFake(t, 3, 3)
	p := start(t, f.addrs, limits(30*time.Second), nil, nil)
	rs, o := records(300, numbered)
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	f.set(func() {
		for i := range f.topics[logs] {
			f.topics[logs][i].leader = (i + 1) % 3
		}
	})
	rs, o = records(300, numbered)
	for i, r := range rs {
		r.Key = fmt.Append(nil, i)
	}
	begin := time.Now()
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	t.Logf("delivered %v after the leaders moved", time.Since(begin).Round(time.Millisecond))
}

// Records without a key are not lost to a partition without a leader, those with
// a key wait for it.
func TestLeaderlessPartition(t *testing.T) {
	t.Parallel()
	f := newFake(t, 3, 3)
	const delivery = 3 * time.Second
	p := start(t, f.addrs, limits(delivery), nil, nil)
	rs, o := records(3000, numbered)
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	f.set(func() { f.topics[logs][1].leader = -1 })
	before := f.counts(logs)
	for range 10 {
		rs, o = records(1000, func(int) []byte { return make([]byte, 500) })
		p.Produce(context.Background(), rs)
		o.wantAcked(t)
	}
	if after := f.counts(logs); after[1] != before[1] {
		t.Errorf("stored by partition: %v, then %v", before, after)
	}
	rs, o = records(300, numbered)
	for i, r := range rs {
		r.Key = fmt.Append(nil, i)
	}
	begin := time.Now()
	p.Produce(context.Background(), rs)
	reportedWithin(t, o, begin, delivery)
	n, err := o.failed()
	if n < 50 || n > 150 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d records with a key failed: %v", n, err)
	}
	f.set(func() { f.topics[logs][1].leader = 1 })
	for deadline := time.Now().Add(patience); ; {
		rs, o := records(300, numbered)
		for i, r := range rs {
			r.Key = fmt.Append(nil, i)
		}
		p.Produce(context.Background(), rs)
		o.wait(t, patience)
		if n, err := o.failed(); n == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the leader is back, and records fail: %v", err)
		}
	}
}

// Records without a key that wait behind a broker which does not answer go
// elsewhere, and new ones do not join them.
func TestMutePartitionIsAvoided(t *testing.T) {
	t.Parallel()
	f := newFake(t, 2, 2)
	f.answers(func(c *call) answer { return answer{silent: c.partition == 0} })
	p := start(t, f.addrs, limits(patience), nil, nil)
	rs, o := records(2000, func(int) []byte { return make([]byte, 200) }) // for both
	p.Produce(context.Background(), rs)
	f.await("partition 0 is sent to", func() bool {
		return slices.ContainsFunc(f.calls, func(c call) bool { return c.partition == 0 })
	})
	o.wantAcked(t)
	if got := f.counts(logs); got[0] != 0 || got[1] != 2000 {
		t.Errorf("stored by partition: %v", got)
	}
}

// A topic that was deleted and made anew with fewer partitions: what waits for
// one that is gone goes to those that are left, also with a key.
func TestPartitionsAreGone(t *testing.T) {
	f := newFake(t, 1, 4)
	p := start(t, f.addrs, limits(patience), nil, nil)
	rs, o := records(1000, numbered)
	p.Produce(context.Background(), rs)
	o.wantAcked(t)

	f.set(func() { f.topics[logs] = f.topics[logs][:1] })
	f.answers(func(c *call) answer {
		if c.partition > 0 {
			return answer{code: kafka.UnknownTopicOrPartition}
		}
		return answer{}
	})
	rs, o = records(400, numbered)
	for i, r := range rs {
		r.Key = fmt.Append(nil, "key", i%100)
	}
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
	last := make(map[string]string)
	for _, m := range f.stored(logs) {
		key, value := string(m.key), string(m.value)
		if key != "" && value < last[key] {
			t.Fatalf("key %q: %q is stored behind %q", key, value, last[key])
		}
		last[key] = value
	}
}

// A name that Kafka has for no topic is refused, and does not reach the client,
// which would ask for it together with all other topics from then on.
func TestInvalidTopicNames(t *testing.T) {
	f := newFake(t, 1, 1)
	p := start(t, f.addrs, limits(2*time.Second), nil, nil)
	names := []string{"", ".", "..", "a b", "a/b", "\xff", strings.Repeat("x", 250), strings.Repeat("x", 40_000)}
	rs, o := records(len(names)+1, numbered)
	for i, name := range names {
		rs[i+1].Topic = name
	}
	p.Produce(context.Background(), rs)
	o.wait(t, patience)
	for i, err := range o.errs {
		if rejected := errors.Is(err, zapkafka.ErrRejected); i == 0 && err != nil || i > 0 && !rejected {
			t.Errorf("topic %.20q: %.200v", rs[i].Topic, err)
		}
	}
	rs, o = records(10, numbered)
	p.Produce(context.Background(), rs)
	o.wantAcked(t)
}

// Partitions that are added are used, once the client has heard of them.
func TestPartitionsAreAdded(t *testing.T) {
	f := newFake(t, 1, 1)
	p := start(t, f.addrs, limits(30*time.Second), nil, &Config{Transport: &kafka.Transport{MetadataTTL: 20 * time.Millisecond}})
	f.make(logs, 1)
	for deadline := time.Now().Add(patience); ; {
		rs, o := records(1000, func(int) []byte { return make([]byte, 200) })
		p.Produce(context.Background(), rs)
		o.wantAcked(t)
		f.make(logs, 4)
		if got := f.counts(logs); len(got) == 4 && !slices.Contains(got, 0) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("stored by partition: %v", f.counts(logs))
		}
		p.mu.Lock()
		p.topics[logs].looked = -lookAgain // as if that long ago
		p.mu.Unlock()
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	const password = "correct-horse"
	f := newFake(t, 2, 1)
	f.password = "another"
	log := newErrorLog()
	p := start(t, f.addrs, limits(2*time.Second), log, &Config{Transport: &kafka.Transport{SASL: plain.Mechanism{Username: "app", Password: password}}})
	rs, o := records(10, numbered)
	begin := time.Now()
	p.Produce(context.Background(), rs)
	_ = log.wait(t, "a refused password", func(err error) bool { return errors.Is(err, kafka.SASLAuthenticationFailed) })
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the handler was told after %v", took)
	}
	o.wantFailed(t, patience, context.DeadlineExceeded)
	for _, err := range append(log.all(), o.errs...) {
		if strings.Contains(fmt.Sprintf("%+v", err), password) {
			t.Errorf("the password is in %q", err)
		}
	}
	if n := len(log.all()); n > 2 {
		t.Errorf("%d errors for one cause: %v", n, log.all())
	}
	f.set(func() { f.password = password })
	rs, o = records(10, numbered)
	p.Produce(context.Background(), rs)
	o.wait(t, patience)
}

// A broker that is mute after the first words of SASL: the client sets no
// deadline there, so the connections would be held for ever.
func TestMuteInHandshake(t *testing.T) {
	f := newFake(t, 1, 1)
	f.saslMute = true
	p := start(t, f.addrs, limits(time.Second), nil, &Config{Transport: &kafka.Transport{SASL: plain.Mechanism{Username: "app", Password: "x"}}})
	rs, o := records(10, numbered)
	begin := time.Now()
	p.Produce(context.Background(), rs)
	reportedWithin(t, o, begin, time.Second)
	before := runtime.NumGoroutine()
	ctx, cancel := ctxDone()
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	f.await("all connections are closed", func() bool { return len(f.conns) == 0 })
	t.Logf("%d goroutines before Close", before)
}

// deadlines remembers the last one.
type deadlines struct {
	net.Conn
	last time.Time
}

func (d *deadlines) SetDeadline(t time.Time) error {
	d.last = t
	return nil
}

func TestConnectionsAlwaysHaveADeadline(t *testing.T) {
	d := new(deadlines)
	k := &conn{Conn: d}
	soon := time.Now().Add(time.Second)
	if err := k.SetDeadline(soon); err != nil || !d.last.Equal(soon) {
		t.Errorf("got %v, %v", d.last, err)
	}
	if err := k.SetDeadline(time.Time{}); err != nil || d.last.IsZero() || time.Until(d.last) > quietTimeout {
		t.Errorf("none was asked for: got %v, %v", d.last, err)
	}
}

func TestTLSAgainstPlainBroker(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1, 1)
	log := newErrorLog()
	p := start(t, f.addrs, limits(2*time.Second), log, &Config{Transport: &kafka.Transport{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}})
	rs, o := records(10, numbered)
	p.Produce(context.Background(), rs)
	if err := log.wait(t, "a failed TLS handshake", func(error) bool { return true }); !strings.Contains(err.Error(), "is this a listener without TLS") {
		t.Errorf("reported %v", err)
	}
	o.wantFailed(t, patience, nil)
	if errs := log.all(); len(errs) > 3 {
		t.Errorf("%d errors for one cause: %v", len(errs), errs)
	}
	t.Log(log.all())
}

// A broker that is down has nothing to do with a topic.
func TestBrokerDownIsNamed(t *testing.T) {
	log := newErrorLog()
	p := start(t, []string{"127.0.0.1:1"}, limits(time.Second), log, nil)
	rs, o := records(1, numbered)
	p.Produce(context.Background(), rs)
	err := log.wait(t, "a refused connection", func(error) bool { return true })
	if want := `kafkago: Kafka cannot be reached (topic "logs"): dial tcp 127.0.0.1:1: `; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
	o.wantFailed(t, patience, nil)
}

func TestReportsFew(t *testing.T) {
	var got []error
	l := newReporter(func(err error) { got = append(got, err) }, time.Second, time.Second, false)
	refused := func(port int) error {
		return &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: port}, Addr: &net.TCPAddr{Port: 9092}, Err: io.EOF}
	}
	for i := range 1000 {
		l.partition("logs", i%12, refused(i))
	}
	if len(got) != 1 || !strings.Contains(got[0].Error(), "does it want TLS") {
		t.Errorf("%d errors: %v", len(got), got)
	}
	l.stop()
	l.partition("logs", 1, kafka.NotLeaderForPartition)
	if len(got) != 1 {
		t.Errorf("reported after stop: %v", got)
	}
}

// lateReader is a client that answers in time and reads what it was given later,
// as kafka-go does when a call times out before its connection has encoded it.
type lateReader struct {
	kafka.RoundTripper
	mu   sync.Mutex
	late bool
	kept []kafka.RecordReader
}

func (l *lateReader) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	l.mu.Lock()
	r, ok := req.(*produce.Request)
	late := ok && l.late
	if late {
		l.kept = append(l.kept, r.Topics[0].Partitions[0].RecordSet.Records)
	}
	l.mu.Unlock()
	if late {
		return nil, context.DeadlineExceeded
	}
	return l.RoundTripper.RoundTrip(ctx, addr, req)
}

// The memory of a record that was given up is not read: the outcomes scribble
// over it. Nor is that of the copy used again, before and after.
func TestMemoryIsNotReadAfterDone(t *testing.T) {
	f := newFake(t, 1, 2)
	p := start(t, f.addrs, limits(500*time.Millisecond), nil, nil)
	l := &lateReader{RoundTripper: p.client.Transport}
	p.client.Transport = l
	for range 5 {
		for _, late := range []bool{true, false} {
			l.mu.Lock()
			l.late = late
			l.mu.Unlock()
			rs, o := records(100, func(i int) []byte { return fmt.Appendf(nil, "entry of %v %010d", late, i) })
			for i, r := range rs {
				r.Key = numbered(i)
			}
			p.Produce(context.Background(), rs)
			o.wait(t, patience)
			if n, err := o.failed(); late && n != len(rs) || !late && n != 0 {
				t.Fatalf("late %v: %d failed: %v", late, n, err)
			}
		}
	}
	n := 0
	for _, r := range l.kept {
		for {
			rec, err := r.ReadRecord()
			if err != nil {
				break
			}
			key, _ := kafka.ReadAll(rec.Key)
			value, _ := kafka.ReadAll(rec.Value)
			if !strings.HasPrefix(string(key), "entry ") || !strings.HasPrefix(string(value), "entry of true ") {
				t.Fatalf("read %q: %q", key, value)
			}
			n++
		}
	}
	if n < 500 {
		t.Errorf("%d records were given to the client, want at least 500", n)
	}
}

// A client that had trouble and has nothing more to send asks for nothing.
func TestIdleClientIsQuiet(t *testing.T) {
	f := newFake(t, 1, 1)
	c := newCluster(context.Background(), settings(new(kafka.Transport)))
	defer c.close()
	c.add(logs)
	c.trouble()
	if tr := c.transport(); tr.MetadataTTL != alertTTL {
		t.Errorf("in trouble MetadataTTL is %v", tr.MetadataTTL)
	}
	c.mu.Lock()
	c.troubled = time.Now().Add(-calmAfter)
	c.calm.Reset(0)
	c.mu.Unlock()
	f.await("the transport is replaced", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.current.MetadataTTL > alertTTL
	})
}
