package ibmsarama

import (
	"fmt"
	"testing"

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
	at := func() int32 {
		n, err := p.Partition(message("", 1), 3)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := at()
	bad.add(topic, first)
	second := at() // at once, not after 64 KiB
	bad.add(topic, second)
	for range 10 * stickyBytes {
		if n := at(); n == first || n == second {
			t.Fatalf("partition %d was chosen, %d and %d have failed", n, first, second)
		}
	}
	bad.add(topic, 3-first-second)
	at() // all are bad: any will do
}
