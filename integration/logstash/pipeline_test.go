package logstash

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/encoders"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/producer/franz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// moment is when everything is logged, and today when it arrives in the search
// engine: in UTC it is another day than where the service runs.
var (
	moment = time.Date(2026, 1, 2, 23, 4, 5, 678_901_234, time.FixedZone("", -2*3600))
	today  = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
)

type clock struct{}

func (clock) Now() time.Time                         { return moment }
func (clock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// config reads the configuration of examples/pipeline, by a symbolic link: of a file
// outside of the module go test would not notice that it has changed, and show the
// result of the last run.
func config(t *testing.T) Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "pipeline.conf"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logged returns the records of two entries with the encoder: one that came through
// the fallback, since there was no Kafka at first, and one that did not. The replay's
// record has the time of the replay, as topics with a short retention need it.
func logged(t *testing.T, enc encoders.Encoder, ids bool) (replayed, direct *kgo.Record) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "test"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	dir := t.TempDir()
	run := func(brokers []string, message string, last func(*zapkafka.Fallback)) {
		producer, err := franz.New(brokers)
		if err != nil {
			t.Fatal(err)
		}
		fallback, err := zapkafka.OpenFallback(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		syncer, err := zapkafka.NewKafkaSyncer(producer, "test", fallback, &zapkafka.Options{
			IDHeader: ids, Replay: zapkafka.ReplayOptions{StampNow: true}, ErrorHandler: func(error) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		zap.New(enc.Core(syncer, zap.InfoLevel, nil), zap.WithClock(clock{})).Named("shop").
			Warn(message, zap.Int("items", 3), zap.Error(errors.New("no route")))
		last(fallback)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_ = syncer.Shutdown(ctx) // without Kafka it says that the entry is on file
		if err := fallback.Close(); err != nil {
			t.Error(err)
		}
	}
	run([]string{"127.0.0.1:1"}, "during the outage", func(*zapkafka.Fallback) {})
	run(cluster.ListenAddrs(), "after it", func(f *zapkafka.Fallback) {
		harness.Eventually(t, "the entry on file is in Kafka, and the other one too", func() bool {
			return f.Stats().OnFile == 0 && cluster.PartitionInfos("test")[0].HighWatermark == 2
		})
	})
	harness.With(cluster.ListenAddrs()).ReadRecords(t, "test", func(r *kgo.Record) {
		if strings.Contains(string(r.Value), "during") {
			replayed = r
		} else {
			direct = r
		}
	})
	if replayed == nil || direct == nil {
		t.Fatal("one of the two entries is not in the topic")
	}
	return replayed, direct
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func TestWhatTheEncodersEmit(t *testing.T) {
	c := config(t)
	for _, enc := range encoders.All() {
		t.Run(enc.Name, func(t *testing.T) {
			t.Parallel()
			replayed, direct := logged(t, enc, true)
			for _, r := range []*kgo.Record{replayed, direct} {
				d, err := c.Run(r, today)
				if err != nil {
					t.Fatal(err)
				}
				// A double has to meet the first one in the same index, whenever it comes.
				if d.ID == "" || d.ID != header(r, "id") || d.Index != "app-logs-2026.01.03" {
					t.Errorf("the document is %q in %s, want the record's id %q in that of the day of the call", d.ID, d.Index, header(r, "id"))
				}
				again, err := c.Run(r, today.AddDate(0, 0, 1))
				if err != nil || again.ID != d.ID || again.Index != d.Index {
					t.Errorf("consumed a day later it is %s in %s, %v; before it was %s in %s", again.ID, again.Index, err, d.ID, d.Index)
				}
				message := "after it"
				if r == replayed {
					message = "during the outage"
				}
				if d.Fields["@timestamp"] != "2026-01-03T01:04:05.678Z" || d.Fields["message"] != message || d.Fields["items"] != 3.0 {
					t.Errorf("the document is %v, want %s at the time of the call", d.Fields, message)
				}
				for _, gone := range []string{"logtime", "msg", "tags", "@metadata", "event"} {
					if _, ok := d.Fields[gone]; ok {
						t.Errorf("there is %s in %v", gone, d.Fields)
					}
				}
				if (d.Fields["replayed"] == "true") != (r == replayed) {
					t.Errorf("replayed is %v in %v", d.Fields["replayed"], d.Fields)
				}
			}
		})
	}
}

// A service without ids, and a line that is no JSON.
func TestWhatElseIsInTheTopic(t *testing.T) {
	c := config(t)
	_, direct := logged(t, encoders.All()[0], false)
	d, err := c.Run(direct, today)
	if err != nil || d.ID != "" || d.Index != "app-logs-2026.01.03" || d.Fields["message"] != "after it" {
		t.Errorf("without an id: %+v, %v; want one without an id in the index of its day", d, err)
	}

	d, err = c.Run(&kgo.Record{Value: []byte("plain text"), Timestamp: moment}, today)
	want := map[string]any{
		"message": "plain text", "@timestamp": "2026-01-03T01:04:05.678Z", "@version": "1", "tags": []string{"_jsonparsefailure"},
	}
	if err != nil || !reflect.DeepEqual(d.Fields, want) || d.Index != "app-logs-2026.01.03" {
		t.Errorf("plain text: %+v, %v; want %v at the record's time", d, err, want)
	}

	// A time that nobody can read is not the end of the entry.
	d, err = c.Run(&kgo.Record{Value: []byte(`{"logtime":"yesterday","msg":"m"}`), Timestamp: moment}, today)
	want = map[string]any{
		"message": "m", "logtime": "yesterday", "@timestamp": "2026-01-03T01:04:05.678Z", "@version": "1", "tags": []string{"_dateparsefailure"},
	}
	if err != nil || !reflect.DeepEqual(d.Fields, want) {
		t.Errorf("an odd time: %+v, %v; want %v", d, err, want)
	}
}

// What the test does not know it must not pass over.
func TestTheUnknownIsRefused(t *testing.T) {
	const input = `input { kafka { codec => plain decorate_events => "extended" } }`
	const output = `output { elasticsearch { index => "i" document_id => "%{id}" } }`
	record := &kgo.Record{Value: []byte(`{"id":"1"}`)}
	for _, c := range []struct{ text, want string }{
		{input + `filter { grok { match => ["a", "b"] } }` + output, "grok"},
		{input + `filter { mutate { gsub => ["a", "b"] } }` + output, "gsub"},
		{input + `filter { if [a] == "b" { drop { } } }` + output, "condition"},
		{input + `filter { date { match => ["@metadata", "dd"] } }` + output, "dd"},
		{`input { kafka { codec => json } }` + output, "codec"},
		{input + `output { if [none] { elasticsearch { index => "i" } } }`, "no output"},
		{input + output[:len(output)-2] + ` elasticsearch { index => "i" } }`, "two outputs"},
		{input + `filter { date { match => `, "the end"},
		{`inputs { }`, "section"},
	} {
		config, err := Parse(c.text)
		if err == nil {
			_, err = config.Run(record, today)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.text, err, c.want)
		}
	}
	c, err := Parse(input + `filter { json { source => "message" } }` + output)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := c.Run(record, today); err != nil || d.ID != "1" {
		t.Errorf("%+v, %v; want the id 1", d, err)
	}
}
