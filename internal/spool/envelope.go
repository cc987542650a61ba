package spool

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// envelopePrefix begins every envelope of every version. An entry that begins
// with it is itself put into an envelope, so a line tells what it is by its
// first bytes alone, with or without an index.
const envelopePrefix = `{"zapkafka_envelope":`

const envelopeVersion = 1

// Envelope is an entry with what a plain line cannot carry.
type Envelope struct {
	// Value is the entry without its final newline. A nil Value is written,
	// and read back, as an empty one.
	Value []byte
	// Topic is the entry's own topic; empty means the one of the segment.
	Topic string
	// Key is the record's key; nil means none, which is not the same as an
	// empty one.
	Key []byte
	// Headers are the record's headers. An empty slice is read back as nil.
	Headers []Header
	// Time is when the entry was logged; zero means unknown. It is kept in UTC
	// to the nanosecond. Years outside 1 to 9999 are written as unknown.
	Time time.Time
	// PossiblyDuplicate says that Kafka may have the entry too.
	PossiblyDuplicate bool
	// ID is the entry's; zero means none.
	ID ID
	// Reason says why the entry is in the rejected file ("too large"); empty in
	// a segment.
	Reason string
	// Size is the size of the whole entry in bytes, if Value is not all of it;
	// 0 otherwise.
	Size int64
	// Cut says that Value is only the beginning of the entry.
	Cut bool
}

// Header is a header of an entry. Kafka allows a key more than once.
type Header struct {
	// Key is the header's name.
	Key string
	// Value is the header's value; nil and empty are kept apart.
	Value []byte
}

// NeedsEnvelope reports whether an entry cannot stand as a plain line: it is
// empty, contains a newline or a NUL byte, or begins as an envelope does. line
// is the entry without its final newline. An entry with a key, headers or a
// topic of its own needs an envelope in any case.
func NeedsEnvelope(line []byte) bool {
	return len(line) == 0 ||
		isEnvelope(line) ||
		bytes.IndexByte(line, '\n') >= 0 ||
		// A file system that lost power may show blocks of NULs where text was.
		// As no plain line has any, the reader can tell.
		bytes.IndexByte(line, 0) >= 0
}

func isEnvelope(line []byte) bool {
	return len(line) >= len(envelopePrefix) && string(line[:len(envelopePrefix)]) == envelopePrefix
}

// AppendEnvelope appends e to dst as one line, final newline included, and
// returns the extended slice. It keeps nothing of e.
func AppendEnvelope(dst []byte, e Envelope) []byte {
	dst = append(dst, envelopePrefix...)
	dst = append(dst, '0'+envelopeVersion)
	if e.Topic != "" {
		dst = appendText(dst, ',', "topic", []byte(e.Topic))
	}
	if e.Key != nil {
		dst = appendText(dst, ',', "key", e.Key)
	}
	if len(e.Headers) > 0 {
		dst = append(dst, `,"headers":[`...)
		for i, h := range e.Headers {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, '{', "k", []byte(h.Key))
			if h.Value != nil {
				dst = appendText(dst, ',', "v", h.Value)
			}
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	if t := envelopeTime(e.Time); !t.IsZero() {
		dst = append(dst, `,"time":"`...)
		dst = t.AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, '"')
	}
	if e.PossiblyDuplicate {
		dst = append(dst, `,"possibly_duplicate":true`...)
	}
	if !e.ID.IsZero() {
		dst = append(e.ID.AppendText(append(dst, `,"id":"`...)), '"')
	}
	if e.Reason != "" {
		dst = appendText(dst, ',', "reason", []byte(e.Reason))
	}
	if e.Size != 0 {
		dst = append(dst, fmt.Sprintf(`,"size":%d`, e.Size)...)
	}
	if e.Cut {
		dst = append(dst, `,"cut":true`...)
	}
	dst = appendText(dst, ',', "value", e.Value)
	return append(dst, '}', '\n')
}

// EnvelopeLen returns how many bytes AppendEnvelope would append for e. It
// copies nothing of the value.
func EnvelopeLen(e Envelope) int {
	value := e.Value
	e.Value = nil
	n := len(AppendEnvelope(nil, e)) + escapedLen(value)
	if !utf8.Valid(value) {
		n += len("64") + base64.StdEncoding.EncodedLen(len(value)) - escapedLen(value)
	}
	return n
}

// escapedLen is what appendEscaped would append.
func escapedLen(text []byte) int {
	n := len(text)
	for _, c := range text {
		switch {
		case c == '"', c == '\\', c == '\n', c == '\r', c == '\t':
			n++
		case c < ' ':
			n += len(`\u00xx`) - 1
		}
	}
	return n
}

// envelopeTime is t as an envelope can have it: RFC 3339 knows years of four
// digits only.
func envelopeTime(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// appendText appends one member of a JSON object after the byte before. Bytes
// that are not UTF-8 have no place in a JSON string: they go in base64 under
// the name with "64" at its end.
func appendText(dst []byte, before byte, name string, text []byte) []byte {
	dst = append(dst, before, '"')
	dst = append(dst, name...)
	if utf8.Valid(text) {
		dst = append(dst, `":"`...)
		dst = appendEscaped(dst, text)
		return append(dst, '"')
	}
	dst = append(dst, `64":"`...)
	start, n := len(dst), base64.StdEncoding.EncodedLen(len(text))
	dst = append(dst, make([]byte, n)...)
	base64.StdEncoding.Encode(dst[start:], text)
	return append(dst, '"')
}

// appendEscaped escapes what JSON demands and nothing else, so that an entry is
// still found by the words in it.
func appendEscaped(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	plain := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, text[plain:]...)
}

// wireEnvelope is an envelope as JSON has it. Pointers tell an empty string
// from none.
type wireEnvelope struct {
	Version   int          `json:"zapkafka_envelope"`
	Topic     *string      `json:"topic"`
	Topic64   *[]byte      `json:"topic64"`
	Key       *string      `json:"key"`
	Key64     *[]byte      `json:"key64"`
	Headers   []wireHeader `json:"headers"`
	Time      *time.Time   `json:"time"`
	Duplicate bool         `json:"possibly_duplicate"`
	ID        *string      `json:"id"`
	Reason    *string      `json:"reason"`
	Reason64  *[]byte      `json:"reason64"`
	Size      int64        `json:"size"`
	Cut       bool         `json:"cut"`
	Value     *string      `json:"value"`
	Value64   *[]byte      `json:"value64"`
}

type wireHeader struct {
	Key     *string `json:"k"`
	Key64   *[]byte `json:"k64"`
	Value   *string `json:"v"`
	Value64 *[]byte `json:"v64"`
}

// ParseEnvelope reads an envelope from a line, with or without its final
// newline. Members that it does not know are ignored: later releases may add
// some. The result shares no memory with line.
func ParseEnvelope(line []byte) (Envelope, error) {
	if !isEnvelope(line) {
		return Envelope{}, fmt.Errorf("not an envelope: the line does not begin with %s", envelopePrefix)
	}
	// The JSON decoder would put U+FFFD in the place of a damaged byte and call
	// it well.
	if !utf8.Valid(line) {
		return Envelope{}, errors.New("damaged envelope: not valid UTF-8")
	}
	var w wireEnvelope
	if err := json.Unmarshal(line, &w); err != nil {
		return Envelope{}, fmt.Errorf("damaged envelope: %w", err)
	}
	if w.Version != envelopeVersion {
		return Envelope{}, fmt.Errorf("envelope of version %d: this release reads version %d", w.Version, envelopeVersion)
	}
	value := pick(w.Value, w.Value64)
	if value == nil {
		return Envelope{}, errors.New("damaged envelope: no value")
	}
	e := Envelope{
		Value:             value,
		Topic:             string(pick(w.Topic, w.Topic64)),
		Key:               pick(w.Key, w.Key64),
		PossiblyDuplicate: w.Duplicate,
		Reason:            string(pick(w.Reason, w.Reason64)),
		Size:              w.Size,
		Cut:               w.Cut,
	}
	if w.Time != nil {
		e.Time = envelopeTime(*w.Time)
	}
	if w.ID != nil {
		// What is no id to this release does no harm to the entry.
		e.ID, _ = ParseID([]byte(*w.ID))
	}
	for _, h := range w.Headers {
		e.Headers = append(e.Headers, Header{Key: string(pick(h.Key, h.Key64)), Value: pick(h.Value, h.Value64)})
	}
	return e, nil
}

// pick returns the member that is there, nil if neither is. The base64 form
// wins, so that a line with both has one meaning.
func pick(text *string, encoded *[]byte) []byte {
	switch {
	case encoded != nil && *encoded != nil:
		return *encoded
	case text != nil:
		return []byte(*text)
	}
	return nil
}
