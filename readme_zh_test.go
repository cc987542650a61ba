package zapkafka_test

import (
	"regexp"
	"strings"
	"testing"
)

// The Chinese README is written by hand after README.md. What needs no translation
// has to be there too, so that a change of the one that the other does not follow
// is noticed: code, commands, names in code spans, and the fields of the options.
func TestChineseReadme(t *testing.T) {
	english, chinese := strings.ReplaceAll(readPage(t, "README.md"), "\r", ""), strings.ReplaceAll(readPage(t, "README.zh-CN.md"), "\r", "")
	for _, lack := range lacks(english, chinese) {
		t.Error(lack)
	}
	// If nothing is found in it, nothing is compared.
	if blocks, fields := len(goBlocks(chinese)), len(fieldRows(chinese)); blocks < 10 || fields < 19 {
		t.Errorf("README.zh-CN.md has %d blocks of Go and %d fields of options: is this how they are found?", blocks, fields)
	}
}

// lacks says what the translation of a page has that the page itself does not, and
// which fields of options differ.
func lacks(page, translation string) []string {
	var missing []string
	lack := func(what, text string) {
		missing = append(missing, "README.zh-CN.md has "+what+" that README.md does not have:\n"+text)
	}
	theirs := map[string]bool{}
	for _, block := range goBlocks(page) {
		theirs[block] = true
	}
	for _, block := range goBlocks(translation) {
		if !theirs[block] {
			lack("a block of Go", block)
		}
	}
	words := strings.Join(strings.Fields(page), " ") // lines break elsewhere
	for _, line := range prose(translation) {
		if strings.HasPrefix(line, "    ") {
			command, _, _ := strings.Cut(line, " # ") // the rest is translated
			if !strings.Contains(words, strings.Join(strings.Fields(command), " ")) {
				lack("a command", line)
			}
			continue
		}
		for _, span := range codeSpan.FindAllString(line, -1) {
			if !strings.Contains(words, strings.Trim(span, "`")) {
				lack("in code", span)
			}
		}
	}
	got, want := strings.Join(fieldRows(translation), " "), strings.Join(fieldRows(page), " ")
	if got != want {
		missing = append(missing, "the tables of options in README.zh-CN.md have\n"+got+"\nand those in README.md\n"+want)
	}
	return missing
}

// goBlocks returns what stands between ```go and ```.
func goBlocks(page string) []string {
	var blocks []string
	for _, m := range goBlock.FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

var (
	goBlock     = regexp.MustCompile("(?s)\n```go\n(.*?)\n```")
	optionsHead = regexp.MustCompile("^\\| `(?:Fallback)?Options` \\|")
	fieldRow    = regexp.MustCompile("^\\| `([A-Za-z.]+)` \\|")
)

// fieldRows returns the fields of the tables that begin with | `Options` | or
// | `FallbackOptions` |.
func fieldRows(page string) []string {
	var fields []string
	inside := false
	for _, line := range prose(page) {
		switch m := fieldRow.FindStringSubmatch(line); {
		case optionsHead.MatchString(line):
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && m != nil:
			fields = append(fields, m[1])
		}
	}
	return fields
}

func TestLacks(t *testing.T) {
	page := "# A\n\n```go\na()\nb()\n```\n\n    run it     # now\n\nUse `New`.\n\n| `Options` | |\n|---|---|\n| `Linger` | 1 |\n\n| `other` | |\n"
	same := "# 甲\n\n```go\na()\nb()\n```\n\n    run it # 现在\n\n用 `New`。\n\n| `Options` | |\n|---|---|\n| `Linger` | 一 |\n"
	if got := lacks(page, same); len(got) > 0 {
		t.Errorf("of a true translation: %q", got)
	}
	for _, change := range [][2]string{
		{"b()\n", "b(1)\n"},
		{"a()\n", ""},
		{"run it", "run that"},
		{"`New`", "`Old`"},
		{"| `Linger` | 一 |\n", ""},
	} {
		if got := lacks(page, strings.Replace(same, change[0], change[1], 1)); len(got) != 1 {
			t.Errorf("with %q for %q: %q", change[1], change[0], got)
		}
	}
}
