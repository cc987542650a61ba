package spool

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// TestReplayOfTornAndDamaged spoils a directory that a process left: segment 1
// has the rows "a","bb" / "ccc" / an envelope, "e", and segment 2 has "f". Then
// another process opens it, appends "new", and replays all.
func TestReplayOfTornAndDamaged(t *testing.T) {
	text1, index1, cursor1 := 1, 2, 3
	at := func(t *testing.T, dir string, file int) string {
		t.Helper()
		return segmentPath(dir, 1, []string{textExt, indexExt, cursorExt}[file-1])
	}
	change := func(file int, f func(t *testing.T, path string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) { f(t, at(t, dir, file)) }
	}
	remove := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	mkdir := func(t *testing.T, path string) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const whole = "a|bb|ccc|d\nd|e|f|new"
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string // replayed
		stats string // at the end, without stored=1
		raw   string // of all parts in the quarantine
		left  string // files, but for the quarantine
	}{
		{name: "nothing", spoil: func(*testing.T, string) {}, want: whole, stats: "inherited=6 replayed=7"},

		{name: "text empty", spoil: change(text1, func(t *testing.T, p string) { shorten(t, p, -1) }),
			want: "f|new", stats: "inherited=6 replayed=2 quarantined=5"},
		{name: "text and index empty", spoil: func(t *testing.T, dir string) {
			shorten(t, at(t, dir, text1), -1)
			shorten(t, at(t, dir, index1), -1)
		}, want: "f|new", stats: "inherited=1 replayed=2"},
		{name: "no newline at the end", spoil: change(text1, func(t *testing.T, p string) { shorten(t, p, 1) }),
			want: "a|bb|ccc|d\nd|f|new", stats: "inherited=6 replayed=6 quarantined=1", raw: "e"},
		{name: "two lines and a half cut off", spoil: change(text1, func(t *testing.T, p string) { shorten(t, p, 4) }),
			want: "a|bb|ccc|f|new", stats: "inherited=6 replayed=5 quarantined=2", raw: `{"zapkafka_envelope":1,"value":"d\nd"`},
		{name: "half a line behind the rows", spoil: change(text1, func(t *testing.T, p string) { extend(t, p, "half") }),
			want: whole, stats: "inherited=7 replayed=7 quarantined=1", raw: "half"},
		{name: "a line and half an envelope behind the rows", spoil: change(text1, func(t *testing.T, p string) {
			extend(t, p, "g\n"+envelopePrefix+`1,"val`)
		}), want: "a|bb|ccc|d\nd|e|g|f|new", stats: "inherited=8 replayed=8 quarantined=1", raw: envelopePrefix + `1,"val`},
		{name: "NULs behind the rows", spoil: change(text1, func(t *testing.T, p string) {
			extend(t, p, strings.Repeat("\x00", 4096))
		}), want: whole, stats: "inherited=7 replayed=7 quarantined=1"},
		{name: "NULs in the place of a row", spoil: change(text1, func(t *testing.T, p string) {
			overwrite(t, p, 0, "\x00\x00\x00\x00\x00")
		}), want: "ccc|d\nd|e|f|new", stats: "inherited=6 replayed=5 quarantined=2"},
		{name: "a byte flipped", spoil: change(text1, func(t *testing.T, p string) { overwrite(t, p, 3, "X") }),
			want: "a|bX|ccc|d\nd|e|f|new", stats: "inherited=6 replayed=7"},
		{name: "envelope damaged", spoil: change(text1, func(t *testing.T, p string) { overwrite(t, p, 9+25, "\xff") }),
			want: "a|bb|ccc|e|f|new", stats: "inherited=6 replayed=6 quarantined=1", raw: "{\"zapkafka_envelope\":1,\"v\xfflue\":\"d\\nd\"}\n"},
		{name: "text is garbage, longer than a piece", spoil: change(text1, func(t *testing.T, p string) {
			write(t, p, strings.Repeat("\x00y", pieceBytes))
			remove(t, strings.TrimSuffix(p, textExt)+indexExt)
		}), want: "f|new", stats: "inherited=2 replayed=2 quarantined=1", raw: strings.Repeat("\x00y", pieceBytes)},
		{name: "text gone, index there", spoil: change(text1, remove), want: "f|new", stats: "inherited=1 replayed=2"},
		{name: "text is a directory", spoil: change(text1, mkdir), want: "f|new", stats: "inherited=1 replayed=2", left: "1.idx 1.log"},

		{name: "index missing", spoil: change(index1, remove), want: whole, stats: "inherited=6 replayed=7"},
		{name: "index a directory", spoil: change(index1, func(t *testing.T, p string) {
			mkdir(t, p)
			write(t, p+"/file", "")
		}), want: whole, stats: "inherited=6 replayed=7", left: "1.idx"},
		{name: "index shorter than the text", spoil: change(index1, func(t *testing.T, p string) { shorten(t, p, rowFixed+2) }),
			want: whole, stats: "inherited=6 replayed=7"},
		{name: "index cut in a row", spoil: change(index1, func(t *testing.T, p string) { shorten(t, p, 7) }),
			want: whole, stats: "inherited=6 replayed=7"},
		{name: "index longer than the text", spoil: func(t *testing.T, dir string) {
			extend(t, at(t, dir, index1), string(appendRow(nil, int64(len(contents(t, at(t, dir, text1)))), batchOf("x", "y"))))
		}, want: whole, stats: "inherited=8 replayed=7 quarantined=2"},
		{name: "index NULs", spoil: change(index1, func(t *testing.T, p string) {
			write(t, p, strings.Repeat("\x00", len(contents(t, p))))
		}), want: whole, stats: "inherited=6 replayed=7"},

		{name: "cursor in the middle", spoil: func(t *testing.T, dir string) {
			write(t, at(t, dir, cursor1), slotFor(1, 1, contents(t, at(t, dir, text1)), 5))
		}, want: "ccc|d\nd|e|f|new", stats: "inherited=4 replayed=5"},
		{name: "cursor in the middle of a row", spoil: func(t *testing.T, dir string) {
			write(t, at(t, dir, cursor1), slotFor(1, 1, contents(t, at(t, dir, text1)), 2))
		}, want: "bb|ccc|d\nd|e|f|new", stats: "inherited=5 replayed=6"},
		{name: "cursor at the end", spoil: func(t *testing.T, dir string) {
			text := contents(t, at(t, dir, text1))
			write(t, at(t, dir, cursor1), slotFor(1, 1, text, int64(len(text))))
		}, want: "f|new", stats: "inherited=1 replayed=2"},
		{name: "cursor past the end", spoil: func(t *testing.T, dir string) {
			text := contents(t, at(t, dir, text1))
			write(t, at(t, dir, cursor1), slotFor(1, 1, text+"more\n", int64(len(text))+5))
		}, want: whole, stats: "inherited=6 replayed=7"},
		{name: "cursor of another segment", spoil: func(t *testing.T, dir string) {
			write(t, at(t, dir, cursor1), slotFor(2, 1, contents(t, at(t, dir, text1)), 5))
		}, want: whole, stats: "inherited=6 replayed=7"},
		{name: "cursor empty", spoil: change(cursor1, func(t *testing.T, p string) { write(t, p, "") }),
			want: whole, stats: "inherited=6 replayed=7"},
		{name: "cursor garbage", spoil: change(cursor1, func(t *testing.T, p string) { write(t, p, strings.Repeat("\xff", 99)) }),
			want: whole, stats: "inherited=6 replayed=7"},
		{name: "cursor a directory", spoil: change(cursor1, mkdir), want: whole, stats: "inherited=6 replayed=7"},
		{name: "a cursor without a segment", spoil: func(t *testing.T, dir string) {
			write(t, segmentPath(dir, 9, cursorExt), slotFor(9, 1, "a\n", 2))
		}, want: whole, stats: "inherited=6 replayed=7"},

		{name: "the end of the quarantine torn", spoil: func(t *testing.T, dir string) {
			write(t, dir+"/"+quarantineName, envelopePrefix+"1,")
			extend(t, at(t, dir, text1), "half")
		}, want: whole, stats: "inherited=7 replayed=7 quarantined=1", raw: "half"},
		{name: "files of others", spoil: func(t *testing.T, dir string) {
			write(t, dir+"/notes.txt", "x")
			write(t, segmentPath(dir, 4, ".later"), "x")
		}, want: whole, stats: "inherited=6 replayed=7", left: "4.later notes.txt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			writeSpoilable(t, dir)
			test.spoil(t, dir)

			now := firstTime
			s := mustOpen(t, dir, Options{now: func() time.Time { return now }})
			if err := s.SetTopic("tp"); err != nil {
				t.Fatal(err)
			}
			r := mustReplay(t, s)
			mustAppend(t, s, "new")
			var values []string
			for i := 0; i < 3; i++ {
				// A directory in a file's place is told, once, and does no harm.
				batch, err := r.Next(100, all)
				if err != nil && !strings.Contains(err.Error(), "directory") {
					t.Errorf("Next: %v", err)
				}
				for _, e := range batch {
					values = append(values, string(e.Value))
					if e.Topic != "tp" && s.Stats().Unindexed == 0 {
						t.Errorf("topic of %q is %q", e.Value, e.Topic)
					}
				}
				if len(batch) > 0 {
					done(t, r, batch...)
				}
				now = now.Add(retryEvery)
			}
			if got := strings.Join(values, "|"); got != test.want {
				t.Errorf("replayed %q, want %q", got, test.want)
			}
			wantStats(t, s, strings.Replace(test.stats, " ", " stored=1 ", 1))
			if got := strings.TrimSpace(strings.Replace(filesIn(t, dir), quarantineName, "", 1)); strings.Join(strings.Fields(got), " ") != test.left {
				t.Errorf("left behind: %q, want %q", got, test.left)
			}
			raw := ""
			damage, err := quarantinedIn(t, dir, func(e Entry) { raw += string(e.Value) })
			if err != nil || raw != test.raw {
				t.Errorf("in the quarantine %.200q, %v, %v; want %.200q", raw, damage, err, test.raw)
			}
			if got, want := s.Size(), onDisk(t, dir); got != want && test.left == "" {
				t.Errorf("Size %d, on disk %d", got, want)
			}

			// Life goes on.
			mustAppend(t, s, "newer")
			batch := next(t, r, 10)
			if got := valuesOf(batch); got != "newer" {
				t.Errorf("then came %q", got)
			}
			done(t, r, batch...)
			wantBalance(t, s.Stats())
		})
	}
}

func writeSpoilable(t *testing.T, dir string) {
	t.Helper()
	s := mustOpen(t, dir, Options{})
	if err := s.SetTopic("tp"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "a", "bb")
	mustAppend(t, s, "ccc")
	last := Batch{Text: AppendEnvelope(nil, Envelope{Value: []byte("d\nd")})}
	last.Ends = append(last.Ends, uint32(len(last.Text)))
	last.Text = append(last.Text, "e\n"...)
	last.Ends = append(last.Ends, uint32(len(last.Text)))
	if n, err := s.Append(last); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir, Options{})
	if err := s.SetTopic("tp"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "f")
	mustClose(t, s)
}

func quarantinedIn(t *testing.T, dir string, visit func(Entry)) (damage []error, err error) {
	t.Helper()
	r, err := OpenReader(dir + "/" + quarantineName)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return readFile(r, func(e Entry) error {
		visit(e)
		return nil
	})
}

func TestQuarantineToTheByte(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	mustAppend(t, s, "a")
	mustClose(t, s)
	extend(t, segmentPath(dir, 1, textExt), "half\x00\x00")
	s = mustOpen(t, dir, Options{})
	r := mustReplay(t, s)
	done(t, r, next(t, r, 10)...)
	const want = `{"zapkafka_envelope":1,"reason":"the line has no end","size":6,` +
		`"file":"00000000000000000001.log","offset":2,"entries":1,"value64":"aGFsZg=="}` + "\n"
	if got := contents(t, dir+"/"+quarantineName); got != want {
		t.Errorf("quarantine\n got %s\nwant %s", got, want)
	}
	wantStats(t, s, "inherited=2 replayed=1 quarantined=1")
}

// TestUnreadable has a segment that the disk does not give, for a time, while
// the others go on.
func TestUnreadable(t *testing.T) {
	for _, op := range []string{"open", "read"} {
		t.Run(op, func(t *testing.T) {
			dir, fsys := t.TempDir(), newFaultFS()
			writeSpoilable(t, dir)
			now := firstTime
			fsys.fail = func(o, name string) error {
				if o == op && name == segmentName(1)+textExt {
					return errIO
				}
				return nil
			}
			s := mustOpen(t, dir, Options{fs: fsys, now: func() time.Time { return now }})
			r := mustReplay(t, s)
			mustAppend(t, s, "new")
			batch, err := r.Next(10, all)
			if valuesOf(batch) != "f|new" || !errors.Is(err, errIO) || !strings.Contains(err.Error(), segmentPath(dir, 1, textExt)) {
				t.Errorf("Next: %q, %v; want the rest, and why the first is missing", valuesOf(batch), err)
			}
			done(t, r, batch...)
			if batch, err := r.Next(10, all); len(batch) != 0 || err != nil {
				t.Errorf("at once again: %q, %v; want patience", valuesOf(batch), err)
			}
			wantBalance(t, s.Stats())
			fsys.set(func(f *faultFS) { f.fail = nil })
			now = now.Add(retryEvery)
			batch = next(t, r, 10)
			if got := valuesOf(batch); got != "a|bb|ccc|d\nd|e" {
				t.Errorf("once it can be read: %q", got)
			}
			done(t, r, batch...)
			next(t, r, 1)
			wantStats(t, s, "inherited=6 stored=1 replayed=7")
		})
	}
}

// TestIndexThatCannotBeOpened is worth one wait, and no more.
func TestIndexThatCannotBeOpened(t *testing.T) {
	for _, recovers := range []bool{true, false} {
		dir, fsys := t.TempDir(), newFaultFS()
		writeSpoilable(t, dir)
		now := firstTime
		s := mustOpen(t, dir, Options{fs: fsys, now: func() time.Time { return now }})
		r := mustReplay(t, s)
		fsys.set(func(f *faultFS) {
			f.fail = func(op, name string) error {
				if op == "open" && name == segmentName(1)+indexExt {
					return errTooMany
				}
				return nil
			}
		})
		batch, err := r.Next(10, all)
		if valuesOf(batch) != "f" || !errors.Is(err, errTooMany) || !strings.Contains(err.Error(), segmentName(1)) {
			t.Errorf("Next: %q, %v", valuesOf(batch), err)
		}
		done(t, r, batch...)
		if recovers {
			fsys.set(func(f *faultFS) { f.fail = nil })
		}
		now = now.Add(retryEvery)
		batch = next(t, r, 10)
		if got := valuesOf(batch); got != "a|bb|ccc|d\nd|e" || batch[0].Indexed != recovers {
			t.Errorf("recovers=%v: then %q, with the index: %v", recovers, got, batch[0].Indexed)
		}
		done(t, r, batch...)
		next(t, r, 10)
		wantStats(t, s, "inherited=6 replayed=6")
	}
}

// TestQuarantineThatFails has no room for what is damaged: the rest goes on, and
// nothing is deleted before it has a place.
func TestQuarantineThatFails(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	writeSpoilable(t, dir)
	extend(t, segmentPath(dir, 1, textExt), "\x00\nmore\nhalf")
	now := firstTime
	s := mustOpen(t, dir, Options{fs: fsys, now: func() time.Time { return now }})
	r := mustReplay(t, s)
	fsys.set(func(f *faultFS) { f.room, f.roomFor = 0, quarantineName })
	batch, err := r.Next(10, all)
	if got := valuesOf(batch); got != "a|bb|ccc|d\nd|e|more|f" || !errors.Is(err, errNoSpace) {
		t.Errorf("Next: %q, %v", got, err)
	}
	done(t, r, batch...)
	wantStats(t, s, "inherited=9 replayed=7 onfile=2")
	if batch, err := r.Next(10, all); len(batch) != 0 || err != nil {
		t.Errorf("at once again: %q, %v", valuesOf(batch), err)
	}
	// Nothing can be synced: the files stay.
	fsys.set(func(f *faultFS) {
		f.room = -1
		f.fail = func(op, _ string) error {
			if op == "sync" {
				return errIO
			}
			return nil
		}
	})
	now = now.Add(retryEvery)
	if batch, err := r.Next(10, all); len(batch) != 0 || !errors.Is(err, errIO) {
		t.Errorf("when nothing can be synced: %q, %v", valuesOf(batch), err)
	}
	wantStats(t, s, "inherited=9 replayed=7 quarantined=2")
	if got := filesIn(t, dir); got != "1.cursor 1.idx 1.log "+quarantineName {
		t.Errorf("files %q", got)
	}
	fsys.set(func(f *faultFS) { f.fail = nil })
	now = now.Add(retryEvery)
	next(t, r, 10)
	if got := filesIn(t, dir); got != quarantineName {
		t.Errorf("files %q", got)
	}
	wantStats(t, s, "inherited=9 replayed=7 quarantined=2")
}

// TestQuarantineOfNothingThatFails is about entries of which the index knows and
// no byte is there: not to be forgotten either.
func TestQuarantineOfNothingThatFails(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	writeSpoilable(t, dir)
	shorten(t, segmentPath(dir, 1, textExt), 2)
	now := firstTime
	s := mustOpen(t, dir, Options{fs: fsys, now: func() time.Time { return now }})
	r := mustReplay(t, s)
	fsys.set(func(f *faultFS) { f.room, f.roomFor = 0, quarantineName })
	batch, err := r.Next(10, all)
	if !errors.Is(err, errNoSpace) {
		t.Errorf("Next: %v", err)
	}
	done(t, r, batch...)
	wantStats(t, s, "inherited=6 replayed=5 onfile=1")
	fsys.set(func(f *faultFS) { f.room = -1 })
	now = now.Add(retryEvery)
	next(t, r, 10)
	wantStats(t, s, "inherited=6 replayed=5 quarantined=1")
	wantAside(t, dir+"/"+quarantineName, 1)
	if got := filesIn(t, dir); got != quarantineName {
		t.Errorf("left behind: %q", got)
	}
}

// TestDeletionThatFails repeats nothing, and deletes later.
func TestDeletionThatFails(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	now := firstTime
	o := Options{fs: fsys, now: func() time.Time { return now }}
	s := mustOpen(t, dir, o)
	r := mustReplay(t, s)
	mustAppend(t, s, "a")
	batch := next(t, r, 10)
	fsys.set(func(f *faultFS) {
		f.fail = func(op, name string) error {
			// Only the text stays: the cursor must not go without it.
			if op == "remove" && strings.HasSuffix(name, textExt) {
				return errReadOnly
			}
			return nil
		}
	})
	if err := r.Done(batch[0].Position); !errors.Is(err, errReadOnly) {
		t.Errorf("Done: %v", err)
	}
	wantStats(t, s, "stored=1 replayed=1")
	if got := cursorOf(t, dir, 1); got != 2 {
		t.Errorf("the cursor is at %d: a crash now would bring the entry again", got)
	}
	crash(s)
	fsys.set(func(f *faultFS) { f.fail = nil })
	s = mustOpen(t, dir, o)
	wantStats(t, s, "")
	r = mustReplay(t, s)
	next(t, r, 10)
	if got := filesIn(t, dir); got != "" {
		t.Errorf("left behind: %q", got)
	}
}

// TestOrderOfDeletion has a crash in mind at every point of it: as long as the
// text is there its cursor is, and the number is taken as long as anything is.
func TestOrderOfDeletion(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	var order []string
	fsys.fail = func(op, name string) error {
		if op == "remove" && name != probeName {
			order = append(order, name[numberDigits:])
		}
		return nil
	}
	s := mustOpen(t, dir, Options{fs: fsys})
	r := mustReplay(t, s)
	mustAppend(t, s, "a")
	done(t, r, next(t, r, 10)...)
	if got := strings.Join(order, " "); got != ".log .idx .cursor" {
		t.Errorf("deleted %s", got)
	}
}

// TestCutSegmentThatStays is done with, and cannot be deleted: its torn end is
// not counted and put aside once more by the next process.
func TestCutSegmentThatStays(t *testing.T) {
	dir, fsys := t.TempDir(), newFaultFS()
	writeSpoilable(t, dir)
	shorten(t, segmentPath(dir, 1, textExt), 4) // into the line before the last
	s := mustOpen(t, dir, Options{fs: fsys})
	r := mustReplay(t, s)
	fsys.set(func(f *faultFS) {
		f.fail = func(op, name string) error {
			if op == "remove" && name == segmentName(1)+textExt {
				return errReadOnly
			}
			return nil
		}
	})
	batch, err := r.Next(10, all)
	if got := valuesOf(batch); got != "a|bb|ccc|f" || err != nil {
		t.Fatalf("Next: %q, %v", got, err)
	}
	if err := r.Done(batch[0].Position, batch[1].Position, batch[2].Position, batch[3].Position); !errors.Is(err, errReadOnly) {
		t.Fatalf("Done: %v", err)
	}
	mustClose(t, s)
	fsys.set(func(f *faultFS) { f.fail = nil })
	s = mustOpen(t, dir, Options{})
	wantStats(t, s, "")
	next(t, mustReplay(t, s), 10)
	wantStats(t, s, "")
	wantAside(t, dir+"/"+quarantineName, 2)
	if got := filesIn(t, dir); got != quarantineName {
		t.Errorf("left behind: %q", got)
	}
}

// TestTornLineThatStays is what a full disk left behind the last whole line, and
// could not be cut off. It is found without another Append.
func TestTornLineThatStays(t *testing.T) {
	for _, before := range []string{"", "a"} {
		t.Run("after "+before, func(t *testing.T) {
			dir, fsys := t.TempDir(), newFaultFS()
			s := mustOpen(t, dir, Options{fs: fsys})
			if before != "" {
				mustAppend(t, s, before)
			}
			fsys.set(func(f *faultFS) {
				f.room, f.roomFor = 3, textExt
				f.fail = func(op, _ string) error {
					if op == "truncate" {
						return errIO
					}
					return nil
				}
			})
			if n, err := s.Append(batchOf("torn")); n != 0 || err == nil {
				t.Fatal(n, err)
			}
			fsys.set(func(f *faultFS) { f.room, f.fail = -1, nil })
			r := mustReplay(t, s)
			for i := 0; i < 3; i++ {
				done(t, r, next(t, r, 10)...)
			}
			if st := s.Stats(); st.Inherited != 1 || st.Quarantined != 1 || st.OnFile != 0 || st.Replayed != st.Stored {
				t.Errorf("stats %+v", st)
			}
			if got := filesIn(t, dir); got != quarantineName {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}
