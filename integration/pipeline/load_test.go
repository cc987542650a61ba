package pipeline

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka/integration/harness"
)

// loaded is what a consumer has brought from a topic into an index.
type loaded struct {
	records  int // of the topic
	replaced int // of these, whose document was there already
	replayed int // of these, that came through the fallback
}

// loadTopic brings what is in the topic by now into the index, as a consumer does
// that has the header id for the document's: from the start, whatever was loaded
// before.
func loadTopic(t *testing.T, k *harness.Kafka, topic string, x Index) loaded {
	t.Helper()
	const bulk = 2000
	var l loaded
	var documents []Document
	put := func() {
		if len(documents) == 0 {
			return
		}
		replaced, err := x.Bulk(documents)
		if err != nil {
			t.Fatal(err)
		}
		l.replaced += replaced
		documents = documents[:0]
	}
	k.ReadRecords(t, topic, func(r *kgo.Record) {
		l.records++
		d := Document{Source: r.Value}
		for _, h := range r.Headers {
			switch h.Key {
			case "id":
				d.ID = string(h.Value)
			case "replayed":
				l.replayed++
			}
		}
		if documents = append(documents, d); len(documents) == bulk {
			put()
		}
	})
	put()
	if err := x.Refresh(); err != nil {
		t.Fatal(err)
	}
	return l
}
