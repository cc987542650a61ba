package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerify spoils a directory of 250 entries in three writes, a hundred of
// them replayed, in one way each.
func TestVerify(t *testing.T) {
	spoil := func(name string, change func(string) string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			writeFile(t, path, change(readFile(t, path)))
		}
	}
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		says  []string // nothing: whole
		parts int      // 0: one if it says something
		note  string
	}{
		{name: "whole", spoil: func(*testing.T, string) {}},
		{name: "a byte of the text", spoil: spoil(firstText, func(s string) string { return s[:2] + "X" + s[3:] }),
			says: []string{firstText + ": 8290 bytes at 0: the text has not the checksum", "it reads as 100 entries"}},
		{name: "text cut off", spoil: spoil(firstText, func(s string) string { return s[:strings.LastIndex(s[:len(s)-1], "\n")+1] }),
			says: []string{firstText + ": ", "entries missing: 1", "16690: the text has not the checksum"}, parts: 2},
		{name: "half a line behind the end", spoil: spoil(firstText, func(s string) string { return s + "half" }),
			says: []string{firstText + ": 4 bytes at 20890: the line has no end"}},
		{name: "index row", spoil: spoil(firstIndex, func(s string) string { return s[:60] + "X" + s[61:] }),
			says: []string{firstIndex + ": ", "at 46: index row has"}},
		{name: "index header", spoil: spoil(firstIndex, func(s string) string { return "X" + s[1:] }),
			says: []string{firstIndex + ": ", "at 0: not an index"}},
		{name: "no index", spoil: func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, firstIndex)); err != nil {
				t.Fatal(err)
			}
		}, note: "it has no index"},
		{name: "cursor", spoil: spoil(firstCursor, func(s string) string { return s[:50] + "XX" + s[52:] }),
			says: []string{firstCursor + ": 48 bytes at 48: "}},
		{name: "no cursor", spoil: func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, firstCursor)); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "rejected", spoil: spoil("rejected.jsonl", func(s string) string { return s + "{}\n" }),
			says: []string{"rejected.jsonl: 3 bytes at 65: the line is no envelope"}},
		{name: "cursor without a text", spoil: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "00000000000000000009.cursor"), "x")
		}, note: "it has no text beside it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, testTopic, 250)
			rejectOneReplay(t, dir, 100)
			test.spoil(t, dir)
			before := snapshot(t, dir)
			code, parts := exitWell, test.parts
			if len(test.says) > 0 {
				code, parts = exitNot, max(parts, 1)
			}
			out, errs := want(t, code, []string{"verify", dir}, test.says...)
			state := ": whole\n"
			if parts > 0 {
				state = ": " + count(parts, "damaged part", "damaged parts") + "\n"
			}
			if !strings.HasSuffix(out, state) {
				t.Errorf("verify says\n%s", out)
			}
			if !strings.Contains(errs, test.note) || test.note == "" && errs != "" {
				t.Errorf("on standard error %q, want %q", errs, test.note)
			}
			var v verdict
			out, _ = want(t, code, []string{"verify", "--json", dir})
			if err := json.Unmarshal([]byte(out), &v); err != nil || v.Whole != (code == exitWell) || len(v.Directories[0].Damaged) != parts {
				t.Errorf("%v, %s", err, out)
			}
			if after := snapshot(t, dir); after != before {
				t.Errorf("verify has changed something:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
	want(t, exitNot, []string{"verify", filepath.Join(t.TempDir(), "none")}, "no such file or directory")
}
