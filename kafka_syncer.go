package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync/atomic"
	"time"

	"go.uber.org/zap/zapcore"
)

// KafkaSyncer is a zapcore.WriteSyncer that sends each entry written to it to a
// Kafka topic, through a [Producer], and what Kafka does not take to a
// fallback. A Write is a copy into memory and never waits for Kafka.
//
// It is safe for concurrent use. It runs up to eight goroutines of its own until
// Shutdown or Close, and one more while it writes to Options.LastResort.
type KafkaSyncer struct {
	q        *queue
	o        *Options
	producer Producer
	file     fallbackFile
	reporter *reporter
	sender   *sender
	writer   *fallbackWriter
	fsync    *fsyncer
	watcher  *watcher
	notifier *notifier
	replayer *replayer // nil: none
	notice   *shedNotice

	stopSender context.CancelFunc

	// turn is held by whoever uses file: the fallback writer, and after Shutdown
	// one caller at a time.
	turn chan struct{}
	// stuck is set when a write of the fallback did not return in time; nobody
	// waits for the turn then.
	stuck atomic.Bool

	shutdown shutdownOnce
}

var (
	_ entryWriter         = (*KafkaSyncer)(nil)
	_ zapcore.WriteSyncer = (*KafkaSyncer)(nil)
	_ io.Closer           = (*KafkaSyncer)(nil)
)

// NewKafkaSyncer returns a syncer that sends to topic through producer. It
// starts the producer, which does not dial: Kafka may be down.
//
// fallback takes what Kafka does not: a *[Fallback], whose entries are sent to
// Kafka later (see Options.Replay; the first syncer of a Fallback does that, for
// all that is in it, and after its Shutdown the next), or any other zapcore.WriteSyncer (a file, standard error),
// which is used behind zapcore.Lock. As long as Kafka keeps up nothing is
// written to it.
//
// options may be nil for all defaults; it is copied.
//
// The producer serves this syncer alone from now on, and Shutdown closes it.
// The fallback stays the caller's: close it after Shutdown. When NewKafkaSyncer
// fails, nothing is running. The error names everything that is wrong with the
// arguments; one that comes after the producer was started says so, and the
// producer is closed then.
func NewKafkaSyncer(producer Producer, topic string, fallback zapcore.WriteSyncer, options *Options) (*KafkaSyncer, error) {
	o, err := options.withDefaults()
	errs := []error{err, checkTopic(topic)}
	if isNil(producer) {
		errs = append(errs, errors.New("producer is nil: make one with an adaptor, e.g. franz.New(brokers)"))
	}
	if isNil(fallback) {
		errs = append(errs, errors.New("fallback is nil: use OpenFallback(dir, nil), or zapcore.AddSync(os.Stderr) if losing entries on a restart is acceptable"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("zapkafka: new syncer: %w", err)
	}

	r := newReporter(o.ErrorHandler)
	overhead, err := producer.Start(Limits{
		// Bounds from above; what is really handed over depends on the overhead
		// that the producer is about to declare.
		Records:         int(o.BufferBytes/2/recordSize) + maxChunkRecords,
		Bytes:           o.BufferBytes/2 + o.BufferBytes/stuckPart + int64(o.MaxEntryBytes),
		RecordBytes:     o.MaxEntryBytes,
		DeliveryTimeout: o.DeliveryTimeout,
	}, r.producerTrouble)
	if err != nil {
		return nil, fmt.Errorf("zapkafka: new syncer: start the producer: %w", err)
	}
	q, err := newQueue(o, overhead)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeAtMost)
		defer cancel()
		return nil, fmt.Errorf("zapkafka: new syncer: %w", errors.Join(err, producer.Close(ctx)))
	}
	return startSyncer(producer, topic, fallback, o, r, q), nil
}

// startSyncer puts the parts together and starts the goroutines.
func startSyncer(producer Producer, topic string, fallback zapcore.WriteSyncer, o *Options, r *reporter, q *queue) *KafkaSyncer {
	s := &KafkaSyncer{q: q, o: o, producer: producer, reporter: r, turn: make(chan struct{}, 1)}
	s.file = newFallbackFile(fallback, topic)
	if s.file.keepsMeta() {
		q.rejected = s.rejectedEnvelope
	}
	if dir, ok := s.file.(directory); ok {
		dir.tell(r, true)
	}
	s.fsync = newFsyncer(s.file, r)
	s.shutdown.done = make(chan struct{})
	stop, cancel := context.WithCancel(context.Background())
	s.stopSender = cancel
	s.sender = &sender{q: q, producer: producer, topic: topic, stop: stop, done: make(chan struct{}), sick: newSickPartitions(producer, r, o.DeliveryTimeout)}
	s.writer = &fallbackWriter{
		q: q, file: s.file, turn: s.turn, report: r, fsync: s.fsync,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	s.watcher = &watcher{q: q, stop: make(chan struct{}), done: make(chan struct{})}
	s.notifier = &notifier{q: q, call: o.OnStateChange, stop: make(chan struct{}), done: make(chan struct{})}
	s.replayer = newReplayer(q, s.file, topic, o, r, s.sender.sick)
	s.notice = newShedNotice(q, r, topic)
	go r.run()
	go s.notice.run()
	go s.watcher.run()
	go s.notifier.run()
	if s.replayer != nil {
		go s.replayer.run()
	}
	go s.sender.run()
	go s.writer.run()
	go s.fsync.run()
	return s
}

// Write takes one encoded entry, as zap's cores write it. It copies p, so p is
// the caller's again on return, and it does not wait for Kafka. It waits at most
// Options.MaxWait, and only if the queue is full and the disk behind the
// fallback does not keep up either.
//
// Whatever Kafka does, Write returns len(p) and nil. It returns an error only
// for an entry that is lost: ErrQueueFull, or, after Shutdown, why the fallback
// could not take it. Nothing is shed that comes by Write, as it has no level.
func (s *KafkaSyncer) Write(p []byte) (int, error) {
	return s.write(&noMeta, p)
}

// noMeta is the meta of Write. Nobody changes it.
var noMeta meta

// write implements entryWriter.
func (s *KafkaSyncer) write(m *meta, line []byte) (int, error) {
	switch err := s.q.put(m, line); {
	case err == nil:
		return len(line), nil
	case errors.Is(err, errShed):
		return len(line), nil // by the rules, and counted; the caller can do nothing about it
	case errors.Is(err, errQueueClosed):
		return s.writeAfterShutdown(m, line)
	default:
		s.reporter.report("lost", err)
		s.q.lastResort.take(line)
		return 0, err
	}
}

// writeNotices implements entryWriter.
func (s *KafkaSyncer) writeNotices(c *core) { s.notice.writeBy(c) }

// tell implements entryWriter.
func (s *KafkaSyncer) tell(kind string, err error) { s.reporter.report(kind, err) }

// Sync waits until every entry accepted before the call is in Kafka or on disk,
// at most Options.SyncTimeout. What Kafka has not acknowledged after three
// quarters of that time is written to the fallback; if Kafka has been silent
// since an earlier Sync, or the state is FallbackOnly, at once. Entries that wait
// for their replay are not waited for. What is in the fallback is fsynced before Sync
// returns.
//
// It may be called any number of times, concurrently too, and leaves the syncer
// working: zap calls it for every entry above Error. The error says how many
// entries are neither in Kafka nor on disk yet, how many were lost meanwhile, or
// that the fsync failed. A fallback that cannot be written loses nothing by a
// Sync: what Kafka may still take goes on waiting for it.
func (s *KafkaSyncer) Sync() error {
	begin := time.Now()
	end := begin.Add(s.o.SyncTimeout)
	lost := s.q.lostOnFile()
	w, hopeless, answers := s.q.flush()
	defer s.q.forget(w)
	if !hopeless && !waitUntil(w.done, begin.Add(s.o.SyncTimeout*3/4)) {
		hopeless = true
	}
	if hopeless && s.q.giveUp(w.upTo, reasonSync, answers) {
		waitUntil(w.done, end)
	}
	if n := s.q.unsettledUpTo(w.upTo); n > 0 && !isClosed(w.done) {
		return fmt.Errorf("zapkafka: sync: %d entries are neither acknowledged by Kafka nor on file yet; the fallback did not take them in time", n)
	}
	if lost = s.q.lostOnFile() - lost; lost > 0 {
		return errors.Join(fmt.Errorf("zapkafka: sync: %d entries were lost meanwhile: the fallback could not take them", lost), s.syncFallback(end))
	}
	return s.syncFallback(end)
}

// lostOnFile counts the entries that were lost because a write to the fallback
// failed.
func (q *queue) lostOnFile() uint64 {
	return q.counters.lost[lostFallbackFailed].Load() + q.counters.lost[lostFallbackFull].Load()
}

// syncFallback waits until what was written to the fallback is on the disk.
func (s *KafkaSyncer) syncFallback(end time.Time) error {
	ask := s.fsync.want()
	if ask == nil {
		return nil
	}
	for {
		over, change, err := ask()
		if over {
			if err != nil {
				return fmt.Errorf("zapkafka: sync the fallback: %w", err)
			}
			return nil
		}
		t := time.NewTimer(time.Until(end))
		select {
		case <-change:
			t.Stop()
		case <-s.fsync.done:
			// Shutdown has ended it: from now on who asks does it.
			t.Stop()
			go s.fsync.syncIfWanted()
			if !waitUntil(change, end) {
				return errFsyncSlow
			}
		case <-t.C:
			return errFsyncSlow
		}
	}
}

var errFsyncSlow = errors.New("zapkafka: sync: what was written to the fallback is on file, but the disk has not confirmed it in time")

// waitUntil waits for c to be closed, and reports false if the time came first.
func waitUntil(c <-chan struct{}, end time.Time) bool {
	if isClosed(c) {
		return true
	}
	left := time.Until(end)
	if left <= 0 {
		return false
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// checkTopic applies Kafka's rules for the name of a topic
// (org.apache.kafka.common.internals.Topic: letters, digits, '.', '_' and '-',
// at most 249 of them, neither "." nor "..").
func checkTopic(topic string) error {
	switch {
	case topic == "":
		return errors.New("topic is empty: give the name of the topic that the log goes to")
	case topic == "." || topic == "..":
		return fmt.Errorf("topic %q is not allowed by Kafka", topic)
	case len(topic) > 249:
		return fmt.Errorf("topic %q... has %d characters, but Kafka allows 249", topic[:20], len(topic))
	}
	for _, c := range topic {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("topic %q contains %q, but Kafka allows only letters, digits, '.', '_' and '-'", topic, c)
		}
	}
	return nil
}

// isNil also finds a nil pointer, function and the like inside an interface.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Slice:
		return r.IsNil()
	}
	return false
}
