package zapkafka

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// partitioned is a producer with twelve partitions, of which some hold what they
// get.
type partitioned struct {
	*fakeProducer
	mu   sync.Mutex
	sick map[int32]bool
	got  map[int32]int
}

const partitions = 12

func newPartitioned(sick ...int32) *partitioned {
	p := &partitioned{fakeProducer: &fakeProducer{overhead: Overhead{RecordBytes: 320, ValuePercent: 100}}, sick: map[int32]bool{}, got: map[int32]int{}}
	for _, partition := range sick {
		p.sick[partition] = true
	}
	p.handle = func(ctx context.Context, records []*Record) {
		for _, r := range records {
			partition, _ := p.Partition(r.Topic, r.Key)
			p.mu.Lock()
			sick := p.sick[partition]
			p.got[partition]++
			p.mu.Unlock()
			if sick {
				p.hold(ctx, []*Record{r})
			} else {
				r.Done(nil)
			}
		}
	}
	return p
}

func (p *partitioned) Partition(_ string, key []byte) (int32, bool) {
	n := int32(0)
	for _, b := range key {
		n = n*31 + int32(b)
	}
	return (n%partitions + partitions) % partitions, true
}

func (p *partitioned) heal() {
	p.mu.Lock()
	p.sick = nil
	p.mu.Unlock()
	p.answer()
	p.setHandle(func(_ context.Context, records []*Record) { p.ack(records) })
}

// keyed logs entries with keys that are all different.
func keyed(t testing.TB, s *KafkaSyncer, from, n int) {
	t.Helper()
	line := []byte(strings.Repeat("x", 199) + "\n")
	for i := from; i < from+n; i++ {
		if _, err := s.write(&meta{key: []byte(fmt.Sprint("trace-", i)), time: time.Now()}, line); err != nil {
			t.Fatal(err)
		}
	}
}

// One of twelve partitions takes nothing. What is for the others arrives, though
// every chunk has something for the sick one; that is on file, and known not to be
// in Kafka.
func TestOneSickPartition(t *testing.T) {
	p := newPartitioned(7)
	log := &errorLog{}
	f := &memoryFile{}
	s := newTestSyncer(t, p, f, &Options{ErrorHandler: log.handle})
	const second, most = 20_000, 160_000
	logged := 0
	begin := time.Now()
	for logged < most {
		due := int(time.Since(begin).Seconds() * second)
		if due > most {
			due = most
		}
		if due > logged {
			keyed(t, s, logged, due-logged)
			logged = due
		}
		<-time.After(time.Millisecond)
	}
	least := uint64(logged) * 11 / 12 * 9 / 10
	eventually(t, "what is for the others is acknowledged", func() bool { return s.Stats().Acked >= least })
	st := s.Stats()
	if state := stateOf(s); state == FallbackOnly {
		t.Errorf("the state is %v", state)
	}
	if st.FellBack.Partition == 0 || st.FellBack.QueueFull+st.FellBack.Outage > uint64(logged)/10 {
		t.Errorf("%+v", st.FellBack)
	}
	if st.PossiblyDuplicate > st.FellBack.Total()-st.FellBack.Partition {
		t.Errorf("%d possibly duplicate, of %+v", st.PossiblyDuplicate, st.FellBack)
	}
	if !strings.Contains(log.String(), "partition 7 of topic") {
		t.Errorf("told:\n%s", log)
	}

	// Back again: a sample finds out.
	p.heal()
	eventually(t, "the partition gets all of its entries again", func() bool {
		keyed(t, s, logged, partitions)
		logged += partitions
		before := s.Stats()
		keyed(t, s, logged, 20*partitions)
		logged += 20 * partitions
		if err := s.Sync(); err != nil {
			t.Error(err)
		}
		return s.Stats().FellBack.Total() == before.FellBack.Total()
	})
}

// A producer that does not say where keys go gets all of them.
func TestSickPartitionOfAClientThatDoesNotTell(t *testing.T) {
	p := newPartitioned(7)
	s := newTestSyncer(t, struct{ Producer }{p}, &memoryFile{}, nil)
	keyed(t, s, 0, 10_000)
	eventually(t, "the others' entries", func() bool { return s.Stats().Acked > 9000 })
	if n := s.Stats().FellBack.Partition; n != 0 {
		t.Errorf("%d entries by partition", n)
	}
}

// What is given back while a chunk is with the client is not given back twice.
func TestRefundOfOverhead(t *testing.T) {
	p := newPartitioned(7)
	s := newTestSyncer(t, p, &memoryFile{}, &Options{BufferBytes: 8 << 20})
	keyed(t, s, 0, 5_000)
	eventually(t, "refunds", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		for _, c := range s.q.order {
			if c.state == chunkClient && c.extra > 0 && c.extra < s.q.extraCost(c.entries(), c.used)/2 {
				return true
			}
		}
		return false
	})
	p.heal()
	eventually(t, "nothing is charged", func() bool {
		s.q.mu.Lock()
		defer s.q.mu.Unlock()
		return s.q.inClient == 0 && s.q.clients == 0
	})
}
