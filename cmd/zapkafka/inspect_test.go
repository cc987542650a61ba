package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/zapkafka/zapkafka/internal/spool"
)

const (
	firstText   = "00000000000000000001.log"
	firstIndex  = "00000000000000000001.idx"
	firstCursor = "00000000000000000001.cursor"
)

// rejectOneReplay puts an entry into the rejected file, and settles the first n others
// of the directory.
func rejectOneReplay(t *testing.T, dir string, n int) {
	t.Helper()
	s := open(t, dir, testTopic)
	line := spool.AppendEnvelope(nil, spool.Envelope{Value: []byte("too large"), Reason: "too large"})
	if n, err := s.Reject(spool.Batch{Text: line, Ends: []uint32{uint32(len(line))}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	r, err := s.OpenReplay()
	if err != nil {
		t.Fatal(err)
	}
	batch, err := r.Next(n, 1<<20)
	if err != nil || len(batch) != n {
		t.Fatal(len(batch), err)
	}
	for _, e := range batch {
		if err := r.Done(e.Position); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Next(1, 1); err != nil { // keeps the cursor
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, testTopic, 250)
	rejectOneReplay(t, dir, 100)
	owner := open(t, dir, testTopic)
	fill(t, dir, "audit", 7) // in a subdirectory
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(dir, "owner-0002", firstText)
	writeFile(t, second, readFile(t, second)+"torn")
	before := snapshot(t, dir)

	out, errs := want(t, exitWell, []string{"inspect", dir})
	const golden = `DIR
  owner: none
  SEGMENT                   ENTRIES  LEFT  REPLAYED  SIZE      OLDEST                NEWEST                TOPIC
  00000000000000000001.log  250      150   39 %      20.4 KiB  2026-05-06T07:08:09Z  2026-05-06T09:08:09Z  app-logs
  rejected.jsonl: 1 entry, refused by Kafka or too large for it, 65 B
  150 entries wait for Kafka, 21.0 KiB on disk

DIR/owner-0002
  owner: none
  SEGMENT                   ENTRIES  LEFT  REPLAYED  SIZE   OLDEST                NEWEST                TOPIC
  00000000000000000001.log  7        7     0 %       578 B  2026-05-06T07:08:09Z  2026-05-06T07:08:09Z  audit  1 damaged part
  7 entries wait for Kafka, 676 B on disk, 1 damaged part
`
	got := strings.ReplaceAll(out, dir, "DIR")
	if runtime.GOOS != "linux" {
		got = strings.ReplaceAll(got, "not known on this system", "none")
	}
	if got != golden || errs != "" {
		t.Errorf("got\n%s%s\nwant\n%s", got, errs, golden)
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("inspect has changed something:\n%s\nbefore:\n%s", after, before)
	}

	var found struct{ Directories []directory }
	out, _ = want(t, exitWell, []string{"inspect", "--json", dir})
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(found.Directories) != 2 {
		t.Fatalf("%d directories in %s", len(found.Directories), out)
	}
	d := found.Directories[0]
	if d.Dir != dir || d.Entries != 250 || d.Left != 150 || d.Segments[0].Cursor == 0 || d.Segments[0].Index != "whole" || d.Rejected.Entries != 1 {
		t.Errorf("%+v", d)
	}
	if d := found.Directories[1]; d.Segments[0].Damaged != 1 || len(d.Damaged) != 1 || d.Damaged[0].Length != 4 {
		t.Errorf("%+v", d)
	}
}

// TestInspectBesideTheOwner is beside a process that writes: it is named, it
// keeps the directory, and what it is just writing is no damage.
func TestInspectBesideTheOwner(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("an owner can be seen on Linux only")
	}
	dir := t.TempDir()
	s := open(t, dir, testTopic)
	write(t, s, 3)
	path := filepath.Join(dir, firstText)
	writeFile(t, path, readFile(t, path)+`{"level":"in`)
	want(t, exitWell, []string{"inspect", dir}, fmt.Sprintf("owner: process %d", os.Getpid()), "3 entries wait for Kafka")
	out, _ := want(t, exitWell, []string{"verify", dir}, "note: ", "the owner was just writing here")
	if !strings.HasSuffix(out, "1 segment, 3 entries: whole\n") {
		t.Errorf("verify beside an owner says\n%s", out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, exitNot, []string{"verify", dir}, "the line has no end")
}

func TestInspectOfNothing(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "app-logs", 0)
	want(t, exitWell, []string{"inspect", dir}, "0 entries wait for Kafka")
	want(t, exitNot, []string{"inspect", filepath.Join(dir, "none"), dir}, "no such file or directory", "0 entries wait for Kafka")
	want(t, exitUsage, []string{"inspect"}, "zapkafka inspect --help")
}

// A name with a typo in it is no directory of which all is in Kafka, and nothing is
// made in it.
func TestADirectoryThatIsNoFallback(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "hosts"), "x")
	before := snapshot(t, dir)
	for _, args := range [][]string{
		{"inspect", dir}, {"verify", dir}, {"replay", "--dry-run", dir},
		{"replay", "--brokers", "127.0.0.1:1", "--topic", "t", dir},
	} {
		want(t, exitNot, args, "does not look like a fallback directory")
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
