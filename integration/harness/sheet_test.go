package harness

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/ids"
)

// A balance that finds nothing wrong proves something only if it would.
func TestSheetFindsWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("00000000000000000001.log", "{\"w\":0,\"n\":1}\n"+
		`{"zapkafka_envelope":1,"value":"{\"w\":0,\"n\":2}"}`+"\n"+
		`{"zapkafka_envelope":1,"value64":"eyJ3IjowLCJuIjozfQ=="}`+"\n"+
		"{\"msg\":\"no ID\"}\n")
	write("rejected.jsonl", `{"zapkafka_envelope":1,"reason":"too large","value":"{\"w\":0,\"n\":4}"}`+"\n")
	files, err := ReadFallback(dir)
	if err != nil {
		t.Fatal(err)
	}
	if files.Records != 5 || files.Foreign != 1 || files.Distinct() != 4 {
		t.Errorf("found %d entries, %d without an ID, %d others, want 5, 1, 4", files.Records, files.Foreign, files.Distinct())
	}

	topic := &Tally{}
	for _, entry := range []string{`{"w":0,"n":0}`, `{"w":0,"n":0}`, `{"w":0,"n":1}`, `{"w":1,"n":0}`} {
		topic.Add([]byte(entry))
	}
	sheet := &Sheet{Counts: []int{6, 2}, Topic: topic, Files: files, Stats: zapkafka.Stats{Lost: zapkafka.Lost{NoRoom: 1}}}
	absent, some := sheet.Absent()
	if absent != 2 || some[0] != (ids.ID{Worker: 0, Seq: 5}) || some[1] != (ids.ID{Worker: 1, Seq: 1}) {
		t.Errorf("absent: %d, %v", absent, some)
	}
	if sheet.Missing() != 1 || sheet.Both() != 1 || topic.Repeated() != 1 {
		t.Errorf("missing %d, in both %d, repeated %d, want 1 of each", sheet.Missing(), sheet.Both(), topic.Repeated())
	}
}

func TestDamageIsFound(t *testing.T) {
	for _, text := range []string{"{\"w\":0,\"n\":1}", "\n", "a\x00b\n", `{"zapkafka_envelope":1}` + "\n", `{"zapkafka_envelope":` + "\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000000000000000001.log"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFallback(dir); err == nil {
			t.Errorf("no damage was found in %q", text)
		}
	}
}

// Doubles of which one says so are marked, in whatever order they are found.
func TestUnmarked(t *testing.T) {
	for name, c := range map[string]struct {
		marks []bool
		want  int
	}{
		"once":           {[]bool{false}, 0},
		"once, marked":   {[]bool{true}, 0},
		"twice":          {[]bool{false, false}, 1},
		"marked first":   {[]bool{true, false, false}, 0},
		"marked last":    {[]bool{false, false, true}, 0},
		"marked between": {[]bool{false, true, false, true}, 0},
		"three times":    {[]bool{false, false, false}, 2},
	} {
		tally := &Tally{}
		tally.Add([]byte(`{"w":1,"n":1}`)) // another entry
		for _, mark := range c.marks {
			tally.AddMarked([]byte(`{"w":0,"n":0}`), mark)
		}
		if got, times := tally.Unmarked, tally.Times(ids.ID{}); got != c.want || times != len(c.marks) {
			t.Errorf("%s: %d unmarked of %d, want %d of %d", name, got, times, c.want, len(c.marks))
		}
	}
}
