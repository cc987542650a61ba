package pipeline

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/encoders"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/ids"
	"github.com/zapkafka/zapkafka/integration/load"
)

const (
	workers   = 4
	rate      = 2000 // entries a second, of each service
	perWorker = 5000
	numbered  = workers * perWorker

	// repetitions are honest ones: the same line, byte by byte, as when a loop logs.
	repetitions = 100
	// withoutID are entries of a service that has IDHeader off.
	withoutID = 50
	// doubled are the records that the topic has a second time.
	doubled = 500

	slot = 500 * time.Millisecond
)

// clock is that of a machine whose zone is not UTC.
type clock struct{ at time.Time }

var zone = time.FixedZone("", 5*3600+1800)

func (c clock) Now() time.Time {
	if c.at.IsZero() {
		return time.Now().In(zone)
	}
	return c.at
}

func (clock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// service is a program that logs, and the index in which its log is to be found.
type service struct {
	encoders.Encoder
	sink  *harness.Sink
	topic string
	index Index
	run   *load.Run
}

// logger returns a logger that writes to the syncer in the shape of the service.
func (s *service) logger(syncer *zapkafka.KafkaSyncer, at time.Time) *zap.Logger {
	return zap.New(s.Core(syncer, zap.InfoLevel, nil), zap.WithClock(clock{at})).Named("shop")
}

func TestPipeline(t *testing.T) {
	engine := os.Getenv("OPENSEARCH_URL")
	if engine == "" {
		t.Skip("OPENSEARCH_URL is not set: `make pipeline` starts Kafka and OpenSearch and runs this test on them")
	}
	t.Cleanup(client.CloseIdleConnections)
	k := harness.NeedScript(t)

	var services []*service
	for _, e := range encoders.All() {
		topic := k.Topic(t)
		s := &service{Encoder: e, topic: topic, index: Index{URL: engine, Name: strings.ToLower(topic) + "-" + e.Name}}
		s.sink = k.Open(t, topic, zapkafka.Options{
			IDHeader: true, DeliveryTimeout: time.Second, OutageAfter: 500 * time.Millisecond, BufferBytes: 8 << 20,
		})
		services = append(services, s)
	}

	// The outage: Kafka is frozen for as long as it takes to log a third.
	begin := time.Now()
	for _, s := range services {
		s.run = load.New(s.logger(s.sink.Syncer, time.Time{}), load.Plan{Workers: workers, Rate: rate, PerWorker: perWorker}).Start()
	}
	await(t, services[0].run, numbered/3)
	k.Pause(t)
	frozen := time.Now()
	await(t, services[0].run, numbered/3)
	k.Resume(t)
	outage := time.Since(frozen)
	for _, s := range services {
		s.run.Wait()
	}
	end := time.Now()

	for _, s := range services {
		t.Run(s.Name, func(t *testing.T) { s.check(t, k, begin, end, outage) })
	}
}

// await waits until n more entries have been logged.
func await(t *testing.T, run *load.Run, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	if err := run.Await(ctx, n); err != nil {
		t.Fatalf("no %d entries could be logged: %v", n, err)
	}
}

// check ends the service, loads its topic, and asks the engine.
func (s *service) check(t *testing.T, k *harness.Kafka, begin, end time.Time, outage time.Duration) {
	again := s.logger(s.sink.Syncer, end)
	for range repetitions {
		again.Info("again")
	}
	s.sink.Replayed(t)
	s.sink.Finish(t)
	stats := s.sink.Syncer.Stats()
	if stats.Lost.Total() != 0 || stats.FellBack.Total() == 0 {
		t.Fatalf("%d entries are lost and %d fell back, want none and some: the outage took %v", stats.Lost.Total(), stats.FellBack.Total(), outage)
	}
	plain := k.Open(t, s.topic, zapkafka.Options{})
	other := s.logger(plain.Syncer, end)
	for range withoutID {
		other.Info("no id")
	}
	plain.Finish(t)

	first := loadTopic(t, k, s.topic, s.index)
	doubles := first.records - numbered - repetitions - withoutID
	if first.replaced != doubles {
		t.Errorf("%d records are there more than once, but %d replaced their document", doubles, first.replaced)
	}
	s.ask(t, begin, end, 1)

	// Some records are in the topic twice, and a consumer that has lost its offsets
	// takes all of them again.
	s.double(t, k)
	second := loadTopic(t, k, s.topic, s.index)
	if want := first.records - withoutID + doubled; second.replaced != want {
		t.Errorf("%d of %d records that were consumed again replaced their document, want %d", second.replaced, second.records, want)
	}
	s.ask(t, begin, end, 2)
	t.Logf("%-8s  %d logged, outage of %v: %d fell back; topic: %d records, %d of them replayed, %d doubles; "+
		"consumed twice, with %d more doubles: %d documents in the index, %s is a %s",
		s.Name, numbered+repetitions, outage.Round(time.Millisecond), stats.FellBack.Total(),
		first.records-withoutID, first.replayed, doubles, doubled, s.index.Count(t, all)-2*withoutID, s.Time, s.index.TypeOf(t, s.Time))
}

// double puts records with an id into the topic for a second time.
func (s *service) double(t *testing.T, k *harness.Kafka) {
	t.Helper()
	var records []*kgo.Record
	k.ReadRecords(t, s.topic, func(r *kgo.Record) {
		hasID := slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "id" })
		if hasID && len(records) < doubled {
			records = append(records, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp})
		}
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if len(records) != doubled {
		t.Fatalf("%d records with an id in the topic, want %d at least", len(records), doubled)
	}
}

// all finds every document.
var all = map[string]any{"match_all": map[string]any{}}

// is finds the documents whose field is this text, whole.
func is(field, text string) map[string]any {
	return map[string]any{"term": map[string]any{field + ".keyword": text}}
}

// ask asks the engine for what was logged between begin and end, when the topic has
// been loaded so many times.
func (s *service) ask(t *testing.T, begin, end time.Time, loads int) {
	t.Helper()
	if got := s.index.TypeOf(t, s.Time); got != "date" {
		t.Errorf("%s is mapped as %q, want date", s.Time, got)
	}
	times := s.index.Times(t)
	for worker := range workers {
		for seq := range perWorker {
			id := ids.ID{Worker: worker, Seq: seq}
			if n := times[id]; n != 1 {
				t.Fatalf("%v is in the index %d times", id, n)
			}
		}
	}
	// Without an id the engine cannot know a record again.
	unnamed := withoutID * loads
	level := is(s.Level, "info")
	if s.Name == "logstash" {
		level = is(s.Level, "INFO")
	}
	// The entries have milliseconds, cut off.
	within := map[string]any{"range": map[string]any{s.Time: map[string]any{
		"gte": begin.Add(-time.Millisecond).UTC().Format(time.RFC3339Nano), "lte": end.UTC().Format(time.RFC3339Nano),
	}}}
	for _, q := range []struct {
		what  string
		query map[string]any
		want  int
	}{
		{"all", all, numbered + repetitions + unnamed},
		{"all at their times", within, numbered + repetitions + unnamed},
		{"numbered", is(s.Message, "load"), numbered},
		{"repetitions", is(s.Message, "again"), repetitions},
		{"without an id", is(s.Message, "no id"), unnamed},
		{"at info", level, numbered + repetitions + unnamed},
	} {
		if got := s.index.Count(t, q.query); got != q.want {
			t.Errorf("%s: %d documents, want %d", q.what, got, q.want)
		}
	}
	// No hole where the outage was.
	for i, n := range s.index.Slots(t, s.Time, slot, is(s.Message, "load")) {
		if n == 0 {
			t.Errorf("no entries in the %v from the start of the load, plus %v", slot, time.Duration(i)*slot)
		}
	}
}
