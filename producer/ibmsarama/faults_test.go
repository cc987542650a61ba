package ibmsarama

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	p := start(t, []string{fmt.Sprintf("127.0.0.1:%d", port)}, limits(30*time.Second), log, nil)
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
	reconnects(t)
	t.Parallel()
	for _, delivery := range []time.Duration{100 * time.Millisecond, 3 * time.Second} {
		p := start(t, []string{muteBroker(t)}, limits(delivery), nil, nil)
		rs, o := records(30000, numbered)
		begin := time.Now()
		p.Produce(t.Context(), rs)
		reportedWithin(t, o, begin, delivery)
		o.wantFailed(t, 0, context.DeadlineExceeded)
	}
}

func TestReportsWithBrokerFrozen(t *testing.T) {
	reconnects(t)
	t.Parallel()
	for _, brokers := range []int{1, 3} {
		c := newCluster(t, kfake.NumBrokers(brokers), kfake.SeedTopics(12, topic))
		n := newNetwork(t)
		const delivery = 3 * time.Second
		p := start(t, c.ListenAddrs(), limits(delivery), nil, n.through(NewConfig()))
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

// A broker that is frozen holds up the others once, while it is waited for:
// records without a key are delivered, and nothing more is asked of it for longer
// than a partition is shunned.
func TestOneFrozenBroker(t *testing.T) {
	reconnects(t)
	t.Parallel()
	c := newCluster(t, kfake.NumBrokers(3), kfake.SeedTopics(6, topic))
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(patience), nil, n.through(with(func(c *sarama.Config) {
		c.Net.ReadTimeout, c.Metadata.Timeout = 3*time.Second, 3*time.Second
	})))
	produce := func() *outcomes {
		rs, o := records(20, func(int) []byte { return make([]byte, 2000) })
		p.Produce(t.Context(), rs)
		return o
	}
	produce().wantAcked(t)
	frozen := c.ListenAddrs()[c.LeaderFor(topic, 0)]
	n.freezeOnly(frozen)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var all []*outcomes
	for noticed := false; !noticed; <-tick.C {
		all = append(all, produce())
		noticed = p.shunned.refused(frozen) != nil
		if len(all) > 1500 {
			t.Fatal("the broker is frozen, and it was not noticed")
		}
	}
	for _, o := range all { // those that the broker held up are led elsewhere
		o.wantAcked(t)
	}
	before := n.dialsOf(frozen)
	begin := time.Now()
	for time.Since(begin) < shunFor+time.Second {
		<-tick.C
		produce().wantAcked(t)
	}
	if again := n.dialsOf(frozen) - before; again > 0 {
		t.Errorf("%d connections to the frozen broker were asked for by records that can go elsewhere", again)
	}
}

func TestReportsWithBrokerMuteOnProduce(t *testing.T) {
	reconnects(t)
	t.Parallel()
	c := newCluster(t)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, true
	})
	const delivery = 2 * time.Second
	// With time-outs and pauses that would keep records for minutes.
	p := start(t, c.ListenAddrs(), limits(delivery), nil, with(func(c *sarama.Config) {
		c.Net.ReadTimeout, c.Producer.Timeout = time.Minute, time.Minute
		c.Producer.Retry.Backoff = 100 * time.Millisecond
	}))
	rs, o := records(5000, numbered)
	begin := time.Now()
	p.Produce(t.Context(), rs)
	o.wait(t, delivery+grace+5*time.Second) // sooner than everything but cutting would do it
	reportedWithin(t, o, begin, delivery)
	o.wantFailed(t, 0, context.DeadlineExceeded)
}

// A frozen broker that goes on in time: nothing fails. What it had read before
// may be stored twice: sarama is not idempotent without retries of its own.
func TestBrokerFreezesAndGoesOn(t *testing.T) {
	reconnects(t)
	t.Parallel()
	c := newCluster(t)
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.through(NewConfig()))
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
	wantAllStored(t, c, len(rs)+len(warm))
}

// wantAllStored checks that n numbered entries are in the topic, and returns how
// many are there more than once.
func wantAllStored(t *testing.T, c *kfake.Cluster, n int) (twice int) {
	t.Helper()
	seen := make(map[string]bool)
	for _, r := range storedAll(t, c) {
		if seen[string(r.Value)] {
			twice++
		}
		seen[string(r.Value)] = true
	}
	for i := range n {
		if !seen[string(numbered(i))] {
			t.Fatalf("entry %d is acknowledged and not stored", i)
		}
	}
	t.Logf("%d entries stored, %d copies more", len(seen), twice)
	return twice
}

func TestConnectionClosedInRequest(t *testing.T) {
	reconnects(t)
	t.Parallel()
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
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
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
	reconnects(t)
	t.Parallel()
	c := newCluster(t)
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.through(NewConfig()))
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

// What is acknowledged is stored, though connections are cut all the time and
// records run into their deadline.
func TestAcknowledgedIsStored(t *testing.T) {
	reconnects(t)
	t.Parallel()
	for name, delivery := range map[string]time.Duration{"in time": 30 * time.Second, "with deadlines": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, kfake.NumBrokers(3))
			n := newNetwork(t)
			p := start(t, c.ListenAddrs(), limits(delivery), nil, n.through(NewConfig()))
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
			if missing != 0 {
				t.Errorf("%d acknowledged records are not stored", missing)
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
			p := start(t, c.ListenAddrs(), limits(patience), nil, nil)
			rs, o := records(2000, numbered)
			p.Produce(t.Context(), rs)
			o.wantAcked(t)
			if fault.Hits() == 0 {
				t.Error("the fault was never met")
			}
			appended := err == kerr.RequestTimedOut || err == kerr.NotEnoughReplicasAfterAppend
			if twice := wantAllStored(t, c, len(rs)); twice > 0 && !appended {
				t.Errorf("%d records stored twice, though the broker had said that it stored nothing", twice)
			}
		})
	}
}

func TestErrorThatLastsEndsAtDeadline(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	const delivery = time.Second
	p := start(t, c.ListenAddrs(), limits(delivery), nil, nil)
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
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, nil)
	rs, o := records(1, numbered)
	p.Produce(t.Context(), rs)
	o.wantFailed(t, patience, sarama.ErrMessageSizeTooLarge)
	o.wantFailed(t, 0, zapkafka.ErrTooLarge)

	// The client's own check: above every limit that was announced.
	rs, o = records(1, func(int) []byte { return make([]byte, 2_000_000) })
	p.Produce(t.Context(), rs)
	o.wantFailed(t, patience, sarama.ErrMessageSizeTooLarge)
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
	p := start(t, c.ListenAddrs(), limits(delivery), log, nil)
	rs, o := records(100, numbered)
	for _, r := range rs {
		r.Topic = "missing"
	}
	begin := time.Now()
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "topic and option", func(err error) bool {
		return strings.Contains(err.Error(), `"missing"`) && strings.Contains(err.Error(), "AllowAutoTopicCreation") &&
			errors.Is(err, sarama.ErrUnknownTopicOrPartition)
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
	p := start(t, c.ListenAddrs(), limits(30*time.Second), log, nil)
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
	p := start(t, c.ListenAddrs(), limits(30*time.Second), log, with(func(c *sarama.Config) { c.Metadata.AllowAutoTopicCreation = true }))
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
	p := start(t, c.ListenAddrs(), limits(30*time.Second), log, with(func(c *sarama.Config) { c.Metadata.AllowAutoTopicCreation = true }))
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
	p := start(t, c.ListenAddrs(), limits(5*time.Second), nil, nil)
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
	reconnects(t)
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
			p := start(t, c.ListenAddrs(), limits(2*time.Second), log, with(func(c *sarama.Config) {
				c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, "app", password
			}))
			rs, o := records(10, numbered)
			begin := time.Now()
			p.Produce(t.Context(), rs)
			_ = log.wait(t, "a refused password", func(err error) bool {
				if answers {
					return errors.Is(err, sarama.ErrSASLAuthenticationFailed)
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

func TestTLSAgainstPlainBroker(t *testing.T) {
	reconnects(t)
	t.Parallel()
	c := newCluster(t)
	log := newErrorLog()
	p := start(t, c.ListenAddrs(), limits(2*time.Second), log, with(func(c *sarama.Config) {
		c.Net.TLS.Enable, c.Net.TLS.Config = true, &tls.Config{MinVersion: tls.VersionTLS12}
	}))
	rs, o := records(10, numbered)
	p.Produce(t.Context(), rs)
	_ = log.wait(t, "a failed connection", func(err error) bool { return strings.Contains(err.Error(), "TLS") })
	o.wantFailed(t, patience, nil)
	if errs := log.all(); len(errs) > 5 {
		t.Errorf("%d errors for one cause: %v", len(errs), errs)
	}
}

// One partition that does not work does not hold up the others: records without
// a key go elsewhere, those of other keys are not touched.
func TestOneSickPartition(t *testing.T) {
	t.Parallel()
	const partitions, sick = 12, 3
	c := newCluster(t, kfake.NumBrokers(3), kfake.SeedTopics(partitions, topic))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{sick}, Err: kerr.NotLeaderForPartition, Count: -1})
	p := start(t, c.ListenAddrs(), limits(patience), nil, nil)
	rs, o := records(20000, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)

	hash := sarama.NewHashPartitioner(topic)
	rs, o = records(2000, numbered)
	var bad []*zapkafka.Record
	good := rs[:0]
	for i, r := range rs {
		r.Key = fmt.Append(nil, "key", i)
		if n, _ := hash.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(r.Key)}, partitions); n == sick {
			bad = append(bad, r)
		} else {
			good = append(good, r)
		}
	}
	p.Produce(t.Context(), bad)
	p.Produce(t.Context(), good)
	for deadline := time.Now().Add(patience); o.pending() > len(bad); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d records pending, of which %d are for the sick partition", o.pending(), len(bad))
		}
	}
}

// TLS lies on top of the connections that are cut.
func TestTLS(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate
	defer certified.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	c := newCluster(t, kfake.TLS(&tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}))
	n := newNetwork(t)
	p := start(t, c.ListenAddrs(), limits(30*time.Second), nil, n.through(with(func(c *sarama.Config) {
		c.Net.TLS.Enable, c.Net.TLS.Config = true, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	})))
	rs, o := records(1000, numbered)
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	n.freeze()
	rs, o = records(many(), numbered)
	p.Produce(t.Context(), rs)
	closeWithin(t, p, o, 200*time.Millisecond)
	o.wantFailed(t, 0, sarama.ErrClosedClient)
}

// header is an interceptor as tracing libraries have them.
type header struct{}

func (header) OnSend(m *sarama.ProducerMessage) {
	m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte("traceparent"), Value: []byte("00")})
	m.Metadata = "replaced"
}

func TestInterceptors(t *testing.T) {
	c := newCluster(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 3})
	p := start(t, c.ListenAddrs(), limits(patience), nil, with(func(c *sarama.Config) {
		c.Producer.Interceptors = []sarama.ProducerInterceptor{header{}}
	}))
	rs, o := records(1000, numbered)
	for i, r := range rs {
		r.Headers = []zapkafka.Header{{Key: "own", Value: numbered(i)}}
	}
	p.Produce(t.Context(), rs)
	o.wantAcked(t)
	for _, r := range stored(t, c, len(rs)) {
		if len(r.Headers) != 2 || !bytes.Equal(r.Headers[0].Value, r.Value) || r.Headers[1].Key != "traceparent" {
			t.Fatalf("record %q has headers %v", r.Value, r.Headers)
		}
	}
}
