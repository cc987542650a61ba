// Package spool is the directory of the fallback: entries that Kafka did not
// take, in plain text files which people can read, with an index beside each
// for the way back. A Spool writes them, a Replay takes them off the file again.
// DESIGN.md describes the files to the byte.
package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultSegmentBytes is the size at which the next segment is begun: 64 MiB.
const DefaultSegmentBytes = 64 << 20

// recountEvery is how often a full directory is counted again, in case somebody
// made room.
const recountEvery = time.Second

var (
	// ErrFull is in the error of every write which the cap refuses, in whole or
	// in part.
	ErrFull = errors.New("the fallback directory is full")
	// ErrClosed is the error of every write after Close.
	ErrClosed = errors.New("the fallback is closed")
)

// Options are the choices of a Spool.
type Options struct {
	// MaxBytes bounds the size of all files that the owner of a directory has
	// in it, text and index. Zero or less: no bound.
	MaxBytes int64
	// SegmentBytes is the size of text from which on the next write begins a
	// new segment. Zero or less: DefaultSegmentBytes. With Evict it is at most a
	// sixteenth of MaxBytes, as room is made by whole segments.
	SegmentBytes int64
	// Evict says what gives way when the cap is reached: the oldest entries,
	// which are then counted as evicted, rather than the newest, which are then
	// refused with ErrFull.
	Evict bool

	fs  fileSystem       // nil: the real one
	now func() time.Time // nil: time.Now
}

// Spool is a fallback directory, and the only one who writes there. All methods
// may be called concurrently. Writes wait for each other and for the disk; a
// write does not wait for a Sync. It may wait for replay, though: for the deletion
// of a segment, and where rejected or damaged entries were in it, for the sync of
// these.
type Spool struct {
	// Immutable after Open.
	root         string // as asked for; dir is below it if it had an owner
	dir          string
	maxBytes     int64
	segmentBytes int64
	evict        bool
	fs           fileSystem
	now          func() time.Time

	countUntil atomic.Value   // <-chan struct{}, see CountUntil
	counting   sync.WaitGroup // countEvicted
	countTurn  sync.Mutex     // of countEvicted; taken before no other
	closing    atomic.Bool    // set by Close: counting ends

	size    atomic.Int64 // written under mu
	balance balance      // has a lock of its own

	// syncMu makes Sync and Close take turns. It is taken before mu.
	syncMu   sync.Mutex
	closeErr error // guarded by syncMu; Close's answer

	mu          sync.Mutex
	lock        dirLock // nil if it was lost; guarded by mu, as are all below
	closed      bool
	topic       string
	last        uint64 // highest segment number seen or given
	current     *segment
	rejected    *lineFile
	quarantined *lineFile
	own         *backlog
	backlogs    []*backlog       // own, and those of adopted directories
	replays     map[*Replay]bool // not closed yet
	counted     time.Time        // when size was last taken from the directory
	syncing     bool             // a Sync is between taking the marks and its end
	unsynced    []string         // files closed before they were synced
	newNames    []string         // directories in which names appeared since the last sync
}

// Open takes dir for the caller, making it and what is missing above it. If
// dir has a living owner already, in this process or in another, Open takes the
// first free subdirectory of owner-0002, owner-0003 and so on; [Spool.Dir] says
// which. No file but the lock is made before the first write.
func Open(dir string, o Options) (*Spool, error) {
	if dir == "" {
		return nil, errors.New("open fallback directory: the path is empty: name a directory")
	}
	s := &Spool{root: dir, maxBytes: o.MaxBytes, segmentBytes: o.SegmentBytes, evict: o.Evict,
		fs: o.fs, now: o.now, replays: map[*Replay]bool{}}
	if s.segmentBytes <= 0 {
		s.segmentBytes = DefaultSegmentBytes
	}
	if s.evict && s.maxBytes > 0 && s.segmentBytes > s.maxBytes/evictParts {
		s.segmentBytes = s.maxBytes/evictParts + 1
	}
	if s.fs == nil {
		s.fs = osFS{}
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.open(); err != nil {
		if s.lock != nil {
			s.lock.Close()
		}
		return nil, fmt.Errorf("open fallback directory %q: %w", dir, explain(err, dir))
	}
	return s, nil
}

func (s *Spool) open() error {
	for n := 1; s.lock == nil; n++ {
		if n > maxOwners {
			return fmt.Errorf("it has %d living owners: give each process a directory of its own", maxOwners)
		}
		s.dir = s.root
		if n > 1 {
			s.dir = filepath.Join(s.root, ownerName(n))
		}
		if err := s.takeLocked(); err != nil && !errors.Is(err, errOwned) {
			return err
		}
	}
	if err := s.probe(); err != nil {
		return err
	}
	s.own = &backlog{dir: s.dir, own: true}
	s.backlogs = []*backlog{s.own}
	found, err := s.countLocked()
	if err != nil {
		return err
	}
	s.surveyAll(found)
	return nil
}

// takeLocked makes the directory and becomes its owner. errOwned means that
// another is.
func (s *Spool) takeLocked() error {
	changed, err := makeDir(s.fs, s.dir)
	if err != nil {
		return err
	}
	lock, err := acquire(filepath.Join(s.dir, lockName))
	for tries := 0; errors.Is(err, fs.ErrNotExist) && tries < 100; tries++ {
		// Somebody who had adopted the directory removed it in this moment.
		if changed, err = makeDir(s.fs, s.dir); err != nil {
			return err
		}
		lock, err = acquire(filepath.Join(s.dir, lockName))
	}
	if err != nil {
		return err
	}
	s.lock = lock
	s.newNames = append(s.newNames, changed...)
	return nil
}

// probe finds out whether files can be made, now rather than on the day when
// they are needed.
func (s *Spool) probe() error {
	path := filepath.Join(s.dir, probeName)
	f, err := s.fs.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	return s.fs.Remove(path)
}

// countLocked takes size, the number of the next segment and the backlog from
// what is in the directory, and returns the segments that are new there.
func (s *Spool) countLocked() ([]*stored, error) {
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	total := int64(0)
	numbers := map[uint64]bool{}
	for _, e := range entries {
		number, ext, ok := segmentNumber(e.Name())
		if ok && number >= s.last {
			s.last = number
		}
		if ok && ext == textExt && e.Type().IsRegular() {
			numbers[number] = true
		}
		if !ours(e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since ReadDir
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	s.size.Store(total)
	s.counted = s.now()
	return s.findBacklogLocked(s.own, numbers), nil
}

// explain says what to do about an error of Open.
func explain(err error, dir string) error {
	var file errNotDir
	switch {
	case errors.As(err, &file) && string(file) == dir:
		return fmt.Errorf("%w: name a directory", errors.New("it is a file"))
	case errors.As(err, &file):
		return fmt.Errorf("%w: name a path below directories", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the process needs write access", cause(err))
	}
	return err
}

// Dir is the directory that the Spool owns: the one that Open was given, or a
// subdirectory of it.
func (s *Spool) Dir() string { return s.dir }

// Size is the size in bytes of all files that count towards the cap. It does
// not block.
func (s *Spool) Size() int64 { return s.size.Load() }

// SetTopic names the topic of plain lines. It is recorded in the index of each
// segment begun from now on, and an open segment of another topic gets no more
// entries. A replay thus knows where entries belong, whoever finds them.
func (s *Spool) SetTopic(topic string) error {
	if len(topic) > maxTopic {
		return fmt.Errorf("topic of %d bytes: at most %d are allowed", len(topic), maxTopic)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topic = topic
	return nil
}

// Append writes entries to the current segment, with one system call for the
// text and one for the index. Not necessarily all: it returns how many are on
// file, counted from the first, and an error that says why it is not more.
// Entries are on file in whole or not at all.
//
// An error beside the full number means that the entries are on file and only
// the index lacks them. Errors carry the path and the system's reason; ErrFull
// is among them when the cap was reached. The next Append tries again in any
// case. After Close it returns ErrClosed.
//
// "On file" means in the hands of the operating system: it survives the end of
// the process. [Spool.Sync] makes it survive the end of the machine.
func (s *Spool) Append(b Batch) (entries int, err error) {
	if err := b.check(); err != nil || len(b.Ends) == 0 {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	if s.current != nil && !s.current.usable(s.segmentBytes, s.topic) {
		s.retireLocked()
	}
	overhead := rowFixed + b.IDs.fixedLen()
	if s.current == nil || s.current.index == nil || s.current.index.size == 0 {
		overhead += int64(indexHeader{topic: s.topic}.len())
	}
	n, full := s.fitLocked(b, overhead, true)
	if n == 0 {
		return 0, full
	}
	if s.current == nil {
		if err := s.beginLocked(); err != nil {
			return 0, errors.Join(err, full)
		}
	}
	entries, grown, err := s.current.append(b.first(n))
	s.size.Add(grown)
	s.storedLocked(s.current.stored, entries, b.First)
	return entries, errors.Join(err, full)
}

// storedLocked counts what Append has written.
func (s *Spool) storedLocked(g *stored, entries int, first time.Time) {
	wasEmpty := g.left == 0
	s.balance.change(func(st *Stats) {
		g.left += int64(entries)
		st.Stored += uint64(entries)
		st.OnFile += uint64(entries)
	})
	if wasEmpty && entries > 0 {
		g.oldest = first
		s.oldestLocked()
	}
}

// Reject writes entries to the file of those which Kafka will not take, and
// which no replay should try again. The lines are envelopes, which give a
// reason. It returns what Append does.
func (s *Spool) Reject(b Batch) (entries int, err error) {
	if err := b.checkEnvelopes(); err != nil || len(b.Ends) == 0 {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	n, full := s.fitLocked(b, 0, false)
	if n == 0 {
		return 0, full
	}
	if err := s.openLineFileLocked(&s.rejected, rejectedName); err != nil {
		return 0, errors.Join(err, full)
	}
	b = b.first(n)
	entries, grown, err := s.rejected.write(b.Text, b.Ends)
	s.size.Add(grown)
	return entries, errors.Join(err, full)
}

// fitLocked returns how many entries the cap lets in, and the error for the
// rest.
func (s *Spool) fitLocked(b Batch, overhead int64, withRow bool) (int, error) {
	if s.maxBytes <= 0 {
		return len(b.Ends), nil
	}
	n := b.fit(s.maxBytes-s.size.Load()-overhead, withRow)
	if n < len(b.Ends) && s.now().Sub(s.counted) >= recountEvery {
		// Somebody may have removed files. If counting fails we stay full.
		// What else turned up is counted when replay comes to it, not here.
		if _, err := s.countLocked(); err == nil {
			n = b.fit(s.maxBytes-s.size.Load()-overhead, withRow)
		}
	}
	var evictErr error
	if n < len(b.Ends) && s.evict {
		need := overhead + b.size(withRow)
		if evictErr = s.makeRoomLocked(need); s.maxBytes-s.size.Load() >= need {
			return len(b.Ends), nil
		}
		n = b.fit(s.maxBytes-s.size.Load()-overhead, withRow)
	}
	if n == len(b.Ends) {
		return n, nil
	}
	err := fmt.Errorf("%w: %q holds %d bytes, the cap is %d: raise MaxBytes or make room; %d entries refused",
		ErrFull, s.dir, s.size.Load(), s.maxBytes, len(b.Ends)-n)
	return n, errors.Join(err, evictErr)
}

// beginLocked begins a new segment. Each Open writes segments of its own: a
// torn line which a crash left in an older one stays the last of its file.
func (s *Spool) beginLocked() error {
	if err := s.stayOwnerLocked(); err != nil {
		return err
	}
	segment, err := s.createLocked()
	if err != nil {
		return err
	}
	s.current = segment
	s.own.add(segment.stored)
	s.namedLocked(s.dir)
	return nil
}

// stayOwnerLocked takes the directory again if somebody removed the lock file,
// or all of the directory: another process may be the owner by now.
func (s *Spool) stayOwnerLocked() error {
	if s.lock != nil && s.lock.held() {
		return nil
	}
	if s.lock != nil {
		s.lock.Close()
		s.lock = nil
	}
	if err := s.takeLocked(); err != nil {
		return fmt.Errorf("take fallback directory %q again, as its lock file was removed: %w", s.dir, explain(err, s.dir))
	}
	return nil
}

func (s *Spool) createLocked() (*segment, error) {
	for tries := 0; ; tries++ {
		s.last++
		segment, err := createSegment(s.fs, s.dir, s.last, s.topic, s.now())
		// Somebody may have put a file of that name there since we counted.
		if err == nil || !errors.Is(err, fs.ErrExist) || tries >= 100 {
			return segment, err
		}
	}
}

// retireLocked ends the current segment; the next Append begins another.
func (s *Spool) retireLocked() {
	c := s.current
	s.unsynced = append(s.unsynced, c.close()...)
	s.current = nil
	g := c.stored
	g.live = nil
	info, err := s.fs.Stat(c.text.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !os.SameFile(info, c.text.info):
		s.goneLocked(g)
	case err == nil && info.Size() > c.text.size:
		// A torn line that could not be cut off: replay will find it.
		s.balance.change(func(st *Stats) {
			st.Inherited++
			st.OnFile++
			g.left++
		})
	}
	g.size = c.text.size
	if err == nil {
		g.size = info.Size()
	}
}

// openLineFileLocked opens the file of that name to which lines are appended,
// unless l is it, and the end of its last line if a crash tore it.
func (s *Spool) openLineFileLocked(l **lineFile, name string) error {
	if *l != nil && ((*l).torn || !(*l).intact()) {
		if (*l).close() {
			s.unsynced = append(s.unsynced, (*l).path)
		}
		*l = nil
	}
	if *l != nil {
		return nil
	}
	opened, err := openLines(s.fs, filepath.Join(s.dir, name), os.O_CREATE)
	if err != nil {
		return err
	}
	before := opened.size
	err = opened.endLine()
	s.size.Add(opened.size - before)
	if err != nil {
		opened.f.Close()
		return err
	}
	*l = opened
	s.namedLocked(s.dir)
	return nil
}

func (s *Spool) namedLocked(dir string) {
	for _, d := range s.newNames {
		if d == dir {
			return
		}
	}
	s.newNames = append(s.newNames, dir)
}
