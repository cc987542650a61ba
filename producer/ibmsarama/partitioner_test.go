package ibmsarama

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func message(key string, size int) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(make([]byte, size))}
	if key != "" {
		m.Key = sarama.StringEncoder(key)
	}
	return m
}

func TestStickyPartitioner(t *testing.T) {
	p := NewStickyPartitioner(topic)
	const partitions, size = 6, 1 << 10
	last, run, total := int32(-1), 0, make(map[int32]int)
	for range 100 * stickyBytes / size {
		got, err := p.Partition(message("", size), partitions)
		if err != nil {
			t.Fatal(err)
		}
		total[got]++
		if got == last {
			run += size
			continue
		}
		if last >= 0 && run != stickyBytes {
			t.Fatalf("%d bytes went to partition %d, want %d", run, last, stickyBytes)
		}
		last, run = got, size
	}
	if len(total) != partitions {
		t.Errorf("%d partitions were used, want %d: %v", len(total), partitions, total)
	}
	if n, err := p.Partition(message("", 1), 1); n != 0 || err != nil {
		t.Errorf("of one partition: %d, %v", n, err)
	}
}

func TestKeysGoWhereSaramaPutsThem(t *testing.T) {
	ours, theirs := NewStickyPartitioner(topic), sarama.NewHashPartitioner(topic)
	for i := range 1000 {
		m := message(fmt.Sprint("key", i), 10)
		got, err := ours.Partition(m, 12)
		want, _ := theirs.Partition(m, 12)
		if got != want || err != nil {
			t.Fatalf("key %d: partition %d, %v; want %d", i, got, err, want)
		}
		if !ours.(sarama.DynamicConsistencyPartitioner).MessageRequiresConsistency(m) {
			t.Fatal("a key may change its partition when one has no leader")
		}
	}
	if ours.(sarama.DynamicConsistencyPartitioner).MessageRequiresConsistency(message("", 1)) {
		t.Error("a message without a key waits for a partition that has no leader")
	}
}

func TestShunsFailedPartitions(t *testing.T) {
	var bad shunned
	p := partitionerOf(NewStickyPartitioner, &bad)(topic)
	part := message("", stickyBytes/2)
	at := func() int32 {
		n, err := p.Partition(part, 3)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := at()
	bad.add(topic, first)
	second := at() // at once, not after 64 KiB
	bad.add(topic, second)
	for range 200 { // quickly: they are shunned for shunFor
		if n := at(); n == first || n == second {
			t.Fatalf("partition %d was chosen, %d and %d have failed", n, first, second)
		}
	}
	bad.add(topic, 3-first-second)
	at() // all are bad: any will do
}

// What one partition has shown of its broker is true of the others.
func TestShunsSilentBrokers(t *testing.T) {
	var bad shunned
	p := partitionerOf(NewStickyPartitioner, &bad)(topic)
	whole := message("", stickyBytes)
	at := func() int32 {
		n, err := p.Partition(whole, 6)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const delivery = 30 * time.Second
	bad.silent(topic, 0, delivery) // whose is it?
	if err := bad.refused("a"); err != nil {
		t.Errorf("a broker is refused of which nothing is known: %v", err)
	}
	bad.led(topic, map[int32]string{0: "a", 1: "b", 2: "c", 3: "a", 4: "b", 5: "c"})
	at()
	bad.silent(topic, 0, delivery)
	for range 200 {
		if n := at(); n%3 == 0 {
			t.Fatalf("partition %d was chosen, though its broker is silent", n)
		}
	}
	if bad.refused("a") == nil || bad.refused("b") != nil {
		t.Errorf("want a refused and b not: %v, %v", bad.refused("a"), bad.refused("b"))
	}
	bad.silent(topic, 1, delivery)
	for range 200 {
		if n := at(); n%3 != 2 {
			t.Fatalf("partition %d was chosen, though its broker is silent", n)
		}
	}
	bad.silent(topic, 2, delivery) // all are: any will do
	at()
	for _, b := range []string{"a", "b", "c"} {
		if err := bad.refused(b); err != nil {
			t.Errorf("all brokers are silent, and one is refused: %v", err)
		}
	}
}

func TestSilenceIsBelievedForLonger(t *testing.T) {
	var s shunned
	s.led(topic, map[int32]string{0: "a", 1: "b"})
	// tries has the broker tried again that long after it was avoided.
	tries := func(after time.Duration) time.Duration {
		b := s.brokers["a"]
		b.avoid = time.Now().Add(-after)
		s.brokers["a"] = b
		s.silent(topic, 0, time.Minute)
		return s.brokers["a"].lasting
	}
	s.silent(topic, 0, time.Minute)
	s.silent(topic, 0, time.Minute) // the next record of a batch says nothing new
	if got := s.brokers["a"].lasting; got != avoidFor {
		t.Errorf("at first %v, want %v", got, avoidFor)
	}
	for _, want := range []time.Duration{2 * avoidFor, 4 * avoidFor, avoidMost} {
		if got := tries(time.Second); got != want {
			t.Errorf("then %v, want %v", got, want)
		}
	}
	if got := tries(2 * avoidMost); got != avoidFor {
		t.Errorf("after it had been well: %v, want %v", got, avoidFor)
	}
	// Its records with a key have not much time.
	s.silent(topic, 0, 4*time.Millisecond)
	if left := time.Until(s.brokers["a"].refuse); left > time.Millisecond {
		t.Errorf("connections are refused for %v, want a quarter of the delivery timeout", left)
	}
}

func TestIsSilence(t *testing.T) {
	timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{timeout, true},
		{fmt.Errorf("around it: %w", timeout), true},
		{&net.OpError{Op: "read", Err: net.ErrClosed}, false},
		{sarama.Wrap(sarama.ErrOutOfBrokers, timeout), false}, // of another broker, perhaps
		{sarama.ErrRequestTimedOut, false},                    // an answer
	} {
		if got := isSilence(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
