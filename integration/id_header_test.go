package integration

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/adaptors"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// The broker is frozen in the middle of traffic for longer than entries wait, with
// each client: however often an entry is in the topic in the end, it has one id
// there, and no other has it.
func TestIDHeaderWithEachClient(t *testing.T) {
	k := harness.NeedScript(t)
	const entries, rate = 10_000, 2_000
	for _, a := range adaptors.All() {
		t.Run(a.Name, func(t *testing.T) {
			a.SkipIfItRaces(t)
			producer, err := a.New(k.Brokers)
			if err != nil {
				t.Fatal(err)
			}
			topic := k.Topic(t)
			s := harness.OpenWith(t, producer, topic, zapkafka.Options{IDHeader: true, DeliveryTimeout: time.Second})
			run := load.New(s.Logger.Logger, load.Plan{Workers: 10, Rate: rate, PerWorker: entries / 10}).Start()
			await(t, run, entries/4)
			k.Pause(t)
			await(t, run, entries/2)
			k.Resume(t)
			run.Wait()
			s.Replayed(t)
			s.Finish(t)

			idsOf, valueOf, records, replayed := map[string]string{}, map[string]string{}, 0, 0
			k.ReadRecords(t, topic, func(r *kgo.Record) {
				records++
				id := ""
				for _, h := range r.Headers {
					switch h.Key {
					case "id":
						id = string(h.Value)
					case "replayed":
						replayed++
					}
				}
				value := string(r.Value)
				if was, ok := idsOf[value]; id == "" || ok && was != id {
					t.Errorf("%s has the ids %q and %q", value, was, id)
				}
				if was, ok := valueOf[id]; ok && was != value {
					t.Errorf("%s and %s have the id %q", was, value, id)
				}
				idsOf[value], valueOf[id] = id, value
			})
			if len(idsOf) != entries || replayed == 0 {
				t.Errorf("%d entries in the topic, want %d; %d records of the replay, want some", len(idsOf), entries, replayed)
			}
			t.Logf("%s: %d entries in %d records, %d of them of the replay", a.Name, len(idsOf), records, replayed)
		})
	}
}
