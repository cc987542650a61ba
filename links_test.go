package zapkafka_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// Every link from one of the repository's pages to another, or to a file, has its
// target, and every #heading its heading.
func TestLinksHaveTargets(t *testing.T) {
	if _, err := os.Stat(filepath.Join("docs", "go.mod")); err != nil {
		t.Skip("this is the module alone: what its pages link to is in the repository")
	}
	pages, links := 0, 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "vendor"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		pages++
		for _, target := range linksOf(readPage(t, path)) {
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			file, heading, _ := strings.Cut(target, "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", path, target, err)
			} else if heading != "" && !headingsOf(readPage(t, to))[heading] {
				t.Errorf("%s links to %s: there is no such heading", path, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 5 || links < 20 {
		t.Errorf("looked at %d pages and %d links: is this the repository?", pages, links)
	}
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan = regexp.MustCompile("`[^`\n]*`")
)

// linksOf returns the targets of the links of a page, those in code left out.
func linksOf(page string) []string {
	var targets []string
	for _, line := range prose(page) {
		for _, m := range pageLink.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, "``"), -1) {
			targets = append(targets, m[1])
		}
	}
	return targets
}

// headingsOf returns the anchors that GitHub gives the headings of a page: in lower
// case, without punctuation, a hyphen for each space; one that is there already gets a
// number.
func headingsOf(page string) map[string]bool {
	anchors := map[string]bool{}
	for _, line := range prose(page) {
		level := len(line) - len(strings.TrimLeft(line, "#"))
		if level == 0 || level > 6 || !strings.HasPrefix(line[level:], " ") {
			continue
		}
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(line[level:]))
		unique := anchor
		for n := 1; anchors[unique]; n++ {
			unique = anchor + "-" + string(rune('0'+n))
		}
		anchors[unique] = true
	}
	return anchors
}

// prose returns the lines of a page that are not between fences.
func prose(page string) []string {
	var lines []string
	fenced := false
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestHeadings(t *testing.T) {
	page := "# One: `two`, three_four\n## A\n## A\n```\n# no heading\n```\n####### none\n#none\n"
	got := headingsOf(page)
	for _, want := range []string{"one-two-three_four", "a", "a-1"} {
		if !got[want] {
			t.Errorf("no %q in %v", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v", got)
	}
}
