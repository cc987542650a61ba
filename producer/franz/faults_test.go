package franz

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/zapkafka/zapkafka"
)

// reserve returns a port of loopback on which nobody listens.
func reserve(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestBrokerComesUpLater(t *testing.T) {
	port := reserve(t)
	log := newErrorLog()
	p := start(t, []string{fmt.Sprintf("127.0.0.1:%d", port)}, limits(30*time.Second), log)
	rs, o := records(3000, numbered)
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "a refused connection", func(err error) bool {
		return strings.Contains(err.Error(), fmt.Sprint(port)) && strings.Contains(err.Error(), "refused")
	})
	begin := time.Now()
	c := newCluster(t, kfake.Ports(port))
	o.wantAcked(t)
	t.Logf("delivered %v after the broker came up", time.Since(begin).Round(time.Millisecond))
	stored(t, c, len(rs))
}

// reportedWithin waits for the outcomes, for which the contract allows the
// deadline and 10 s.
func reportedWithin(t *testing.T, o *outcomes, begin time.Time, delivery time.Duration) {
	t.Helper()
	o.wait(t, delivery+10*time.Second)
	o.mu.Lock()
	defer o.mu.Unlock()
	t.Logf("deadline %v: the last record was reported %v after it", delivery, o.last.Sub(begin.Add(delivery)).Round(time.Millisecond))
}

func TestReportsWithBrokerMuteFromTheStart(t *testing.T) {
	t.Parallel()
	for _, delivery := range []time.Duration{100 * time.Millisecond, 3 * time.Second} {
		p := start(t, []string{muteBroker(t)}, limits(delivery), nil)
		rs, o := records(30000, numbered)
		begin := time.Now()
		p.Produce(t.Context(), rs)
		reportedWithin(t, o, begin, delivery)
		o.wantFailed(t, 0, context.DeadlineExceeded)
	}
}

func TestReportsWithBrokerFrozen(t *testing.T) {
	t.Parallel()
	for _, brokers := range []int{1, 3} {
		c := newCluster(t, kfake.NumBrokers(brokers), kfake.SeedTopics(12, topic))
		n := newNetwork(t)
		const delivery = 3 * time.Second
		p := start(t, c.ListenAddrs(), limits(delivery), nil, n.dialer())
		warmUp(t, p)
		n.freeze()
		// Calls go on coming while the broker is frozen, each with a deadline
		// of its own.
		var all []*outcomes
		var begins []time.Time
		tick := time.NewTicker(250 * time.Millisecond)
		for range 20 {
			rs, o := records(2000, func(int) []byte { return make([]byte, 500) })
			all, begins = append(all, o), append(begins, time.Now())
			p.Produce(t.Context(), rs)
			<-tick.C
		}
		tick.Stop()
		for i, o := range all {
			reportedWithin(t, o, begins[i], delivery)
		}
	}
}

func TestReportsWithBrokerMuteOnProduce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, true
	})
	const delivery = 2 * time.Second
	p := start(t, c.ListenAddrs(), limits(delivery), nil)
	rs, o := records(5000, numbered)
	begin := time.Now()
	p.Produce(t.Context(), rs)
	reportedWithin(t, o, begin, delivery)
	o.wantFailed(t, 0, context.DeadlineExceeded)
}

// A frozen broker that goes on in time: nothing fails and nothing is stored
// twice.
func TestBrokerFreezesAndGoesOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.dialer())
	warm, o := records(100, numbered)
	p.Produce(t.Context(), warm)
	o.wantAcked(t)
	n.freeze()
	rs, o := records(20000, func(i int) []byte { return numbered(i + 100) })
	p.Produce(t.Context(), rs)
	n.awaitDials(1) // the request has timed out
	n.thaw()
	begin := time.Now()
	o.wantAcked(t)
	t.Logf("delivered %v after the broker went on", time.Since(begin).Round(time.Millisecond))
	seen := make(map[string]bool)
	for _, r := range stored(t, c, len(rs)+len(warm)) {
		if seen[string(r.Value)] {
			t.Fatalf("%q is stored twice", r.Value)
		}
		seen[string(r.Value)] = true
	}
}

func TestConnectionClosedInRequest(t *testing.T) {
	c := newCluster(t)
	var cuts atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if cuts.Load() == 3 {
			return nil, nil, false
		}
		cuts.Add(1)
		c.KeepControl()
		return nil, errors.New("cut"), true
	})
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil)
	rs, o := records(3000, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	if cuts.Load() != 3 {
		t.Errorf("%d connections were cut, want 3", cuts.Load())
	}
	stored(t, c, len(rs))
}

// A proxy in front of a broker that restarts takes connections and hangs up. To
// the client this looks like a misconfiguration.
func TestProxyHangsUp(t *testing.T) {
	c := newCluster(t)
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.dialer())
	rs, o := records(100, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	n.hangingUp(true)
	rs, o = records(100, numbered)
	p.Produce(t.Context(), rs)
	n.awaitDials(20)
	if o.pending() != 100 {
		_, err := o.failed()
		t.Fatalf("%d of 100 records have failed long before their deadline: %v", 100-o.pending(), err)
	}
	n.hangingUp(false)
	o.wantAcked(t)
}

// What is acknowledged is stored, and once, though connections are cut all the
// time and records run into their deadline.
func TestAcknowledgedIsStored(t *testing.T) {
	for name, delivery := range map[string]time.Duration{"in time": 30 * time.Second, "with deadlines": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, kfake.NumBrokers(3))
			n := newNetwork(t)
			p := start(t, c.ListenAddrs(), limits(delivery), nil, n.dialer())
			const calls, size = 150, 200
			var all []*outcomes
			for i := range calls {
				rs, o := records(size, func(k int) []byte { return numbered(i*size + k) })
				all = append(all, o)
				p.Produce(t.Context(), rs)
				switch i % 6 {
				case 2:
					n.freeze()
					<-time.After(15 * time.Millisecond)
					n.cut()
					n.thaw()
				case 4:
					n.cut()
					<-time.After(5 * time.Millisecond)
				}
			}
			acked := make(map[string]bool)
			for i, o := range all {
				o.wait(t, patience)
				for k, err := range o.errs {
					if err == nil {
						acked[string(numbered(i*size+k))] = true
					}
				}
			}
			if name == "in time" && len(acked) != calls*size {
				t.Errorf("%d of %d records acknowledged", len(acked), calls*size)
			}
			twice := 0
			seen := make(map[string]bool)
			missing := len(acked)
			for _, r := range storedAll(t, c) {
				v := string(r.Value)
				if seen[v] {
					twice++
				} else if acked[v] {
					missing--
				}
				seen[v] = true
			}
			t.Logf("%d records, %d acknowledged, %d stored, %d twice, %d connections", calls*size, len(acked), len(seen), twice, n.dials.Load())
			if missing != 0 || twice != 0 {
				t.Errorf("%d acknowledged records are not stored, %d are stored twice", missing, twice)
			}
		})
	}
}

// storedAll reads the topic up to its present end.
func storedAll(t *testing.T, c *kfake.Cluster) []*kgo.Record {
	t.Helper()
	total := int64(0)
	for p := range int32(3) {
		total += c.PartitionInfo(topic, p).HighWatermark
	}
	return stored(t, c, int(total))
}

func TestRetriesWhatCanBeRetried(t *testing.T) {
	for _, err := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotEnoughReplicas,
		kerr.UnknownTopicOrPartition, kerr.LeaderNotAvailable,
	} {
		t.Run(err.Message, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: 6})
			p := start(t, c.ListenAddrs(), limits(patience), nil)
			rs, o := records(2000, numbered)
			p.Produce(t.Context(), rs)
			o.wantAcked(t)
			if fault.Hits() == 0 {
				t.Error("the fault was never met")
			}
			if got := len(storedAll(t, c)); got != len(rs) {
				t.Errorf("%d records stored, want %d: after-append errors must not store twice", got, len(rs))
			}
		})
	}
}

func TestErrorThatLastsEndsAtDeadline(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	const delivery = time.Second
	p := start(t, c.ListenAddrs(), limits(delivery), nil)
	rs, o := records(2000, numbered)
	begin := time.Now()
	p.Produce(t.Context(), rs)
	reportedWithin(t, o, begin, delivery)
	o.wantFailed(t, 0, nil)
	for _, err := range o.errs {
		if errors.Is(err, zapkafka.ErrRejected) {
			t.Fatalf("%v: no broker has rejected it for good", err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	c := newCluster(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge})
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil)
	rs, o := records(1, numbered)
	p.Produce(t.Context(), rs)
	o.wantFailed(t, patience, kerr.MessageTooLarge)
	o.wantFailed(t, 0, zapkafka.ErrTooLarge)

	// The client's own check: above every limit that was announced.
	rs, o = records(1, func(int) []byte { return make([]byte, 2_000_000) })
	p.Produce(t.Context(), rs)
	o.wantFailed(t, patience, kerr.MessageTooLarge)
	o.wantFailed(t, 0, zapkafka.ErrTooLarge)

	// The largest value that was announced is none too many.
	rs, o = records(2, func(int) []byte { return make([]byte, 900_000) })
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
}

func TestUnknownTopic(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	log := newErrorLog()
	const delivery = 4 * time.Second
	p := start(t, c.ListenAddrs(), limits(delivery), log)
	rs, o := records(100, numbered)
	for _, r := range rs {
		r.Topic = "missing"
	}
	begin := time.Now()
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "topic and option", func(err error) bool {
		return strings.Contains(err.Error(), `"missing"`) && strings.Contains(err.Error(), "AllowAutoTopicCreation") &&
			errors.Is(err, kerr.UnknownTopicOrPartition)
	})
	if o.pending() != 100 {
		t.Error("records were given up before their deadline")
	}
	reportedWithin(t, o, begin, delivery)
	o.wantFailed(t, 0, context.DeadlineExceeded) // and not sooner, for the topic may come
	if n := len(log.all()); n != 1 {
		t.Errorf("%d errors at the handler, want 1: %v", n, log.all())
	}
}

func TestTopicIsMadeLate(t *testing.T) {
	c := newCluster(t)
	log := newErrorLog()
	p := start(t, c.ListenAddrs(), limits(30*time.Second), log)
	rs, o := records(100, numbered)
	for _, r := range rs {
		r.Topic = "late"
	}
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "a missing topic", func(err error) bool { return strings.Contains(err.Error(), `"late"`) })
	createTopic(t, c, "late")
	o.wantAcked(t)
}

func TestClientCreatesTopic(t *testing.T) {
	c := newCluster(t, kfake.AllowAutoTopicCreation())
	// Brokers go on saying "unknown" for a moment: that is no news.
	slow := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "made", Err: kerr.UnknownTopicOrPartition, Count: 3})
	log := newErrorLog()
	p := start(t, c.ListenAddrs(), limits(30*time.Second), log, kgo.AllowAutoTopicCreation())
	rs, o := records(100, numbered)
	for _, r := range rs {
		r.Topic = "made"
	}
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	if slow.Hits() != 3 {
		t.Errorf("the topic was asked for %d times before it was there, want 3", slow.Hits())
	}
	if errs := log.all(); len(errs) > 0 {
		t.Errorf("errors at the handler: %v", errs)
	}
}

// When it stays away all the same, the handler hears what the option needs.
func TestClientMayNotCreateTopic(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	log := newErrorLog()
	p := start(t, c.ListenAddrs(), limits(30*time.Second), log, kgo.AllowAutoTopicCreation())
	rs, _ := records(1, numbered)
	rs[0].Topic = "missing"
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "the broker's setting", func(err error) bool { return strings.Contains(err.Error(), "auto.create.topics.enable") })
}

func createTopic(t *testing.T, c *kfake.Cluster, name string) { admin(t, c, name, false) }
func deleteTopic(t *testing.T, c *kfake.Cluster, name string) { admin(t, c, name, true) }

func admin(t *testing.T, c *kfake.Cluster, name string, remove bool) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var code int16
	if remove {
		req := kmsg.NewPtrDeleteTopicsRequest()
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.Topic = kmsg.StringPtr(name)
		req.Topics, req.TopicNames = append(req.Topics, rt), []string{name}
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		code = resp.Topics[0].ErrorCode
	} else {
		req := kmsg.NewPtrCreateTopicsRequest()
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, 3, 1
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		code = resp.Topics[0].ErrorCode
	}
	if err := kerr.ErrorForCode(code); err != nil {
		t.Fatal(err)
	}
}

// The client by itself would fail every record for the topic for ever.
func TestTopicDeletedAndMadeAnew(t *testing.T) {
	c := newCluster(t)
	p := start(t, c.ListenAddrs(), limits(5*time.Second), nil)
	rs, o := records(100, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	deleteTopic(t, c, topic)
	createTopic(t, c, topic)
	for deadline := time.Now().Add(patience); ; {
		rs, o := records(10, numbered)
		p.Produce(t.Context(), rs)
		o.wait(t, patience)
		n, err := o.failed()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no record gets into the new topic: %v", err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestWrongPassword(t *testing.T) {
	const password = "correct-horse"
	for name, answers := range map[string]bool{"broker answers": true, "broker hangs up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "app", "other"))
			c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
				c.KeepControl()
				resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
				resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
				return resp, nil, answers
			})
			log := newErrorLog()
			p := start(t, c.ListenAddrs(), limits(2*time.Second), log, kgo.SASL(plain.Auth{User: "app", Pass: password}.AsMechanism()))
			rs, o := records(10, numbered)
			begin := time.Now()
			p.Produce(t.Context(), rs)
			_ = log.wait(t, "a refused password", func(err error) bool {
				if answers {
					return errors.Is(err, kerr.SaslAuthenticationFailed)
				}
				return strings.Contains(err.Error(), "credentials")
			})
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("the handler was told after %v", took)
			}
			o.wantFailed(t, patience, nil)
			errs := log.all()
			for _, err := range errs {
				if strings.Contains(fmt.Sprintf("%+v", err), password) {
					t.Errorf("the password is in %q", err)
				}
			}
			if len(errs) > 3 {
				t.Errorf("%d errors for one cause: %v", len(errs), errs)
			}
		})
	}
}

// A broker whose listener is without TLS ends the connection at the greeting.
func TestHangUpIsExplained(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				_ = c.(*net.TCPConn).CloseWrite() // an end, not a reset
				_, _ = io.Copy(io.Discard, c)
				c.Close()
			})
		}
	})
	defer group.Wait()
	defer l.Close()
	t.Run("TLS", func(t *testing.T) {
		log := newErrorLog()
		p := start(t, []string{l.Addr().String()}, limits(time.Second), log, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
		rs, o := records(1, numbered)
		p.Produce(t.Context(), rs)
		_ = log.wait(t, "a question for TLS", func(err error) bool { return strings.Contains(err.Error(), "is this a listener without TLS") })
		o.wantFailed(t, patience, nil)
	})
	t.Run("plain", func(t *testing.T) {
		log := newErrorLog()
		p := start(t, []string{l.Addr().String()}, limits(time.Second), log)
		rs, o := records(1, numbered)
		p.Produce(t.Context(), rs)
		_ = log.wait(t, "a question for TLS", func(err error) bool { return strings.Contains(err.Error(), "does it want TLS") })
		o.wantFailed(t, patience, nil)
	})
}

func TestTLSAgainstPlainBroker(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	log := newErrorLog()
	p := start(t, c.ListenAddrs(), limits(2*time.Second), log, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	rs, o := records(10, numbered)
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "a failed TLS handshake", func(err error) bool { return strings.Contains(err.Error(), "unable to open connection") })
	o.wantFailed(t, patience, nil)
	if errs := log.all(); len(errs) > 5 {
		t.Errorf("%d errors for one cause: %v", len(errs), errs)
	}
}

type hook func(*kgo.Record)

func (h hook) OnProduceRecordBuffered(r *kgo.Record) { h(r) }

// Tracing libraries wrap a record's context, and a careless hook may replace or
// overwrite what it likes.
func TestHooks(t *testing.T) {
	t.Parallel()
	type key struct{}
	for name, h := range map[string]hook{
		"wraps the context": func(r *kgo.Record) { r.Context = context.WithValue(r.Context, key{}, 1) },
		"drops the context": func(r *kgo.Record) { r.Context = context.Background() },
		"adds a header":     func(r *kgo.Record) { r.Headers = append(r.Headers, kgo.RecordHeader{Key: "traceparent"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			p := start(t, c.ListenAddrs(), limits(4*time.Second), nil, kgo.WithHooks(h))
			rs, o := records(500, numbered)
			for i, r := range rs {
				r.Headers = []zapkafka.Header{{Key: "own", Value: numbered(i)}}
			}
			p.Produce(t.Context(), rs)
			o.wantAcked(t)
			for _, r := range stored(t, c, len(rs)) {
				if len(r.Headers) == 0 || !bytes.Equal(r.Headers[0].Value, r.Value) {
					t.Fatalf("record %q has headers %v", r.Value, r.Headers)
				}
			}

			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
			rs, o = records(500, numbered)
			p.Produce(t.Context(), rs)
			o.wantFailed(t, patience, nil)
		})
	}
}
