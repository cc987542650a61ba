package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

type inspectCommand struct {
	JSON bool     `name:"json" help:"Print JSON."`
	Dirs []string `arg:"" name:"dir" help:"Fallback directories; the subdirectories of their further owners are shown too."`
}

func (*inspectCommand) Help() string {
	return `Everything in the directories is read, nothing is changed, and no lock is
taken: it may be done beside a running service, which then goes on writing.

  zapkafka inspect /var/lib/app/kafka-fallback
  zapkafka inspect --json /var/lib/*/kafka-fallback | jq '.directories[].left'

LEFT is the entries that are not in Kafka yet, REPLAYED how much of the file is
done with. "zapkafka verify" says what is damaged, and where. The owner is the
process that writes there; it can be told on Linux, for processes of the same
container.

The exit status is 1 if a file could not be read, damaged or not.`
}

func (i *inspectCommand) Run(c *console) error {
	found, err := examineAll(i.Dirs)
	if i.JSON {
		return errors.Join(c.sayJSON(map[string]any{"directories": found}), err)
	}
	for n, d := range found {
		if n > 0 {
			c.say("")
		}
		d.print(c.out)
	}
	return err
}

// examineAll examines directories and their owners' subdirectories. What could
// not be read is in the error, and the rest in the result.
func examineAll(dirs []string) ([]*directory, error) {
	all := []*directory{} // in JSON an empty list, not null
	var errs []error
	for _, dir := range dirs {
		found, err := examineTree(dir)
		errs = append(errs, err)
		for _, d := range found {
			errs = append(errs, d.errs...)
		}
		all = append(all, found...)
	}
	return all, errors.Join(errs...)
}

func (d *directory) print(w io.Writer) {
	printf := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	printf("%s\n  owner: %s\n", d.Dir, d.Owner)
	if len(d.Segments) > 0 {
		d.printSegments(w)
	}
	for _, f := range []struct {
		file *lineFile
		what string
	}{{d.Rejected, "refused by Kafka or too large for it"}, {d.Quarantined, "damaged"}} {
		if f.file != nil {
			printf("  %s: %s, %s, %s\n", f.file.File, count(f.file.Entries, "entry", "entries"), f.what, size(f.file.Bytes))
		}
	}
	printf("  %s for Kafka, %s on disk", count(d.Left, "entry waits", "entries wait"), size(d.Bytes))
	if n := len(d.Damaged); n > 0 {
		printf(", %s", count(n, "damaged part", "damaged parts"))
	}
	printf("\n")
}

func (d *directory) printSegments(w io.Writer) {
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 0, 1, ' ', 0)
	row := func(cells ...any) {
		_, _ = fmt.Fprint(t, " ")
		for _, c := range cells {
			_, _ = fmt.Fprintf(t, " %v\t", c)
		}
		_, _ = fmt.Fprintln(t)
	}
	row("SEGMENT", "ENTRIES", "LEFT", "REPLAYED", "SIZE", "OLDEST", "NEWEST", "TOPIC", "")
	for _, s := range d.Segments {
		row(s.File, grouped(s.Entries), grouped(s.Left), percent(s.Cursor, s.Bytes), size(s.Bytes), stamp(s.Oldest), stamp(s.Newest), orDash(s.Topic), s.remark())
	}
	_ = t.Flush() // into memory
	for line := range strings.Lines(table.String()) {
		_, _ = fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

func (s segment) remark() string {
	switch {
	case s.Damaged > 0:
		return count(s.Damaged, "damaged part", "damaged parts")
	case s.Index == "missing":
		return "no index"
	}
	return ""
}

func (o owner) String() string {
	switch {
	case o.PID > 0:
		return fmt.Sprintf("process %d", o.PID)
	case o.State == "alive":
		return "a living process"
	case o.State == "none":
		return "none"
	}
	return "not known on this system"
}

// percent is how much of a file is done with: 100 % means all, 0 % nothing.
func percent(part, whole int64) string {
	if part <= 0 || whole <= 0 {
		return "0 %"
	}
	n := part * 100 / whole
	if n == 0 {
		n = 1
	}
	return fmt.Sprintf("%d %%", n)
}

// stamp is a time as the table has room for it.
func stamp(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
