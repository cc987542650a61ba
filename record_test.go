package zapkafka

import "testing"

// A Record that somebody's test made by hand has no owner to be told.
func TestRecordWithoutOwner(t *testing.T) {
	r := &Record{Topic: "t", Value: []byte("v")}
	r.Done(nil)
	r.Done(nil)
}

func TestNewRecordTellsTheFirstDone(t *testing.T) {
	calls := 0
	r := NewRecord("t", []byte("v"), func(error) { calls++ })
	r.Done(nil)
	r.Done(nil)
	NewRecord("t", nil, nil).Done(nil)
	if calls != 1 {
		t.Errorf("done was called %d times, want once", calls)
	}
}
