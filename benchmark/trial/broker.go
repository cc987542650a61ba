package trial

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka/integration/proxy"
)

// topicName is that of the topic of discarding brokers.
const topicName = "test"

// DiscardBroker runs a broker that acknowledges and forgets, with one topic, until
// in ends. It says its addresses on out.
func DiscardBroker(partitions int, in io.Reader, out io.Writer) error {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(int32(partitions), topicName), kfake.BlackholeProduce())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintln(out, strings.Join(c.ListenAddrs(), ",")); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// Broker is what a case is run on.
type Broker struct {
	Addrs    []string
	Topic    string       // its own
	admin    *kadm.Client // nil: nobody can be asked
	stop, on func() error // stops it, and lets it go on
	End      func()       // has to be called
}

// Entries is how many there are in the topic; -1 if nobody can be asked.
func (b *Broker) Entries(ctx context.Context) (int64, error) {
	if b.admin == nil {
		return -1, nil
	}
	ends, err := b.admin.ListEndOffsets(ctx, b.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return -1, err
	}
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n, nil
}

const asking = 20 * time.Second

// rest waits until no entry has come for a while, which those of a warm-up or of
// a client that is still sending do, and returns how many there are.
func (b *Broker) rest(want int64, quiet time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), asking)
	defer cancel()
	last, since := int64(-1), time.Now()
	for {
		n, err := b.Entries(ctx)
		switch {
		case err != nil && kerr.IsRetriable(err) && ctx.Err() == nil:
			// The topic is new, or the broker has just gone on.
			since = time.Now()
		case err != nil || n < 0 || want > 0 && n >= want:
			return n, err
		case n != last:
			last, since = n, time.Now()
		}
		if err == nil && time.Since(since) >= quiet {
			return n, nil
		}
		<-time.After(20 * time.Millisecond)
	}
}

func newAdmin(addrs []string) (*kadm.Client, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DisableClientMetrics(), kgo.RequestRetries(10))
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(client), nil
}

// broker starts or finds what the case wants. Its end has to be called.
func (r *Runner) broker(c Case) (*Broker, error) {
	switch {
	case c.Fault == Refused:
		return refusing()
	case c.Fault == Mute:
		return mute()
	case c.Broker == Discard:
		return StartDiscard(r.Program, c.Partitions)
	case c.Broker == Kafka:
		return r.kafka(c)
	}
	return &Broker{Topic: topicName, End: func() {}}, nil
}

// refusing is an address at which nobody listens.
func refusing() (*Broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Broker{Addrs: []string{l.Addr().String()}, Topic: topicName, End: func() {}}
	return b, l.Close()
}

// mute is an address at which somebody listens who says nothing.
func mute() (*Broker, error) {
	nowhere, err := net.Listen("tcp", "127.0.0.1:0") // which is there, so that the proxy has a target
	if err != nil {
		return nil, err
	}
	p, err := proxy.New("127.0.0.1:0", nowhere.Addr().String())
	if err != nil {
		return nil, err
	}
	p.Set(proxy.Fault{Mute: true})
	end := func() {
		_ = p.Close()
		_ = nowhere.Close()
	}
	return &Broker{Addrs: []string{p.Addr()}, Topic: topicName, End: end}, nil
}

// StartDiscard starts a broker in a process of its own, which is the program with
// the flag -discard-broker, upon which that calls DiscardBroker.
func StartDiscard(program string, partitions int) (*Broker, error) {
	cmd := exec.Command(program, "-discard-broker", fmt.Sprint(partitions))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		end()
		return nil, fmt.Errorf("the discarding broker did not start: %w", err)
	}
	b := &Broker{
		Addrs: strings.Split(strings.TrimSpace(line), ","), Topic: topicName,
		stop: func() error { return cmd.Process.Signal(stopProcess) },
		on:   func() error { return cmd.Process.Signal(goOn) },
	}
	if b.admin, err = newAdmin(b.Addrs); err != nil {
		end()
		return nil, err
	}
	b.End = func() {
		b.admin.Close()
		end()
	}
	return b, nil
}

func (r *Runner) kafka(c Case) (*Broker, error) {
	if len(r.Brokers) == 0 {
		return nil, fmt.Errorf("a case on a real Kafka, and none is known: see -script and -brokers")
	}
	b, err := OnKafka(r.Brokers, c.Partitions)
	if err != nil {
		return nil, err
	}
	b.stop = func() error { return r.script("pause") }
	b.on = func() error { return r.script("resume") }
	return b, nil
}

// OnKafka makes a topic on a Kafka, which End deletes.
func OnKafka(brokers []string, partitions int) (*Broker, error) {
	admin, err := newAdmin(brokers)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), asking)
	defer cancel()
	name := fmt.Sprintf("bench-%d", time.Now().UnixNano())
	made, err := admin.CreateTopic(ctx, int32(partitions), 1, nil, name)
	if err == nil {
		err = made.Err
	}
	if err != nil {
		admin.Close()
		return nil, fmt.Errorf("create topic %s: %w", name, err)
	}
	b := &Broker{Addrs: brokers, Topic: name, admin: admin}
	b.End = func() {
		ctx, cancel := context.WithTimeout(context.Background(), asking)
		defer cancel()
		_, _ = admin.DeleteTopic(ctx, name) // it is small, and Kafka has its retention
		admin.Close()
	}
	// A new topic is not known at once.
	if _, err := b.rest(0, 0); err != nil {
		b.End()
		return nil, fmt.Errorf("topic %s: %w", name, err)
	}
	return b, nil
}

// script runs a command of scripts/kafka.sh.
func (r *Runner) script(command string) error {
	if r.Script == "" {
		return fmt.Errorf("to %s the broker takes scripts/kafka.sh: see -script", command)
	}
	if out, err := exec.Command(r.Script, command).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", r.Script, command, err, out)
	}
	return nil
}
