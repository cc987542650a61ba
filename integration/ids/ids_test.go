package ids

import "testing"

func TestParse(t *testing.T) {
	for entry, want := range map[string]ID{
		`{"msg":"load","w":3,"n":12345,"a":1}`: {3, 12345},
		`{"w":0,"n":0}`:                        {0, 0},
	} {
		if id, ok := Parse([]byte(entry)); !ok || id != want {
			t.Errorf("Parse(%s) = %v, %v, want %v", entry, id, ok, want)
		}
	}
	for _, entry := range []string{"", `{"msg":"load"}`, `{"w":3}`, `{"w":3,"n":`, `{"w":3,"n":12`, `{"w":,"n":1}`, `{"w":3,"a":1,"n":2}`} {
		if id, ok := Parse([]byte(entry)); ok {
			t.Errorf("Parse(%s) = %v, want none", entry, id)
		}
	}
}
