package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zapkafka/zapkafka"
)

// found returns a ledger and an account in which all is well: of the ids 0 to 9
// the first seven are in the topic and the others on file.
func found() (*ledger, zapkafka.Stats, zapkafka.FallbackStats, []string) {
	l := newLedger()
	var ids []string
	for i := range 10 {
		ids = append(ids, fmt.Sprint("id", i))
		entry := fmt.Appendf(nil, `{"msg":"m","id":"id%d"}`, i)
		if i < 7 {
			l.inTopic(entry)
		} else {
			l.onFile(entry)
		}
	}
	s := zapkafka.Stats{Accepted: 10, Acked: 7, FellBack: zapkafka.FellBack{QueueFull: 3}}
	return l, s, zapkafka.FallbackStats{Stored: 3, OnFile: 3}, ids
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(l *ledger, s *zapkafka.Stats, f *zapkafka.FallbackStats, ids *[]string)
		want   string // last line
		well   bool
		says   string // in one of the problems
	}{
		{
			name:   "all well",
			change: func(*ledger, *zapkafka.Stats, *zapkafka.FallbackStats, *[]string) {},
			want:   "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			well:   true,
		}, {
			name:   "acknowledged, but not in the topic",
			change: func(l *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, _ *[]string) { delete(l.topic, "id4") },
			want:   "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=1 duplicate=0",
			says:   "1 ids are nowhere: id4",
		}, {
			name: "not on file",
			change: func(l *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, _ *[]string) {
				delete(l.file, "id9")
				l.lines--
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=1 duplicate=0",
			says: "the fallback has 2 lines, and 3 entries are said to be there",
		}, {
			name: "twice in the topic",
			change: func(l *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, _ *[]string) {
				l.inTopic([]byte(`{"id":"id0"}`))
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=1",
			well: true,
		}, {
			name: "in the topic and on file, expected",
			change: func(l *ledger, s *zapkafka.Stats, f *zapkafka.FallbackStats, _ *[]string) {
				l.inTopic([]byte(`{"id":"id9"}`))
				s.PossiblyDuplicate = 1
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			well: true,
		}, {
			name: "in the topic and on file, unexpected",
			change: func(l *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, _ *[]string) {
				l.inTopic([]byte(`{"id":"id9"}`))
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			says: "1 entries are in the topic and on file",
		}, {
			name: "replayed",
			change: func(l *ledger, _ *zapkafka.Stats, f *zapkafka.FallbackStats, _ *[]string) {
				for _, id := range []string{"id7", "id8"} {
					delete(l.file, id)
					l.inTopic([]byte(`{"id":"` + id + `"}`))
				}
				l.lines, f.OnFile, f.Replayed = 1, 1, 2
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			well: true,
		}, {
			name: "taken off the file, and not in the topic",
			change: func(l *ledger, _ *zapkafka.Stats, f *zapkafka.FallbackStats, _ *[]string) {
				delete(l.file, "id8")
				l.lines, f.OnFile, f.Replayed = 2, 2, 1
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=1 duplicate=0",
			says: "1 ids are nowhere: id8",
		}, {
			name:   "the fallback's account does not add up",
			change: func(_ *ledger, _ *zapkafka.Stats, f *zapkafka.FallbackStats, _ *[]string) { f.Stored-- },
			want:   "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			says:   "2 entries were on file, and 3 are accounted for",
		}, {
			name: "one missing behind one doubled",
			change: func(l *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, _ *[]string) {
				delete(l.topic, "id1")
				l.inTopic([]byte(`{"id":"id2"}`))
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=1 duplicate=1",
			says: "id1",
		}, {
			name: "lost, and said so",
			change: func(l *ledger, s *zapkafka.Stats, f *zapkafka.FallbackStats, _ *[]string) {
				delete(l.file, "id7")
				l.lines--
				s.FellBack.QueueFull--
				s.Lost.NoRoom++
				f.Stored--
				f.OnFile--
			},
			want: "accepted=10 acked=7 fallback=2 shed=0 lost=1 missing=0 duplicate=0",
			says: "id7",
		}, {
			name: "logged, not accepted",
			change: func(_ *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, ids *[]string) {
				*ids = append(*ids, "id10")
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			says: "11 entries were logged, and the sink accepted 10",
		}, {
			name: "below the level, and there",
			change: func(l *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, _ *[]string) {
				l.inTopic([]byte(`{"id":"hidden"}`))
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			says: "should not have been logged: hidden",
		}, {
			name: "torn",
			change: func(l *ledger, _ *zapkafka.Stats, _ *zapkafka.FallbackStats, _ *[]string) {
				l.inTopic([]byte(`{"id":"id`))
			},
			want: "accepted=10 acked=7 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			says: "cannot be read",
		}, {
			name: "still pending",
			change: func(_ *ledger, s *zapkafka.Stats, f *zapkafka.FallbackStats, _ *[]string) {
				s.PendingEntries, s.Acked = 1, 6
			},
			want: "accepted=10 acked=6 fallback=3 shed=0 lost=0 missing=0 duplicate=0",
			says: "add up to 9, with 1 pending",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, s, f, ids := found()
			c.change(l, &s, &f, &ids)
			b := l.check(s, f, ids)
			if got := b.String(); got != c.want {
				t.Errorf("last line\n got %s\nwant %s", got, c.want)
			}
			if b.well() != c.well {
				t.Errorf("well is %v, want %v (%q)", b.well(), c.well, b.problems)
			}
			if all := strings.Join(b.problems, "\n"); !strings.Contains(all, c.says) {
				t.Errorf("the problems do not say %q:\n%s", c.says, all)
			}
		})
	}
}

func TestReadFallback(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("00000000000000000001.log", "{\"id\":\"1\"}\n"+`{"zapkafka_envelope":1,"time":"2026-01-02T03:04:05Z","value":"{\"id\":\n\"2\"}"}`+"\n")
	write("00000000000000000001.idx", "not an entry\n")
	write("lock", "")
	write("owner-0002/00000000000000000001.log", `{"zapkafka_envelope":1,"value64":"/w=="}`+"\n")
	write("rejected.jsonl", `{"zapkafka_envelope":1,"reason":"too large","value":"long"}`+"\n")

	var got []string
	if err := readFallback(dir, func(e []byte) { got = append(got, string(e)) }); err != nil {
		t.Fatal(err)
	}
	want := []string{`{"id":"1"}`, "{\"id\":\n\"2\"}", "\xff", "long"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}

	write("00000000000000000002.log", "{\"id\":\"3\"}\n{\"id")
	if err := readFallback(dir, func([]byte) {}); err == nil || !strings.Contains(err.Error(), "torn") {
		t.Errorf("a torn line: %v", err)
	}
}
