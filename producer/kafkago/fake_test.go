package kafkago

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"

	"github.com/zapkafka/zapkafka"
)

// message is a record as the fake has stored it.
type message struct {
	key, value []byte
	headers    []zapkafka.Header
	time       time.Time
}

// call is a produce request that the fake has got.
type call struct {
	topic     string
	partition int
	acks      int16
	codec     kafka.Compression
	messages  []message
}

// answer is what becomes of a call. The zero value: stored and acknowledged.
type answer struct {
	code   kafka.Error
	store  bool // although there is a code
	silent bool // never answered
	hangUp bool
}

// fake is a Kafka cluster on loopback, as much of one as a producer sees. It
// speaks through the protocol package of kafka-go.
type fake struct {
	t     testing.TB
	group sync.WaitGroup

	mu        sync.Mutex
	on        *sync.Cond
	closed    bool
	frozen    bool // nothing is read or answered
	stalled   bool // nor are produce requests
	listeners []net.Listener
	addrs     []string
	conns     map[net.Conn]bool
	topics    map[string][]fakePartition
	errors    map[string]kafka.Error // of topics, in metadata
	discard   bool                   // what is produced, and tell nobody
	creates   bool                   // missing topics when asked to
	password  string                 // of SASL PLAIN, when asked
	saslMute  bool
	on1       func(c *call) answer // nil: zero answers
	calls     []call
	asked     int // metadata requests
	polled    [][]string
	sending   map[[2]int]int
	most      int // produce requests of a partition at the same time
}

type fakePartition struct {
	leader int // a broker, -1 for none
	stored []message
}

// newFake starts brokers and makes the topic with so many partitions, led by
// the brokers in turn.
func newFake(t testing.TB, brokers, partitions int) *fake {
	t.Helper()
	f := &fake{t: t, conns: make(map[net.Conn]bool), topics: make(map[string][]fakePartition),
		errors: make(map[string]kafka.Error), sending: make(map[[2]int]int)}
	f.on = sync.NewCond(&f.mu)
	for range brokers {
		f.listen("127.0.0.1:0")
	}
	f.make(logs, partitions)
	t.Cleanup(f.close)
	return f
}

func (f *fake) listen(addr string) {
	f.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := slices.Index(f.addrs, addr)
	if id < 0 {
		id = len(f.addrs)
		f.addrs = append(f.addrs, l.Addr().String())
		f.listeners = append(f.listeners, nil)
	}
	f.listeners[id] = l
	f.group.Add(1)
	go func() {
		defer f.group.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			if f.closed {
				c.Close()
			} else {
				if tcp, ok := c.(*net.TCPConn); ok && f.discard {
					_ = tcp.SetReadBuffer(16 << 10)
				}
				f.conns[c] = true
				f.group.Add(1)
				go f.serve(c, id)
			}
			f.mu.Unlock()
		}
	}()
}

// down closes the listeners and cuts all connections, up undoes it.
func (f *fake) down() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.listeners {
		l.Close()
	}
	f.cutLocked()
}

func (f *fake) up() {
	for _, addr := range slices.Clone(f.addrs) {
		f.listen(addr)
	}
}

func (f *fake) cutLocked() {
	for c := range f.conns {
		c.Close()
	}
	clear(f.conns)
}

func (f *fake) close() {
	f.mu.Lock()
	f.closed = true
	for _, l := range f.listeners {
		l.Close()
	}
	f.cutLocked()
	f.on.Broadcast()
	f.mu.Unlock()
	f.group.Wait()
}

// set changes the fake under its lock.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.on.Broadcast()
}

func (f *fake) freeze(yes bool) { f.set(func() { f.frozen = yes }) }

// answers has each produce request answered by the function, one at a time.
func (f *fake) answers(with func(c *call) answer) { f.set(func() { f.on1 = with }) }

func (f *fake) make(name string, partitions int) {
	f.set(func() { f.makeLocked(name, partitions) })
}

func (f *fake) makeLocked(name string, partitions int) {
	ps := f.topics[name]
	for i := len(ps); i < partitions; i++ {
		ps = append(ps, fakePartition{leader: i % len(f.addrs)})
	}
	f.topics[name] = ps
}

// await waits until the condition holds, under the lock.
func (f *fake) await(what string, cond func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(2 * time.Millisecond) {
		f.mu.Lock()
		ok := cond()
		f.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("waited for %v: %s", patience, what)
		}
	}
}

// stored returns what is in the topic, partition after partition.
func (f *fake) stored(name string) (all []message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.topics[name] {
		all = append(all, p.stored...)
	}
	return all
}

func (f *fake) counts(name string) (n []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.topics[name] {
		n = append(n, len(p.stored))
	}
	return n
}

func (f *fake) serve(c net.Conn, id int) {
	defer f.group.Done()
	defer func() {
		c.Close()
		f.mu.Lock()
		delete(f.conns, c)
		f.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		// A broker hangs up on what cannot be the length of a request: TLS.
		start, err := r.Peek(6)
		if err != nil || start[0] > 7 {
			return
		}
		isProduce := start[4] == 0 && start[5] == byte(protocol.Produce)
		f.mu.Lock()
		for (f.frozen || f.stalled && isProduce) && !f.closed {
			f.on.Wait()
		}
		f.mu.Unlock()
		version, correlation, _, req, err := protocol.ReadRequest(r)
		if err != nil {
			return
		}
		resp := f.handle(id, req)
		if resp == nil {
			return
		}
		if resp == silence {
			_, _ = io.Copy(io.Discard, r)
			return
		}
		if protocol.WriteResponse(c, version, correlation, resp) != nil {
			return
		}
	}
}

var silence = protocol.Message(new(apiversions.Response))

func (f *fake) handle(id int, req protocol.Message) protocol.Message {
	switch req := req.(type) {
	case *apiversions.Request:
		resp := new(apiversions.Response)
		for _, api := range []struct {
			key protocol.ApiKey
			max int16
		}{{protocol.Produce, 8}, {protocol.Metadata, 8}, {protocol.ApiVersions, 2}, {protocol.SaslHandshake, 1}, {protocol.SaslAuthenticate, 1}} {
			resp.ApiKeys = append(resp.ApiKeys, apiversions.ApiKeyResponse{ApiKey: int16(api.key), MaxVersion: api.max})
		}
		return resp
	case *metadata.Request:
		return f.metadata(req)
	case *produce.Request:
		return f.produce(id, req)
	case *saslhandshake.Request:
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.saslMute {
			return silence
		}
		return &saslhandshake.Response{Mechanisms: []string{"PLAIN"}}
	case *saslauthenticate.Request:
		f.mu.Lock()
		defer f.mu.Unlock()
		if !bytes.HasSuffix(req.AuthBytes, []byte("\x00"+f.password)) {
			return &saslauthenticate.Response{ErrorCode: int16(kafka.SASLAuthenticationFailed), ErrorMessage: "refused"}
		}
		return new(saslauthenticate.Response)
	}
	f.t.Errorf("fake: unexpected request %T", req)
	return nil
}

func (f *fake) metadata(req *metadata.Request) protocol.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	f.polled = append(f.polled, req.TopicNames)
	resp := new(metadata.Response)
	for id, addr := range f.addrs {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			f.t.Error(err)
			return nil
		}
		resp.Brokers = append(resp.Brokers, metadata.ResponseBroker{NodeID: int32(id), Host: a.IP.String(), Port: int32(a.Port)})
	}
	for _, name := range req.TopicNames {
		if f.topics[name] == nil && f.errors[name] == 0 && f.creates && req.AllowAutoTopicCreation {
			f.makeLocked(name, 2)
		}
		rt := metadata.ResponseTopic{Name: name, ErrorCode: int16(f.errors[name])}
		if f.topics[name] == nil && rt.ErrorCode == 0 {
			rt.ErrorCode = int16(kafka.UnknownTopicOrPartition)
		}
		for i, p := range f.topics[name] {
			rp := metadata.ResponsePartition{PartitionIndex: int32(i), LeaderID: int32(p.leader)}
			if p.leader < 0 {
				rp.ErrorCode = int16(kafka.LeaderNotAvailable)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (f *fake) produce(id int, req *produce.Request) protocol.Message {
	rt := &req.Topics[0]
	rp := &rt.Partitions[0]
	c := call{topic: rt.Topic, partition: int(rp.Partition), acks: req.Acks, codec: rp.RecordSet.Attributes.Compression()}
	// A batch that a stream of batches is made of has the attributes.
	if s, ok := rp.RecordSet.Records.(*protocol.RecordStream); ok && len(s.Records) > 0 {
		if b, ok := s.Records[0].(*protocol.RecordBatch); ok {
			c.codec = b.Attributes.Compression()
		}
	}
	for {
		r, err := rp.RecordSet.Records.ReadRecord()
		if err != nil {
			break
		}
		m := message{time: r.Time}
		m.key, _ = protocol.ReadAll(r.Key)
		m.value, _ = protocol.ReadAll(r.Value)
		for _, h := range r.Headers {
			m.headers = append(m.headers, zapkafka.Header{Key: strings.Clone(h.Key), Value: bytes.Clone(h.Value)})
		}
		c.messages = append(c.messages, m)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.discard {
		c.messages = nil
	}
	f.calls = append(f.calls, c)
	var a answer
	at := [2]int{len(c.topic), c.partition}
	f.sending[at]++
	f.most = max(f.most, f.sending[at])
	if f.on1 != nil {
		a = f.on1(&c)
	}
	f.sending[at]--
	ps := f.topics[c.topic]
	switch {
	case c.partition >= len(ps):
		a = answer{code: kafka.UnknownTopicOrPartition}
	case ps[c.partition].leader != id:
		a = answer{code: kafka.NotLeaderForPartition}
	case a.code == 0 && !a.silent && !a.hangUp || a.store:
		ps[c.partition].stored = append(ps[c.partition].stored, c.messages...)
	}
	switch {
	case a.silent:
		return silence
	case a.hangUp:
		return nil
	}
	return &produce.Response{Topics: []produce.ResponseTopic{{Topic: c.topic,
		Partitions: []produce.ResponsePartition{{Partition: rp.Partition, ErrorCode: int16(a.code)}}}}}
}
