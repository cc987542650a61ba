package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func placeOf(d *DamageError) string { return fmt.Sprintf("%d+%d", d.Offset, d.Length) }

func TestScanSegment(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	if err := s.SetTopic("app-logs"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "one", "two")
	mustAppend(t, s, "three")
	r := mustReplay(t, s)
	done(t, r, next(t, r, 2)...)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	path := segmentPath(dir, 1, textExt)
	extend(t, path, "four\nhalf a li")
	before := pathsIn(t, dir)

	var entries []string
	var damage []*DamageError
	got, err := ScanSegment(path, Visitor{
		Entry: func(e Entry, left bool) {
			entries = append(entries, fmt.Sprintf("%s/%s/%v", e.Value, e.Topic, left))
		},
		Damage: func(d *DamageError) { damage = append(damage, d) },
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "one/app-logs/false two/app-logs/false three/app-logs/true four/app-logs/true"
	if strings.Join(entries, " ") != want {
		t.Errorf("entries %q, want %q", entries, want)
	}
	wantDamage(t, damage, "19+9 no end")
	if got.Entries != 4 || got.Left != 2 || got.LeftBytes != int64(len("three\nfour\n")) || got.Unindexed != 1 || got.Unverified != 0 || got.Damaged != 1 {
		t.Errorf("%+v", got)
	}
	if got.Topic != "app-logs" || got.Bytes != int64(len(contents(t, path))) || got.Cursor.Offset != 8 || got.Cursor.High < 8 {
		t.Errorf("%+v", got)
	}
	if !got.Oldest.Equal(firstTime) || !got.Newest.Equal(firstTime.Add(time.Second)) {
		t.Errorf("oldest %v, newest %v", got.Oldest, got.Newest)
	}
	if got.IndexMissing || got.IndexDamage != nil {
		t.Errorf("index missing %v, damage %v", got.IndexMissing, got.IndexDamage)
	}
	if after := pathsIn(t, dir); after != before {
		t.Errorf("reading has changed something:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := ScanSegment(segmentPath(dir, 9, textExt), Visitor{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a segment that is not there: %v", err)
	}
}

func TestScanOfADamagedIndex(t *testing.T) {
	header := testHeaderLen
	tests := []struct {
		name    string
		spoil   func(t *testing.T, text, index string)
		missing bool
		damage  string
		scan    string // entries, unindexed, unverified
	}{
		{name: "whole", spoil: func(*testing.T, string, string) {}, scan: "2 0 0"},
		{name: "missing", spoil: func(t *testing.T, _, index string) {
			if err := os.Remove(index); err != nil {
				t.Fatal(err)
			}
		}, missing: true, scan: "2 2 0"},
		{name: "empty", spoil: func(t *testing.T, _, index string) { shorten(t, index, -1) }, missing: true, scan: "2 2 0"},
		{name: "header", spoil: func(t *testing.T, _, index string) { overwrite(t, index, 20, "X") },
			damage: fmt.Sprintf("0+%d wrong checksum", header+2*(rowFixed+1)), scan: "2 2 0"},
		{name: "second row", spoil: func(t *testing.T, _, index string) { overwrite(t, index, header+rowFixed+1+20, "X") },
			damage: fmt.Sprintf("%d+%d wrong checksum", header+rowFixed+1, rowFixed+1), scan: "2 1 0"},
		{name: "a byte of the text", spoil: func(t *testing.T, text, _ string) { overwrite(t, text, 0, "X") }, scan: "2 0 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir, Options{})
			if err := s.SetTopic("tp"); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, s, "a")
			mustAppend(t, s, "b")
			mustClose(t, s)
			path := segmentPath(dir, 1, textExt)
			test.spoil(t, path, segmentPath(dir, 1, indexExt))
			got, err := ScanSegment(path, Visitor{})
			if err != nil {
				t.Fatal(err)
			}
			if got.IndexMissing != test.missing {
				t.Errorf("missing: %v", got.IndexMissing)
			}
			var damage []*DamageError
			if got.IndexDamage != nil {
				damage = append(damage, got.IndexDamage)
			}
			wantDamage(t, damage, test.damage)
			if n := fmt.Sprint(got.Entries, got.Unindexed, got.Unverified); n != test.scan {
				t.Errorf("entries, unindexed, unverified: %s, want %s", n, test.scan)
			}
		})
	}
}

func TestScanLines(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	mustAppend(t, s, "a", "bb", "ccc")
	if n, err := s.Reject(envelopeOf("r", "s")); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	mustClose(t, s)
	shorten(t, segmentPath(dir, 1, textExt), -1) // three entries in one part
	s = mustOpen(t, dir, Options{})
	r := mustReplay(t, s)
	_ = next(t, r, 10)
	mustClose(t, s)
	extend(t, filepath.Join(dir, rejectedName), "torn")
	for name, want := range map[string]string{rejectedName: "2 1", quarantineName: "3 0"} {
		got, err := ScanLines(filepath.Join(dir, name), Visitor{})
		if n := fmt.Sprint(got.Entries, got.Damaged); err != nil || n != want {
			t.Errorf("%s: entries and damaged parts %s, %v; want %s", name, n, err, want)
		}
	}
}
