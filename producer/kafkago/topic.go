package kafkago

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

const (
	// lookAgain is how old the knowledge of a topic's partitions may be while
	// nothing fails.
	lookAgain = 10 * time.Second
	// slow is for how long a partition may be busy with one batch before records
	// without a key avoid it.
	slow = time.Second
	// stickyBytes is how much a partition gets of the records without a key
	// before it is the next one's turn.
	stickyBytes = 64 << 10
)

var errAstray = errors.New("kafkago: Config.Balancer returned a partition that the topic does not have")

// topic is a topic of the records. All of it is guarded by Producer.mu.
type topic struct {
	name       string
	balancer   kafka.Balancer
	partitions []*partition // by number
	all        []int        // the numbers of those that the topic has
	offered    []int        // of those that records without a key may go to
	looked     time.Duration

	waiting   []item // records that came before the partitions were known
	searching bool   // a search is running
}

// topicLocked returns the topic, new if it has not been heard of.
func (p *Producer) topicLocked(name string) *topic {
	t := p.topics[name]
	if t == nil {
		t = &topic{name: name, balancer: p.config.Balancer}
		if t.balancer == nil {
			t.balancer = &sticky{current: -1}
		}
		p.topics[name] = t
		p.cluster.add(name)
	}
	return t
}

// routeLocked puts a record into the queue of a partition. It returns false if
// the Balancer's choice is not one.
func (t *topic) routeLocked(it item) bool {
	if len(t.all) == 0 {
		t.waiting = append(t.waiting, it)
		return true
	}
	r := it.record
	choice := t.all
	if r.Key == nil {
		choice = t.offered
	}
	id := t.balancer.Balance(kafka.Message{Topic: t.name, Key: r.Key, Value: r.Value, Time: r.Time}, choice...)
	if id < 0 || id >= len(t.all) {
		return false
	}
	q := t.partitions[id]
	q.queue = append(q.queue, it)
	return true
}

// offerLocked makes the list of partitions that records without a key may go to:
// those that work, and those whose turn it is to be tried again; if there are
// none, all.
func (t *topic) offerLocked(now time.Duration) {
	bad := func(id int) bool { return now < t.partitions[id].avoid || t.partitions[id].stuck(now) }
	t.offered = t.all
	if slices.ContainsFunc(t.all, bad) {
		// A new list each time: a Balancer may have kept the last one.
		if good := slices.DeleteFunc(slices.Clone(t.all), bad); len(good) > 0 {
			t.offered = good
		}
	}
}

// startLocked starts what is needed for the records of the topic.
func (p *Producer) startLocked(t *topic) {
	if len(t.waiting) > 0 && !t.searching {
		t.searching = true
		p.workers.Add(1)
		go p.search(t)
	}
	for _, q := range t.partitions {
		if len(q.queue) > 0 && !q.sending {
			q.sending, q.began = true, p.now()
			p.workers.Add(1)
			go p.send(q)
		}
	}
}

// search is the goroutine that finds the partitions of a topic. It ends when
// they are known, or nothing waits for them any more.
func (p *Producer) search(t *topic) {
	defer p.workers.Done()
	begin := p.now()
	for tries := 1; ; tries++ {
		err := p.look(t, p.client.Timeout)
		if err != nil && p.life.Err() == nil {
			p.cluster.trouble()
			p.reports.search(t.name, err, p.now()-begin)
		}
		v := judge(err)
		p.mu.Lock()
		var failed []item
		switch {
		case p.life.Err() != nil:
			err = errClosed
			failed, t.waiting = t.waiting, nil
		case err == nil:
			t.offerLocked(p.now())
			waiting := t.waiting
			t.waiting = nil
			for _, it := range waiting {
				if !t.routeLocked(it) {
					failed = append(failed, it)
				}
			}
			err = errAstray
		case v != again:
			err = v.outcome(err)
			failed, t.waiting = t.waiting, nil
		default:
			err = p.tooLate(err)
			failed, t.waiting = expired(t.waiting, p.now())
		}
		over := len(t.waiting) == 0
		if over {
			t.searching = false
			p.startLocked(t)
		}
		p.mu.Unlock()
		p.report(failed, err)
		if over {
			return
		}
		p.pause(tries)
	}
}

// look brings the knowledge of a topic's partitions up to date. The client
// answers from what it polls, except for a topic that it is to create.
func (p *Producer) look(t *topic, within time.Duration) error {
	ctx, cancel := context.WithTimeout(p.life, within)
	defer cancel()
	// Not client.Metadata, which cannot ask for the creation of a topic.
	answer, err := p.cluster.RoundTrip(ctx, p.client.Addr, &metadata.Request{
		TopicNames: []string{t.name}, AllowAutoTopicCreation: p.config.AllowAutoTopicCreation,
	})
	if err != nil {
		return err
	}
	m, ok := answer.(*metadata.Response)
	if !ok || len(m.Topics) != 1 {
		return fmt.Errorf("metadata of topic %q: unexpected answer %T", t.name, answer)
	}
	if code := m.Topics[0].ErrorCode; code != 0 {
		return kafka.Error(code)
	}
	ps := m.Topics[0].Partitions
	if len(ps) == 0 {
		return kafka.LeaderNotAvailable
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.looked = p.now()
	if len(t.all) != len(ps) {
		t.all = make([]int, len(ps))
		for i := range t.all {
			t.all[i] = i
		}
		t.offered = t.all
	}
	for id := len(t.partitions); id < len(ps); id++ {
		t.partitions = append(t.partitions, &partition{topic: t, id: id})
	}
	for i := range ps {
		if id := int(ps[i].PartitionIndex); id >= 0 && id < len(ps) {
			t.partitions[id].leaderless = !slices.ContainsFunc(m.Brokers, func(b metadata.ResponseBroker) bool { return b.NodeID == ps[i].LeaderID })
		}
	}
	return nil
}

// pause waits before a retry, less when Close gives up.
func (p *Producer) pause(tries int) {
	timer := time.NewTimer(backoff(tries))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.life.Done():
	}
}

// slowRetries is the number of failures after which the wait is the longest.
const slowRetries = 5

// backoff is the wait after the given number of failures: from 100 ms, doubling
// to 1 s, a fifth more or less so that many clients do not come back at once.
func backoff(tries int) time.Duration {
	d := time.Second
	if tries < slowRetries {
		d = 100 * time.Millisecond << max(tries-1, 0)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// sticky is the default Balancer of a topic.
type sticky struct {
	keyed   kafka.Murmur2Balancer
	current int
	bytes   int // that current has got
}

// Balance implements kafka.Balancer. The partitions are in order.
func (s *sticky) Balance(m kafka.Message, partitions ...int) int {
	if m.Key != nil {
		return s.keyed.Balance(m, partitions...)
	}
	if _, ok := slices.BinarySearch(partitions, s.current); !ok || s.bytes >= stickyBytes {
		i := rand.IntN(len(partitions))
		if partitions[i] == s.current {
			i = (i + 1) % len(partitions)
		}
		s.current, s.bytes = partitions[i], 0
	}
	s.bytes += len(m.Value)
	return s.current
}
