package spool

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNeedsEnvelope(t *testing.T) {
	for line, want := range map[string]bool{
		`{"msg":"plain"}`:                    false,
		"console\tline":                      false,
		"carriage return\r":                  false,
		"\xff\xfe not UTF-8":                 false,
		`{"zapkafka_envelope"}`:              false,
		"":                                   true,
		"two\nlines":                         true,
		"ends in a newline\n":                true,
		"a\x00b":                             true,
		`{"zapkafka_envelope":`:              true,
		`{"zapkafka_envelope":1,"value":""}`: true,
	} {
		if got := NeedsEnvelope([]byte(line)); got != want {
			t.Errorf("NeedsEnvelope(%q) = %v, want %v", line, got, want)
		}
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	tests := map[string]Envelope{
		"empty value":     {Value: []byte{}},
		"multi-line":      {Value: []byte("a\nb\n\r\tc\"\\d\x00\x1f\x7f\u2028\ufffd<&>")},
		"not UTF-8":       {Value: []byte("\xff\xfe\x00abc")},
		"topic":           {Value: []byte("v"), Topic: "audit"},
		"topic not UTF-8": {Value: []byte("v"), Topic: "\xff"},
		"key":             {Value: []byte("v"), Key: []byte("user-1")},
		"empty key":       {Value: []byte("v"), Key: []byte{}},
		"binary key":      {Value: []byte("v"), Key: []byte{0, 0x80, 0xff}},
		"headers": {Value: []byte("v"), Headers: []Header{
			{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "", Value: []byte{}}, {Key: "\xff", Value: []byte{0xfe}},
		}},
		"time": {Value: []byte("v"), Time: firstTime},
		"all": {Value: []byte("v\n"), Topic: "t", Key: []byte("k"), Headers: []Header{{Key: "h", Value: []byte("v")}},
			Time: firstTime, PossiblyDuplicate: true, ID: ID{1 << 63, 42}, Reason: "too large\xff", Size: math.MaxInt64, Cut: true},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			line := AppendEnvelope(nil, want)
			if n := EnvelopeLen(want); n != len(line) {
				t.Errorf("EnvelopeLen = %d, the line has %d", n, len(line))
			}
			if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
				t.Errorf("not one line: %q", line)
			}
			if !json.Valid(line) {
				t.Errorf("not JSON: %q", line)
			}
			got, err := ParseEnvelope(line)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read back:\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEnvelopeToTheByte(t *testing.T) {
	// A release has frozen these lines: a change of one is a change of format.
	tests := []struct {
		e    Envelope
		want string
	}{
		{Envelope{Value: []byte("a\n\"b\"\\<é\x01")}, `{"zapkafka_envelope":1,"value":"a\n\"b\"\\<é\u0001"}`},
		{Envelope{Value: []byte("\xff")}, `{"zapkafka_envelope":1,"value64":"/w=="}`},
		{
			Envelope{Value: []byte("v"), Topic: "t", Key: []byte("k"), Headers: []Header{{Key: "a", Value: []byte("1")}, {Key: "b"}},
				Time: firstTime, PossiblyDuplicate: true, Reason: "too large", Size: 10, Cut: true},
			`{"zapkafka_envelope":1,"topic":"t","key":"k","headers":[{"k":"a","v":"1"},{"k":"b"}],` +
				`"time":"2024-05-06T07:08:09.123456789Z","possibly_duplicate":true,"reason":"too large","size":10,"cut":true,"value":"v"}`,
		},
	}
	for _, test := range tests {
		if got := string(AppendEnvelope(nil, test.e)); got != test.want+"\n" {
			t.Errorf("AppendEnvelope:\n got %swant %s", got, test.want)
		}
	}
}

func TestParseEnvelopeRefuses(t *testing.T) {
	for line, why := range map[string]string{
		``:                                    "not an envelope",
		`{"msg":"x"}`:                         "not an envelope",
		`{"zapkafka_envelope":1,"value":"a`:   "damaged envelope",
		`{"zapkafka_envelope":1}`:             "no value",
		`{"zapkafka_envelope":2,"value":"a"}`: "version 2",
		"{\"zapkafka_envelope\":1,\"value\":\"\xff\"}": "UTF-8",
		`{"zapkafka_envelope":1,"value64":"?"}`:        "damaged envelope",
	} {
		if _, err := ParseEnvelope([]byte(line)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("ParseEnvelope(%q) = %v, want an error with %q", line, err, why)
		}
	}
	e, err := ParseEnvelope([]byte(`{"zapkafka_envelope":1,"of a later release":[1],"value":"a"}`))
	if err != nil || string(e.Value) != "a" {
		t.Errorf("unknown member: %v, %v; want it to be ignored", e, err)
	}
}

func TestEnvelopeTimeOutOfRange(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		e, err := ParseEnvelope(AppendEnvelope(nil, Envelope{Time: at}))
		if err != nil || !e.Time.IsZero() {
			t.Errorf("time %v read back as %v, %v; want none", at, e.Time, err)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("v"), "t", []byte("k"), true, "h", []byte("hv"), int64(1), true, "too large", int64(3))
	f.Add([]byte("\xff\n\x00"), "", []byte{}, false, "", []byte{}, int64(0), false, "", int64(0))
	f.Fuzz(func(t *testing.T, value []byte, topic string, key []byte, hasKey bool, hk string, hv []byte, ns int64, flag bool, reason string, size int64) {
		want := Envelope{Value: value, Topic: topic, Time: time.Unix(0, ns).UTC(), PossiblyDuplicate: flag, Reason: reason, Size: size, Cut: flag}
		if value == nil {
			want.Value = []byte{}
		}
		if hasKey && key != nil {
			want.Key = key
		}
		if flag {
			want.Headers = []Header{{Key: hk, Value: hv}, {Key: hk}}
			want.ID = ID{Instance: uint64(ns) | 1, Sequence: uint64(size)}
		}
		line := AppendEnvelope(nil, want)
		if NeedsEnvelope(line[:len(line)-1]) != true || bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("not one line that tells what it is: %q", line)
		}
		if n := EnvelopeLen(want); n != len(line) {
			t.Fatalf("EnvelopeLen = %d, but %q has %d bytes", n, line, len(line))
		}
		got, err := ParseEnvelope(line)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("read back from %q:\n got %+v, %v\nwant %+v", line, got, err, want)
		}
	})
}

func FuzzParseEnvelope(f *testing.F) {
	f.Add([]byte(`{"zapkafka_envelope":1,"topic64":"/w==","headers":[{"k":"a","v64":""},null],"time":"2024-05-06T07:08:09+02:00","value":""}`))
	f.Add([]byte(`{"zapkafka_envelope":1,"id":"0123456789abcdef-1","value":""}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := ParseEnvelope(line)
		if err != nil {
			return
		}
		again, err := ParseEnvelope(AppendEnvelope(nil, e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("what was read from %q does not stay the same:\n got %+v, %v\nwant %+v", line, again, err, e)
		}
	})
}
