package snippets

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every block of Go on the pages is code of these packages, word for word, and
// all that the packages export is shown.
func TestPagesShowThisCode(t *testing.T) {
	pages, err := filepath.Glob("../*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	code := sources(t)
	shown := ""
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range goBlocks(string(text)) {
			shown += block + "\n"
			if _, err := parser.ParseFile(token.NewFileSet(), page, "package p\n"+block, parser.SkipObjectResolution); err != nil {
				t.Errorf("%s shows code that is cut short: %v", page, err)
			}
			for _, part := range strings.Split(block, "\n\n") { // each of them, in any order
				if !strings.Contains(code, "\n"+part+"\n") {
					t.Errorf("%s shows what is not in these packages:\n%s", page, part)
				}
			}
		}
	}
	for line := range strings.Lines(code) {
		if strings.HasPrefix(line, "func ") && !strings.Contains(shown, line) {
			t.Errorf("no page shows %s", line)
		}
	}
}

// goBlocks returns what stands between ```go and ```.
func goBlocks(page string) []string {
	var blocks []string
	for {
		_, rest, ok := strings.Cut(page, "\n```go\n")
		if !ok {
			return blocks
		}
		block, after, _ := strings.Cut(rest, "\n```")
		blocks, page = append(blocks, block), after
	}
}

// sources returns the text of all packages below this one.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || filepath.Dir(path) == "." {
			return err
		}
		text, err := os.ReadFile(path)
		all.WriteString("\n" + string(text) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
