package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"
)

type tailCommand struct {
	kafkaFlags
	From   string  `default:"end" placeholder:"WHERE" help:"Begin at the beginning, at the end, or so long ago: beginning, end, 15m. Default: end."`
	Follow bool    `default:"true" negatable:"" help:"Go on as entries come, until Ctrl-C; --no-follow ends where the topic ends now."`
	Level  string  `placeholder:"LEVEL" help:"Only entries of this level and above: debug, info, warn, error, dpanic, panic, fatal. What has no level is printed."`
	Key    *string `placeholder:"KEY" help:"Only records with this key."`
	Topic  string  `arg:"" help:"Topic to read."`
}

func (*tailCommand) Help() string {
	return `Entries of JSON with the library's keys (and zap's own "ts") are printed as zap's
console encoder does, with all other fields behind the message. What is no JSON
is printed as it is. No consumer group is joined, and nothing is committed.
Between partitions the order is that of arrival.

  zapkafka tail --brokers localhost:9092 app-logs
  zapkafka tail --brokers localhost:9092 --from 15m --level warn app-logs
  zapkafka tail --brokers localhost:9092 --from beginning --no-follow --key tenant-7 app-logs | less

"[replayed]" stands before entries that came by way of a fallback, later than
they were logged, "[replayed, possibly duplicate]" before those which Kafka may
have had already. Levels are coloured on a terminal, unless NO_COLOR is set.

The exit status is 0 at the end, or after Ctrl-C, and 1 if the topic could not be read.`
}

// Validate is called by kong.
func (t *tailCommand) Validate() error {
	if _, err := t.place(time.Now()); err != nil {
		return err
	}
	_, err := t.level()
	return err
}

func (t *tailCommand) place(now time.Time) (place, error) {
	switch t.From {
	case "beginning":
		return place{beginning: true}, nil
	case "end", "":
		return place{}, nil
	}
	d, err := time.ParseDuration(t.From)
	if err != nil || d < 0 {
		return place{}, fmt.Errorf("--from is %q, but must be beginning, end, or a duration like 15m", t.From)
	}
	return place{at: now.Add(-d)}, nil
}

// level is the least one to print; below debug if there is no filter.
func (t *tailCommand) level() (zapcore.Level, error) {
	if t.Level == "" {
		return zapcore.DebugLevel - 1, nil
	}
	l, err := zapcore.ParseLevel(t.Level)
	if err != nil {
		return l, fmt.Errorf("--level is %q, but must be debug, info, warn, error, dpanic, panic or fatal", t.Level)
	}
	return l, nil
}

func (t *tailCommand) Run(ctx context.Context, c *console) error {
	opts, err := t.options()
	if err != nil {
		return err
	}
	from, err := t.place(time.Now())
	if err != nil {
		return usageError{err}
	}
	level, err := t.level()
	if err != nil {
		return usageError{err}
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	reader := &topicReader{
		brokers: t.Brokers, opts: opts, topic: t.Topic, from: from, follow: t.Follow,
		trouble: func(err error) { c.note("zapkafka: %v", err) },
	}
	p := &printer{w: c.out, terminal: c.outTerminal, colour: c.colour, level: level, key: t.Key}
	err = reader.read(ctx, p.print)
	if ctx.Err() != nil || errors.Is(err, errReaderGone) {
		return nil
	}
	return err
}

// errReaderGone ends the reading when nobody reads what is printed.
var errReaderGone = errors.New("the output is closed")

// printer prints records.
type printer struct {
	w        io.Writer
	terminal bool // nothing that is printed may steer it
	colour   bool
	level    zapcore.Level
	key      *string
}

func (p *printer) print(r *kgo.Record) error {
	if p.key != nil && (r.Key == nil || string(r.Key) != *p.key) {
		return nil
	}
	e, ok := parseEntry(r.Value)
	if ok && e.hasLevel && e.Level < p.level {
		return nil
	}
	line := append([]byte(nil), mark(r)...)
	switch {
	case ok:
		if p.terminal {
			e.disarm()
		}
		text, err := e.console(p.colour)
		if err != nil {
			return err
		}
		line = append(line, text.Bytes()...)
		text.Free()
	case p.terminal:
		line = append(append(line, harmless(string(r.Value))...), '\n')
	default:
		line = append(append(line, r.Value...), '\n')
	}
	if _, err := p.w.Write(line); err != nil {
		return errReaderGone // what it was is known to results
	}
	return nil
}

// mark says of a record that it came by way of a fallback.
func mark(r *kgo.Record) string {
	replayed, duplicate := false, false
	for _, h := range r.Headers {
		switch h.Key {
		case "replayed":
			replayed = true
		case "possibly-duplicate":
			duplicate = string(h.Value) == "true"
		}
	}
	switch {
	case replayed && duplicate:
		return "[replayed, possibly duplicate] "
	case replayed:
		return "[replayed] "
	}
	return ""
}
