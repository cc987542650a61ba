package rivals

import (
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"
)

// What an asynchronous kafka-go was given is pending until it has an outcome, of
// whatever kind. One that holds its callers up by itself is not asked.
func TestKafkaGoPending(t *testing.T) {
	writer := &kafka.Writer{Async: true}
	sink := openKafkaGo(Setup{Brokers: []string{"localhost:1"}, Topic: "test"}, writer, nil)
	pending, ok := sink.(Pending)
	if !ok {
		t.Fatal("it cannot be asked what is pending")
	}
	k := sink.(kafkaAsync)
	k.given.Add(10)
	k.refused.Add(1)
	writer.Completion(make([]kafka.Message, 4), nil)
	writer.Completion(make([]kafka.Message, 2), errors.New("not delivered"))
	if n := pending.Pending(); n != 3 {
		t.Errorf("%d are pending, want 3", n)
	}
	if err := writer.Close(); err != nil {
		t.Error(err)
	}
	if _, err := sink.Write([]byte("entry\n")); err == nil {
		t.Error("a closed writer took an entry")
	}
	if n, c := pending.Pending(), sink.Count(); n != 3 || c.Refused != 2 {
		t.Errorf("%d are pending after a refusal, %+v; want 3, and 2 refused", n, c)
	}
	if _, ok := openKafkaGo(Setup{}, &kafka.Writer{}, nil).(Pending); ok {
		t.Error("a writer that waits for the answer is asked what is pending")
	}
}
