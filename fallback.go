package zapkafka

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// DefaultFallbackBytes is the cap of a [Fallback] unless its options say
// otherwise: 1 GiB.
const DefaultFallbackBytes = 1 << 30

var (
	// ErrFallbackFull is in the error of a write to a [Fallback] that its cap
	// refused. What was on file before stays.
	ErrFallbackFull = spool.ErrFull
	// ErrFallbackClosed is in the error of a write to a [Fallback] after Close.
	ErrFallbackClosed = spool.ErrClosed
)

// FallbackOptions are the choices of a [Fallback]. The zero value is a good
// one.
type FallbackOptions struct {
	// MaxBytes bounds the size of all files in the directory, in bytes, so that
	// a host does not run out of disk because Kafka is away. What is on file is
	// kept, what does not fit any more is refused with [ErrFallbackFull], unless
	// KeepNewest is set. Each owner's subdirectory has a bound of its own. Zero:
	// [DefaultFallbackBytes]. Negative: no bound.
	MaxBytes int64

	// KeepNewest makes the oldest entries give way when MaxBytes is reached: they
	// are deleted, a segment at a time, and counted as FallbackStats.Evicted.
	// Default: what is on file stays, and what comes is refused.
	KeepNewest bool

	// SegmentBytes is the size of a file, in bytes, from which on the next write
	// begins another. With KeepNewest it is at most a sixteenth of MaxBytes. Zero:
	// 64 MiB. Negative: an error.
	SegmentBytes int64

	// FsyncAfter is how long what was written may wait for an fsync, which makes
	// it survive a crash of the machine; the end of the process alone it survives
	// from the moment in which it was written. The fsync is made beside the writes,
	// which do not wait for it: what is written during one is in the next, so with
	// [FsyncAtOnce] they follow each other as fast as the disk can, while something
	// is written. One that fails is counted (FallbackStats.FailedFsyncs), reported
	// to Options.ErrorHandler of the syncers that use the Fallback, and an error
	// of the next Sync. Zero: only Sync, which a KafkaSyncer's Sync and Shutdown
	// call, and Close make one. Negative: an error.
	FsyncAfter time.Duration
}

// Fallback is a directory for entries that did not reach Kafka: plain text
// files, one entry a line as it was encoded, which grep and log shippers read.
// An entry that is not exactly one line is kept as one line of JSON around it.
//
// It is a [zapcore.WriteSyncer] which can be used by itself too. All methods may
// be called concurrently. Writes wait for the disk, never for Kafka.
type Fallback struct {
	// Immutable after OpenFallback.
	dir   string
	most  int64 // FallbackOptions.MaxBytes
	spool *spool.Spool
	now   func() time.Time
	fsync func() error // spool.Sync
	timed *timedFsync  // nil: none

	oversize     atomic.Uint64
	failedFsyncs atomic.Uint64

	closeOnce sync.Once
	closeErr  error // set in closeOnce

	// syncMu is held for the time of an fsync.
	syncMu sync.Mutex
	untold error // of an fsync by time, for the next Sync; guarded by syncMu

	reportersMu sync.Mutex
	reporters   map[*reporter]bool // of the syncers that use the Fallback; guarded by reportersMu

	// appended has room for one signal: there is more to replay.
	appended chan struct{}
	// replaying is held by the syncer that replays the directory. Others wait for
	// it.
	replaying chan struct{}

	topicMu sync.Mutex
	topic   string // guarded by topicMu

	mu   sync.Mutex // guards the memory below, which Write uses again
	line []byte
	ends [1]uint32
}

var (
	_ zapcore.WriteSyncer = (*Fallback)(nil)
	_ io.Closer           = (*Fallback)(nil)
)

// FallbackStats is the balance sheet of a [Fallback] since it was opened. At
// rest
//
//	Inherited + Stored == Replayed + Rejected + Quarantined + Evicted + OnFile
//
// to the entry. What is in the rejected file because it was too large to be sent
// at all never waited for replay: it is counted in Oversize, beside the sheet.
type FallbackStats struct {
	// Inherited is the number of entries found on file: left by earlier
	// processes, in the directory or in one of a dead owner that was adopted.
	Inherited uint64
	// Stored is the number of entries written to segments.
	Stored uint64
	// Replayed is the number of entries that Kafka has acknowledged since they
	// were on file, and that are on file no more.
	Replayed uint64
	// Rejected is the number of entries that Kafka refused for good when they
	// were replayed, each sent alone; they were moved to the rejected file. So are
	// those found on file that are over Options.MaxEntryBytes.
	Rejected uint64
	// Quarantined is the number of entries that were found damaged, and moved to
	// the quarantine file, or missing from their file.
	Quarantined uint64
	// Evicted is the number of entries that were deleted before they were
	// replayed: to make room for newer ones (KeepNewest), or by somebody else who
	// removed their file.
	Evicted uint64
	// OnFile is the number of entries that wait for replay.
	OnFile uint64

	// Oversize is the number of entries written to the rejected file at once,
	// because they are over Options.MaxEntryBytes.
	Oversize uint64
	// FailedFsyncs is the number of fsyncs that failed: what was written before
	// such a one may not survive a crash of the machine.
	FailedFsyncs uint64
	// Uncounted is the number of files of earlier processes whose entries are not
	// in Inherited and OnFile yet: they have no index and are long. Replay counts
	// each when it comes to it.
	Uncounted int
	// Unindexed is the number of entries that were replayed without an index:
	// their times, and whether Kafka may have them too, are not known.
	Unindexed uint64
	// Bytes is the size of all files that count towards the cap, those of
	// earlier processes included.
	Bytes int64
	// MaxBytes is the cap, FallbackOptions.MaxBytes or its default, in bytes;
	// negative if there is none.
	MaxBytes int64
	// Oldest is when the oldest entry on file was logged, give or take the time
	// that one write covers; zero if nothing is on file or it is not known.
	Oldest time.Time
}

// OpenFallback opens the directory dir for the entries that do not reach Kafka;
// nil options mean the defaults. It makes the directory (mode 0700) and what is
// missing above it, and fails if no file can be made there.
//
// A directory has one owner at a time. When another living process, or another
// Fallback of this one, owns dir, OpenFallback takes the first free one of its
// subdirectories owner-0002, owner-0003 and so on; [Fallback.Dir] says which.
// Files of earlier processes stay as they are until a [KafkaSyncer] that was
// given the Fallback replays them. No data file is made before the first entry.
//
// The caller closes the Fallback, after the [KafkaSyncer] that was given it.
func OpenFallback(dir string, o *FallbackOptions) (*Fallback, error) {
	if dir == "" {
		return nil, errors.New("zapkafka: open fallback: the directory's path is empty: name the directory for entries that do not reach Kafka")
	}
	so := spool.Options{MaxBytes: DefaultFallbackBytes}
	if o != nil {
		if o.SegmentBytes < 0 {
			return nil, fmt.Errorf("zapkafka: open fallback: SegmentBytes is %d, but must be 0 for the default of 64 MiB, or positive", o.SegmentBytes)
		}
		if o.FsyncAfter < 0 {
			return nil, fmt.Errorf("zapkafka: open fallback: FsyncAfter is %v, but must be 0 for none but those of Sync, or positive", o.FsyncAfter)
		}
		if o.MaxBytes != 0 {
			so.MaxBytes = o.MaxBytes
		}
		so.SegmentBytes, so.Evict = o.SegmentBytes, o.KeepNewest
	}
	s, err := spool.Open(dir, so)
	if err != nil {
		return nil, fmt.Errorf("zapkafka: %w", err) // names the directory and what to do
	}
	f := &Fallback{dir: s.Dir(), most: so.MaxBytes, spool: s, now: time.Now, fsync: s.Sync, appended: make(chan struct{}, 1), replaying: make(chan struct{}, 1)}
	if o != nil && o.FsyncAfter > 0 {
		f.timed = newTimedFsync(o.FsyncAfter, f.syncByTime)
		go f.timed.run()
	}
	return f, nil
}

// Write puts one encoded entry on file, with one system call for the entry and
// one for its index; p is the caller's again when it returns. One final newline
// belongs to the encoding, not to the entry, and is written if it is missing.
// An entry may have up to 64 MiB as it is kept on file.
//
// It returns len(p) when the entry is on file, and an error beside it if only
// the index could not be written; the entry is then found by its newline. Else
// it returns 0 and an error, with [ErrFallbackFull] in it if the cap was
// reached, and the next Write tries again. After Close it returns
// [ErrFallbackClosed].
func (f *Fallback) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value, text := p, p
	if n := len(p); n > 0 && p[n-1] == '\n' {
		value = p[:n-1]
	}
	switch now := f.now(); {
	case spool.NeedsEnvelope(value):
		f.line = spool.AppendEnvelope(f.line[:0], spool.Envelope{Value: value, Time: now})
		text = f.line
	case len(value) == len(p):
		f.line = append(append(f.line[:0], p...), '\n')
		text = f.line
	}
	n, err := f.appendLine(text)
	if cap(f.line) > keepLine {
		f.line = nil
	}
	if n == 0 {
		return 0, err
	}
	return len(p), err
}

// keepLine is how much memory for a line is kept for the next Write.
const keepLine = 64 << 10

func (f *Fallback) appendLine(text []byte) (int, error) {
	if int64(len(text)) > spool.MaxBatchBytes {
		return 0, fmt.Errorf("write to fallback %q: the entry has %d bytes: the most is %d", f.dir, len(text), spool.MaxBatchBytes)
	}
	now := f.now()
	f.ends[0] = uint32(len(text))
	return f.appendBatch(spool.Batch{Text: text, Ends: f.ends[:], First: now, Last: now})
}

// Dir is the directory that the files are in: the one that OpenFallback was
// given, or a subdirectory of it.
func (f *Fallback) Dir() string { return f.dir }

// Stats returns the counts. It does not block.
func (f *Fallback) Stats() FallbackStats {
	st := f.spool.Stats()
	return FallbackStats{
		Inherited: st.Inherited, Stored: st.Stored,
		Replayed: st.Replayed, Rejected: st.Rejected, Quarantined: st.Quarantined, Evicted: st.Evicted, OnFile: st.OnFile,
		Oversize: f.oversize.Load(), FailedFsyncs: f.failedFsyncs.Load(), Uncounted: st.Uncounted, Unindexed: st.Unindexed, Bytes: st.Bytes, MaxBytes: f.most, Oldest: st.Oldest,
	}
}

// appendBatch puts entries on file and returns how many there are, counted from
// the first; see spool.Spool.Append.
func (f *Fallback) appendBatch(b spool.Batch) (entries int, err error) {
	entries, err = f.spool.Append(b)
	if entries > 0 {
		wake(f.appended)
		f.wrote()
	}
	return entries, err
}

// rejectBatch is appendBatch to the file of entries that Kafka will not take.
// The lines are envelopes which give a reason.
func (f *Fallback) rejectBatch(b spool.Batch) (entries int, err error) {
	entries, err = f.spool.Reject(b)
	f.oversize.Add(uint64(entries))
	if entries > 0 {
		f.wrote()
	}
	return entries, err
}

// claimTopic asks for plain lines to mean topic. The first topic wins, and is
// recorded in the index. Where it reports false the fallback has another
// already, and an entry for topic goes in an envelope that names it.
func (f *Fallback) claimTopic(topic string) bool {
	f.topicMu.Lock()
	defer f.topicMu.Unlock()
	if f.topic == "" && f.spool.SetTopic(topic) == nil {
		f.topic = topic
	}
	return f.topic == topic
}
