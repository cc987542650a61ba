package zapkafka

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap/zapcore"
)

// Options are the knobs of a [KafkaSyncer]. The zero value of each field means
// its default; a nil *Options means all defaults.
type Options struct {
	// BufferBytes bounds the memory of the queue, in bytes: the entries that
	// wait, those that are with the producer, and what the client needs beside
	// them. Memory is taken when needed and given back when idle. Default 64 MiB;
	// at least 4 MiB.
	BufferBytes int64

	// Linger is how long an entry waits for others so that they travel
	// together. With several chunks unanswered at the producer it grows, up to
	// 128 times or to a quarter of DeliveryTimeout: a slow Kafka gets larger
	// batches. Default 10 ms; at most a quarter of DeliveryTimeout; negative:
	// none.
	Linger time.Duration

	// DeliveryTimeout is how long an entry may take from Write to Kafka's
	// acknowledgement. After that it is written to the fallback. Default 30 s; at
	// least 1 s.
	DeliveryTimeout time.Duration

	// MaxWait is the longest time for which Write waits when the queue is full
	// and the disk cannot keep up either; after that the entry is lost, or shed if
	// its level is Debug or Info. Once the disk makes no progress at all, nobody
	// waits, and once one at Debug or Info has waited in vain, no other of that level
	// or below does until there is room again, but for one that tries it each second,
	// or each ten times MaxWait if that is more. Default 100 ms; negative: never wait.
	MaxWait time.Duration

	// MaxEntryBytes is the length of the longest entry that is sent to Kafka, in
	// bytes; keep it below the topic's max.message.bytes, less a hundred bytes
	// for the batch. Longer entries go to the fallback's rejected file; what is
	// over 8 MiB of such an entry, or over what the buffer has room for (less than
	// half of BufferBytes), is cut off. Default 900,000; at most 8 MiB and a
	// quarter of BufferBytes, and NewKafkaSyncer says so if the overhead of the
	// producer leaves no room for that.
	MaxEntryBytes int

	// SyncTimeout bounds Sync, which zap itself calls for every entry above
	// Error: three quarters of it are for Kafka, the last one for writing what
	// has no acknowledgement by then to the fallback. Default 1 s; at least 10
	// ms.
	SyncTimeout time.Duration

	// CloseTimeout is the deadline that Close gives to Shutdown. Default 10 s;
	// at least 10 ms.
	CloseTimeout time.Duration

	// OutageAfter is how long nothing at all may be acknowledged, while entries
	// are with the producer, before that is an outage: new entries then go to the
	// fallback at once instead of waiting for their deadline, and Sync does not
	// wait for Kafka. The first acknowledgement ends it. Default 5 s, or half of
	// DeliveryTimeout if that is less; at least 10 ms and at most half of
	// DeliveryTimeout; negative: never.
	OutageAfter time.Duration

	// OnStateChange is called with each new [State] and the time at which it
	// began, in their order, from one goroutine of the syncer's own. It may block
	// without holding up anything; of many changes meanwhile the oldest are left
	// out. Default: none.
	OnStateChange func(state State, since time.Time)

	// IDHeader gives each record a header "id", by which a consumer removes
	// doubles: records with the same id are the same entry. It is a number drawn
	// when the syncer was made, in 16 hexadecimal digits, a hyphen, and the entry's
	// number with the syncer in decimal. A [Fallback] keeps it, so the replay sends
	// it too, also in a later process and without this option. It is not known,
	// and left out, for entries of a Fallback that were written to it directly, and
	// for those of which no index says anything (FallbackStats.Unindexed). The cost
	// is about 120 bytes of the bound for each record that is with the producer, and
	// two bytes an entry on file. Default: no such header.
	IDHeader bool

	// Replay is how entries in the fallback are sent to Kafka later.
	Replay ReplayOptions

	// FallbackLevel is the lowest level that goes to the fallback, for when disk is
	// tight. An entry below it that would have to go there, for whatever reason, is
	// dropped instead, and counted in Stats.Shed: so are those that Kafka has not
	// acknowledged when a Sync or Shutdown comes to the end of Kafka's time. Kafka's own
	// lowest level is that of the core. A zap.AtomicLevel can be changed at run time.
	// Entries of which no level is known, those of Write, always go. Default: all
	// levels go.
	FallbackLevel zapcore.LevelEnabler

	// LastResort gets entries that are lost: Kafka did not take them and the
	// fallback could not. Each is one Write of one line, "zapkafka: lost: " and as
	// much of the entry as was encoded, 4,000 bytes at most; ten of them in a
	// second, then a line that says how many were not shown. They count as lost all
	// the same. The Writes are made by a goroutine of the syncer's own, one at a
	// time, and may block without holding up anything; what comes meanwhile is not
	// shown. It must not lead back to the syncer. Default: standard error;
	// io.Discard: none.
	LastResort io.Writer

	// ErrorHandler is told what goes wrong on the way, at most once in ten
	// seconds for each kind of trouble. Default: a line on standard error.
	ErrorHandler ErrorHandler
}

// ReplayOptions are the choices about the entries in a [Fallback] that are sent
// to Kafka later: what went there while Kafka was away, what earlier processes
// left, and what is found in directories of the same tree whose owners have
// died. The zero value is a good one.
//
// Replay begins by itself, oldest entries first, behind what is logged at the
// moment. A replayed record has the topic, key, headers and id (see
// Options.IDHeader) of its entry, and beside them a header "replayed" with the
// time at which the entry was logged (RFC 3339, UTC; empty if it is not known),
// and, if Kafka may have the entry already, a header "possibly-duplicate" with
// "true".
type ReplayOptions struct {
	// Rate is the most entries that are replayed in a second; what the last two
	// seconds have left of it may come on top. Default 50,000; negative: none,
	// entries stay on file.
	Rate int

	// StampNow gives replayed records the time of the replay as their time stamp.
	// A topic whose retention goes by time may delete a record with an old stamp
	// at once, and a broker may be set to refuse one. Default: the time of the
	// entry, if it is known.
	StampNow bool
}

const (
	minBufferBytes = 4 << 20
	maxRejectBytes = 8 << 20
)

// withDefaults returns a copy with every field set, or one error that names
// everything which is wrong.
func (o *Options) withDefaults() (*Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	switch {
	case d.BufferBytes == 0:
		d.BufferBytes = 64 << 20
	case d.BufferBytes < minBufferBytes:
		bad("BufferBytes is %d, but must be 0 for the default of 64 MiB, or at least %d (4 MiB)", d.BufferBytes, minBufferBytes)
	}
	switch {
	case d.MaxEntryBytes == 0:
		d.MaxEntryBytes = 900_000
	case d.MaxEntryBytes < 0:
		bad("MaxEntryBytes is %d, but must be 0 for the default of 900,000, or positive", d.MaxEntryBytes)
	case d.MaxEntryBytes > maxRejectBytes:
		bad("MaxEntryBytes is %d, but must be at most %d (8 MiB)", d.MaxEntryBytes, maxRejectBytes)
	case d.BufferBytes >= minBufferBytes && int64(d.MaxEntryBytes) > d.BufferBytes/4:
		bad("MaxEntryBytes is %d, but must be at most a quarter of BufferBytes (%d)", d.MaxEntryBytes, d.BufferBytes/4)
	}
	duration := func(name string, v *time.Duration, byDefault, least time.Duration) {
		switch {
		case *v == 0:
			*v = byDefault
		case *v < least:
			bad("%s is %v, but must be 0 for the default of %v, or at least %v", name, *v, byDefault, least)
		}
	}
	duration("DeliveryTimeout", &d.DeliveryTimeout, 30*time.Second, time.Second)
	duration("SyncTimeout", &d.SyncTimeout, time.Second, 10*time.Millisecond)
	duration("CloseTimeout", &d.CloseTimeout, 10*time.Second, 10*time.Millisecond)
	orNone := func(v *time.Duration, byDefault time.Duration) {
		switch {
		case *v == 0:
			*v = byDefault
		case *v < 0:
			*v = 0
		}
	}
	orNone(&d.Linger, 10*time.Millisecond)
	orNone(&d.MaxWait, defaultMaxWait)
	if d.DeliveryTimeout > 0 && d.Linger > d.DeliveryTimeout/4 {
		bad("Linger is %v, but must be at most a quarter of DeliveryTimeout (%v)", d.Linger, d.DeliveryTimeout/4)
	}
	switch half := d.DeliveryTimeout / 2; {
	case d.OutageAfter < 0:
		d.OutageAfter = 0
	case d.OutageAfter == 0:
		if d.OutageAfter = defaultOutageAfter; d.OutageAfter > half {
			d.OutageAfter = half
		}
	case d.OutageAfter < 10*time.Millisecond:
		bad("OutageAfter is %v, but must be 0 for the default of %v, at least 10ms, or negative for never", d.OutageAfter, defaultOutageAfter)
	case d.OutageAfter > half && d.DeliveryTimeout > 0:
		bad("OutageAfter is %v, but must be at most half of DeliveryTimeout (%v)", d.OutageAfter, half)
	}
	if d.Replay.Rate == 0 {
		d.Replay.Rate = defaultReplayRate
	}
	if d.FallbackLevel != nil && isNil(d.FallbackLevel) {
		bad("FallbackLevel is a nil %T, but must be a level, or nil itself for all of them", d.FallbackLevel)
	}
	if d.LastResort == nil {
		d.LastResort = os.Stderr
	}
	if d.ErrorHandler == nil {
		d.ErrorHandler = stderrHandler
	}
	return &d, errors.Join(errs...)
}

const (
	defaultMaxWait     = 100 * time.Millisecond
	defaultOutageAfter = 5 * time.Second
	defaultReplayRate  = 50_000
)
