package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/examples/client"
)

func TestMain(m *testing.M) {
	// sarama counts with this package, which starts one goroutine for the whole
	// process with its first meter, and has no way to end it.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// short is the demo in little time.
func short(t *testing.T) (settings, *output) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // its name on Windows
	out := &output{}
	return settings{out: out, entries: 400, pace: 2 * time.Second, outage: time.Second / 2}, out
}

func TestDemo(t *testing.T) {
	s, out := short(t)
	well, err := run(t.Context(), s)
	if err != nil || !well {
		t.Fatalf("run: %v, %v\n%s", well, err, out)
	}
	const want = `^accepted=4000 acked=\d+ fallback=\d+ shed=0 lost=0 missing=0 duplicate=0$`
	if last := out.last(0); !regexp.MustCompile(want).MatchString(last) {
		t.Errorf("last line is %q", last)
	}
	if line := out.last(1); !strings.HasPrefix(line, "ids found: ") {
		t.Errorf("the line before the last is %q", line)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// The same with each of the other clients. Not all of them are idempotent: an
// outage may leave an entry in the topic twice.
func TestDemoWithOtherClients(t *testing.T) {
	for _, name := range client.Names() {
		if name == client.Default {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if _, err := client.New(name, []string{"localhost:9092"}); err != nil {
				t.Skip(err)
			}
			s, out := short(t)
			s.client = name
			well, err := run(t.Context(), s)
			if err != nil || !well {
				t.Fatalf("run: %v, %v\n%s", well, err, out)
			}
			const want = `^accepted=4000 acked=\d+ fallback=\d+ shed=0 lost=0 missing=0 duplicate=\d+$`
			if last := out.last(0); !regexp.MustCompile(want).MatchString(last) {
				t.Errorf("last line is %q", last)
			}
		})
	}
}

// A record that is taken out of the topic before it is checked must be found
// missing, and what can be looked at must stay.
func TestDemoFindsLoss(t *testing.T) {
	s, out := short(t)
	d, err := prepare(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.end(false); err != nil {
			t.Error(err)
		}
	}()
	if err := d.log(t.Context()); err != nil {
		t.Fatal(err)
	}
	deleteFirst(t, d)
	b := d.verify()
	if b.well() || b.missing != 1 || b.Lost.Total() != 0 {
		t.Errorf("one record was deleted, and the balance is %v %q\n%s", b, b.problems, out)
	}
	if all := strings.Join(b.problems, "\n"); !strings.Contains(all, "1 ids are nowhere") {
		t.Errorf("the problems are\n%s", all)
	}
}

// deleteFirst deletes the first record of a partition that has one.
func deleteFirst(t *testing.T, d *demo) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	left, err := unread(t.Context(), cl, d.topic)
	if err != nil {
		t.Fatal(err)
	}
	for p := range left {
		rp := kmsg.NewDeleteRecordsRequestTopicPartition()
		rp.Partition, rp.Offset = p, 1
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic, rt.Partitions = d.topic, append(rt.Partitions, rp)
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.Topics, req.TimeoutMillis = append(req.Topics, rt), 5000
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("delete records: %v, %+v", err, resp)
		}
		return
	}
	t.Fatal("the topic is empty")
}

// An interrupt in the outage: what Kafka did not get is on file.
func TestDemoInterrupted(t *testing.T) {
	s, out := short(t)
	s.inPlace = true // progress comes often
	s.outage = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out.on("DOWN", cancel)
	well, err := run(ctx, s)
	if err != nil || !well {
		t.Fatalf("run: %v, %v\n%s", well, err, out)
	}
	if last := out.last(0); !strings.Contains(last, " lost=0 missing=0 ") || strings.Contains(last, "accepted=4000 ") || strings.Contains(last, " fallback=0 ") {
		t.Errorf("interrupted in the outage, and the last line is %q", last)
	}
}

func TestDemoWithKafkaOfOnesOwn(t *testing.T) {
	kafka, err := startBroker()
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.close()
	s, out := short(t)
	s.kafka, s.pace = " "+kafka.addrs()[0]+" ,", time.Second
	well, err := run(t.Context(), s)
	if err != nil || !well {
		t.Fatalf("run: %v, %v\n%s", well, err, out)
	}
	if last := out.last(0); last != "accepted=4000 acked=4000 fallback=0 shed=0 lost=0 missing=0 duplicate=0" {
		t.Errorf("last line is %q", last)
	}
}

func TestUnreachableKafka(t *testing.T) {
	s, _ := short(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	for _, c := range [][2]string{{addr, "cannot reach Kafka at " + addr}, {" , ", "names no broker"}, {"host:port", "KAFKA_BROKERS"}} {
		kafka, want := c[0], c[1]
		s.kafka = kafka
		begin := time.Now()
		well, err := run(t.Context(), s)
		if well || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("KAFKA_BROKERS=%q: %v, %v; want an error with %q", kafka, well, err, want)
		}
		if took := time.Since(begin); took > reachTime+2*time.Second {
			t.Errorf("KAFKA_BROKERS=%q: the error came after %v", kafka, took)
		}
	}
}

// A broker that takes connections and says nothing, as a frozen one does.
func TestSilentKafka(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s, _ := short(t)
	s.kafka = silent.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := run(ctx, s); err == nil || !strings.Contains(err.Error(), "cannot reach Kafka at "+s.kafka+": no answer within ") {
		t.Errorf("got %v", err)
	}
}

func TestProgressInPlace(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, true)
	p.line("one")
	p.line("two")
	p.note(errors.New("trouble"))
	p.line("three")
	p.stop()
	if got, want := out.String(), "\rone\x1b[K\rtwo\x1b[K\r\x1b[K         sink: trouble\n\rthree\x1b[K\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAnswers(t *testing.T) {
	var a answers
	if got := a.state(zapkafka.Stats{Acked: 1, PendingEntries: 5}); got != "broker up" {
		t.Errorf("at the start: %q", got)
	}
	a.since = a.since.Add(-3 * time.Second)
	if got := a.state(zapkafka.Stats{Acked: 1, PendingEntries: 9}); got != "SILENT for 3s" {
		t.Errorf("after 3 s without an acknowledgement: %q", got)
	}
	if got := a.state(zapkafka.Stats{Acked: 2, PendingEntries: 9}); got != "broker up" {
		t.Errorf("after an acknowledgement: %q", got)
	}
}

// output collects what is printed, and calls back when it reads something.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	call func()
}

func (o *output) on(want string, call func()) { o.want, o.call = want, call }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.call != nil && bytes.Contains(p, []byte(o.want)) {
		o.call()
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// last returns the last line, or one that comes n before it.
func (o *output) last(n int) string {
	lines := strings.Split(strings.TrimSuffix(o.String(), "\n"), "\n")
	if len(lines) <= n {
		return fmt.Sprintf("only %d lines", len(lines))
	}
	return lines[len(lines)-1-n]
}
