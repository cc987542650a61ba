package main

import "errors"

type verifyCommand struct {
	JSON bool     `name:"json" help:"Print JSON."`
	Dirs []string `arg:"" name:"dir" help:"Fallback directories; the subdirectories of their further owners are read too."`
}

func (*verifyCommand) Help() string {
	return `Every line, checksum, index row, envelope and cursor is checked. Nothing is
changed, and no lock is taken. Each damaged part is printed with its file, its
offset and its length in bytes; the rest of the file is not affected by it.

  zapkafka verify /var/lib/app/kafka-fallback

An index that is missing is no damage: it is the rule after a crash. Neither is
a line that a living owner is just writing. A replay puts damaged parts into
quarantine.jsonl and goes on.

The exit status is 0 if all is whole, 1 if not, or if a file could not be read.`
}

// verdict is what --json prints.
type verdict struct {
	Whole       bool         `json:"whole"`
	Directories []*directory `json:"directories"`
}

func (v *verifyCommand) Run(c *console) error {
	found, err := examineAll(v.Dirs)
	damaged := 0
	for _, d := range found {
		damaged += len(d.Damaged)
	}
	if damaged > 0 {
		err = errors.Join(err, errSaid)
	}
	if v.JSON {
		return errors.Join(c.sayJSON(verdict{Whole: err == nil, Directories: found}), err)
	}
	for _, d := range found {
		for _, part := range d.Damaged {
			c.say("%s", part)
		}
		for _, n := range d.Notes {
			c.note("note: %s: %s", n.File, n.Reason)
		}
		state := "whole"
		switch {
		case len(d.Damaged) > 0:
			state = count(len(d.Damaged), "damaged part", "damaged parts")
		case len(d.errs) > 0:
			state = "could not be read to the end"
		}
		c.say("%s: %s, %s: %s", d.Dir, count(len(d.Segments), "segment", "segments"), count(d.Entries, "entry", "entries"), state)
	}
	return err
}
