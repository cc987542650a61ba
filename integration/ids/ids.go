// Package ids marks log entries so that each of them can be found again, in a
// topic or in a file.
package ids

import (
	"bytes"

	"go.uber.org/zap"
)

// ID is an entry: the Seq-th, from 0, that a worker logged.
type ID struct{ Worker, Seq int }

// Fields are the two fields that carry the ID. They have to stand next to each
// other in the entry.
func (id ID) Fields() (worker, seq zap.Field) {
	return zap.Int("w", id.Worker), zap.Int("n", id.Seq)
}

var (
	workerKey = []byte(`"w":`)
	seqKey    = []byte(`,"n":`)
)

// Parse finds the ID in an encoded entry. It reports false if there is none, or
// the entry ends within it.
func Parse(entry []byte) (ID, bool) {
	at := bytes.Index(entry, workerKey)
	if at < 0 {
		return ID{}, false
	}
	worker, rest, ok := number(entry[at+len(workerKey):])
	if !ok || !bytes.HasPrefix(rest, seqKey) {
		return ID{}, false
	}
	seq, _, ok := number(rest[len(seqKey):])
	return ID{worker, seq}, ok
}

// number reads digits up to the character behind them, which has to be there.
func number(b []byte) (n int, rest []byte, ok bool) {
	for i, c := range b {
		if c < '0' || c > '9' {
			return n, b[i:], i > 0
		}
		n = n*10 + int(c-'0')
	}
	return 0, nil, false
}
