package spool

import (
	"sync"
	"time"
)

// Stats is the balance sheet of a Spool since Open. At rest
//
//	Inherited + Stored = Replayed + Rejected + Quarantined + Evicted + OnFile
//
// to the entry. Parts of files that are no entry count like entries: as the
// number that the index gives them, else as one each.
type Stats struct {
	// Inherited is the number of entries found: of earlier processes in the
	// directory, of dead owners adopted, and whatever else turned up in a file
	// that we had not written there.
	Inherited uint64
	// Stored is the number of entries written by Append.
	Stored uint64
	// Replayed is the number of entries that Replay.Done took off the file.
	Replayed uint64
	// Rejected is the number of entries that Replay.Reject moved to the rejected
	// file. What Spool.Reject wrote there never was in a segment, and is not in
	// this sheet.
	Rejected uint64
	// Quarantined is the number of entries that replay found damaged, and moved
	// to the quarantine, or missing from their file.
	Quarantined uint64
	// Evicted is the number of entries that were deleted before they were
	// replayed: to make room for newer ones, or by somebody else who removed
	// their file.
	Evicted uint64
	// OnFile is the number of entries that wait for replay.
	OnFile uint64

	// Uncounted is the number of segments whose entries are not in Inherited and
	// OnFile yet, since they have no index and more text than Open reads. Replay
	// counts each when it comes to it.
	Uncounted int
	// Unindexed is the number of entries that replay read without an index: when
	// they were logged, and whether Kafka may have them, was not known of plain
	// lines.
	Unindexed uint64
	// Bytes is Spool.Size.
	Bytes int64
	// Oldest is when the oldest entry on file was logged, zero if there is none
	// or it is not known. It is exact to the write: entries of the same write
	// may be a little older or newer.
	Oldest time.Time
}

// balance keeps Stats. Its lock is never held across I/O.
type balance struct {
	mu sync.Mutex
	s  Stats
}

func (b *balance) change(f func(*Stats)) {
	b.mu.Lock()
	f(&b.s)
	b.mu.Unlock()
}

// Stats returns the counts. It does not block.
func (s *Spool) Stats() Stats {
	s.balance.mu.Lock()
	defer s.balance.mu.Unlock()
	st := s.balance.s
	st.Bytes = s.Size()
	return st
}
