// Package walkthrough reads the commands of a page and what they print, has a shell
// run them, and compares what does not change from one run to the next. The page is
// README.md, whose walk-through is tested so on a real Kafka.
package walkthrough

import (
	"fmt"
	"iter"
	"regexp"
	"strings"
)

// Step is a command, and what it prints to both of its outputs.
type Step struct {
	Command string
	Output  string // lines, each with its newline
}

const (
	opening = "```console\n"
	closing = "```\n"
	prompt  = "$ "
)

// Steps returns the steps of all console blocks of the page behind the heading, up to
// the next heading of its level. A step begins with a line that begins with "$ ".
func Steps(page, heading string) ([]Step, error) {
	_, section, _, err := cut(page, heading)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for line, console := range linesOf(section) {
		switch {
		case !console:
		case strings.HasPrefix(line, prompt):
			steps = append(steps, Step{Command: strings.TrimSpace(line[len(prompt):])})
		case len(steps) == 0:
			return nil, fmt.Errorf("%q stands before the first command", line)
		default:
			steps[len(steps)-1].Output += line
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("there is no command in a console block behind %q", heading)
	}
	return steps, nil
}

// linesOf yields the lines of a section, and whether they are of a console block.
func linesOf(section string) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		inside := false
		for line := range strings.Lines(section) {
			inside = inside && line != closing
			if !yield(line, inside) {
				return
			}
			inside = inside || line == opening
		}
	}
}

// Update returns the page with the outputs of these steps, which are those that Steps
// found.
func Update(page, heading string, steps []Step) (string, error) {
	before, section, after, err := cut(page, heading)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for line, console := range linesOf(section) {
		if console && !strings.HasPrefix(line, prompt) {
			continue // what was printed before
		}
		if console {
			if len(steps) == 0 || strings.TrimSpace(line[len(prompt):]) != steps[0].Command {
				return "", fmt.Errorf("the steps are not those of the page from %q on", line)
			}
			line += steps[0].Output
			steps = steps[1:]
		}
		b.WriteString(line)
	}
	return before + b.String() + after, nil
}

// cut cuts the section with the heading out of the page.
func cut(page, heading string) (before, section, after string, err error) {
	before, rest, ok := strings.Cut(page, "\n"+heading+"\n")
	if !ok {
		return "", "", "", fmt.Errorf("there is no heading %q", heading)
	}
	before, rest = before+"\n"+heading, "\n"+rest
	level, _, _ := strings.Cut(heading, " ")
	end := strings.Index(rest, "\n"+level+" ")
	if end < 0 {
		end = len(rest) - 1
	}
	return before, rest[:end+1], rest[end+1:], nil
}

// Outputs of a step stand behind a line with its number, in what the script prints.
const mark = "\x1e"

// Script is a script for bash that does the steps, and ends with the first that
// fails. What it started in the background ends with it.
func Script(steps []Step) string {
	var b strings.Builder
	b.WriteString("exec </dev/null 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n")
	for i, s := range steps {
		fmt.Fprintf(&b, "printf '%s%d\\n'\n%s\n", mark, i, s.Command)
		// $? of a command in the background is 0.
		fmt.Fprintf(&b, "rc=$?; ((rc == 0)) || { echo \"exit status $rc\"; exit $rc; }\n")
	}
	return b.String()
}

// Ran returns the steps with what the script printed for each, up to the one at which
// it ended.
func Ran(steps []Step, printed string) []Step {
	var ran []Step
	for i, part := range strings.Split(printed, mark)[1:] {
		_, output, _ := strings.Cut(part, "\n")
		if output != "" && !strings.HasSuffix(output, "\n") {
			output += "\n"
		}
		ran = append(ran, Step{steps[i].Command, progress.ReplaceAllString(output, "")})
	}
	return ran
}

// What the go command says on its way depends on what it has in its cache.
var progress = regexp.MustCompile(`(?m)^go: (downloading|finding|found) .*\n`)

// Shape is the text with a word in place of all that is another in each run. Numbers
// become N, but those that are 0 stay: nothing lost and something lost differ.
func Shape(text string) string {
	for _, s := range shapes {
		text = s.pattern.ReplaceAllStringFunc(text, func(found string) string {
			if s.word == "N" && strings.Trim(found, "0.") == "" {
				return "0"
			}
			return s.pattern.ReplaceAllString(found, s.word)
		})
	}
	return text
}

var shapes = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\btenant-\d+`), "tenant-N"},
	{regexp.MustCompile(`("pending"):\d+`), "$1:N"}, // none, or some that are on their way
	{regexp.MustCompile(`\b[1-9][\d.]* ([KM]i)?B\b`), "SIZE"},
	{regexp.MustCompile(`\d+(\.\d+)?`), "N"},
	{regexp.MustCompile(`[ \t]+`), " "}, // columns are as wide as what is in them
}
