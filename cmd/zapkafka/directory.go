package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zapkafka/zapkafka/internal/spool"
)

// directory is what was found in one fallback directory, an owner's
// subdirectory being one by itself. It is what --json prints.
type directory struct {
	Dir   string `json:"dir"`
	Owner owner  `json:"owner"`
	// Bytes is the size of all files that count towards the cap.
	Bytes   int64      `json:"bytes"`
	Entries int64      `json:"entries"` // in segments
	Left    int64      `json:"left"`    // of these, those that a replay would send
	Oldest  *time.Time `json:"oldest,omitempty"`
	Newest  *time.Time `json:"newest,omitempty"`

	Segments    []segment  `json:"segments"`
	Rejected    *lineFile  `json:"rejected,omitempty"`
	Quarantined *lineFile  `json:"quarantined,omitempty"`
	Damaged     []damage   `json:"damaged"`
	Notes       []damage   `json:"notes"` // what is as it may be, and worth knowing
	errs        []error    // files that could not be read
	perTopic    topicSizes // of what is left
}

type owner struct {
	State string `json:"state"` // alive, none, unknown
	PID   int    `json:"pid,omitempty"`
}

type segment struct {
	File       string     `json:"file"`
	Bytes      int64      `json:"bytes"`
	Topic      string     `json:"topic,omitempty"`
	Entries    int64      `json:"entries"`
	Left       int64      `json:"left"`
	Unindexed  int64      `json:"unindexed"`
	Unverified int64      `json:"unverified"`
	Cursor     int64      `json:"cursor"` // replayed up to here, in bytes
	Index      string     `json:"index"`  // whole, missing, damaged
	Damaged    int        `json:"damaged"`
	Oldest     *time.Time `json:"oldest,omitempty"`
	Newest     *time.Time `json:"newest,omitempty"`
}

type lineFile struct {
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`
	Entries int64  `json:"entries"`
}

// damage is a part of a file that is not what was written there.
type damage struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Reason string `json:"reason"`
}

func (d damage) String() string {
	e := spool.DamageError{Offset: d.Offset, Length: d.Length, Reason: d.Reason}
	return d.File + ": " + e.Describe()
}

// known is t, or nil if it is zero.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// examineTree examines dir and the subdirectories of its further owners.
func examineTree(dir string) ([]*directory, error) {
	if err := checkFallback(dir); err != nil {
		return nil, err
	}
	dirs, err := spool.Directories(dir)
	if err != nil {
		return nil, err
	}
	var found []*directory
	for _, dir := range dirs {
		d, err := examine(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its owner has ended, and another has taken what was left
		}
		if err != nil {
			return found, err
		}
		found = append(found, d)
	}
	return found, nil
}

// checkFallback refuses a directory that nobody has opened as a fallback: a name
// with a typo in it must not look like one of which all is in Kafka.
func checkFallback(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name == "lock" || strings.HasPrefix(name, "owner-") || name == "rejected.jsonl" || name == "quarantine.jsonl" || filepath.Ext(name) == ".log" {
			return nil
		}
	}
	return fmt.Errorf("%s does not look like a fallback directory: there is neither a lock nor a segment in it", dir)
}

// examine reads all of one directory. Files that cannot be read are in errs.
func examine(dir string) (*directory, error) {
	l, err := spool.List(dir)
	if err != nil {
		return nil, err
	}
	d := &directory{
		Dir: dir, Bytes: l.Bytes, Segments: []segment{}, Damaged: []damage{}, Notes: []damage{}, perTopic: topicSizes{},
		Owner: owner{State: l.Owner.State.String(), PID: l.Owner.PID},
	}
	for _, path := range l.Segments {
		d.segment(path)
	}
	d.Rejected = d.lines(l.Rejected)
	d.Quarantined = d.lines(l.Quarantine)
	for _, path := range l.Stray {
		d.Notes = append(d.Notes, damage{File: path, Reason: "it has no text beside it and says nothing"})
	}
	return d, nil
}

func (d *directory) alive() bool { return d.Owner.State == spool.OwnerAlive.String() }

func (d *directory) segment(path string) {
	before := len(d.Damaged)
	var spoilt stretch
	scan, err := spool.ScanSegment(path, spool.Visitor{
		Entry: func(e spool.Entry, left bool) {
			if e.Indexed && !e.Verified {
				d.unverified(path, &spoilt, e)
			}
			if left {
				d.perTopic.add(e.Topic, int64(len(e.Value)))
			}
		},
		Damage: func(part *spool.DamageError) { d.damaged(part) },
	})
	d.noteUnverified(path, &spoilt)
	if d.failed(err) {
		return
	}
	for _, part := range scan.Cursor.Damage {
		d.damaged(part)
	}
	s := segment{
		File: filepath.Base(path), Bytes: scan.Bytes, Topic: scan.Topic, Entries: scan.Entries, Left: scan.Left,
		Unindexed: scan.Unindexed, Unverified: scan.Unverified, Cursor: scan.Cursor.Offset, Index: "whole",
		Oldest: known(scan.Oldest), Newest: known(scan.Newest),
	}
	switch {
	case scan.IndexMissing && scan.Entries > 0:
		s.Index = "missing"
		d.Notes = append(d.Notes, damage{File: path, Reason: "it has no index: times and marks of its plain lines are not known"})
	case scan.IndexDamage != nil:
		s.Index = "damaged"
		d.damaged(scan.IndexDamage)
	}
	s.Damaged = len(d.Damaged) - before
	d.Segments = append(d.Segments, s)
	d.Entries += s.Entries
	d.Left += s.Left
	if s.Oldest != nil && (d.Oldest == nil || s.Oldest.Before(*d.Oldest)) {
		d.Oldest = s.Oldest
	}
	if s.Newest != nil && (d.Newest == nil || s.Newest.After(*d.Newest)) {
		d.Newest = s.Newest
	}
}

// stretch is a part of a file with entries in it.
type stretch struct{ from, to, entries int64 }

// unverified makes r longer by an entry whose text has not the checksum of its
// row, or begins it anew.
func (d *directory) unverified(path string, r *stretch, e spool.Entry) {
	if e.Offset != r.to {
		d.noteUnverified(path, r)
	}
	if r.entries == 0 {
		r.from = e.Offset
	}
	r.to, r.entries = e.Offset+e.Length, r.entries+1
}

func (d *directory) noteUnverified(path string, r *stretch) {
	if r.entries > 0 {
		d.Damaged = append(d.Damaged, damage{File: path, Offset: r.from, Length: r.to - r.from,
			Reason: "the text has not the checksum that the index names; it reads as " + count(r.entries, "entry", "entries")})
	}
	*r = stretch{}
}

// damaged notes a part. What a living owner is just writing may look torn.
func (d *directory) damaged(part *spool.DamageError) {
	found := damage{File: part.Path, Offset: part.Offset, Length: part.Length, Reason: part.Reason}
	if d.alive() && beingWritten(part.Reason) {
		found.Reason = "the owner was just writing here"
		d.Notes = append(d.Notes, found)
		return
	}
	d.Damaged = append(d.Damaged, found)
}

// beingWritten reports whether the reason is what a reader sees who comes while
// a line or a row of the index is being written.
func beingWritten(reason string) bool {
	for _, torn := range []string{"the line has no end", "is cut off", "index row has an impossible length"} {
		if strings.Contains(reason, torn) {
			return true
		}
	}
	return false
}

func (d *directory) lines(path string) *lineFile {
	if path == "" {
		return nil
	}
	scan, err := spool.ScanLines(path, spool.Visitor{Damage: d.damaged})
	if d.failed(err) {
		return nil
	}
	return &lineFile{File: filepath.Base(path), Bytes: scan.Bytes, Entries: scan.Entries}
}

// failed notes an error. A file that is gone is none: its owner, or a replay,
// was done with it.
func (d *directory) failed(err error) bool {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.errs = append(d.errs, err)
	}
	return err != nil
}

// topicSizes is what would go to each topic; that of an entry that names none,
// in a segment whose topic is not known, is "".
type topicSizes map[string]*topicSize

type topicSize struct {
	Topic   string `json:"topic"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"` // of their values
}

func (t topicSizes) add(topic string, bytes int64) {
	s := t[topic]
	if s == nil {
		s = &topicSize{Topic: topic}
		t[topic] = s
	}
	s.Entries++
	s.Bytes += bytes
}
