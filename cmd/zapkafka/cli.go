package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitWell  = 0
	exitNot   = 1 // something is damaged, or was not sent, or failed
	exitUsage = 2
)

// cli is the command line as kong reads it.
type cli struct {
	Demo    demoCommand    `cmd:"" help:"Log to a Kafka inside this program, which goes away and comes back."`
	Inspect inspectCommand `cmd:"" help:"Say what is in fallback directories."`
	Verify  verifyCommand  `cmd:"" help:"Read all of fallback directories and name what is damaged."`
	Replay  replayCommand  `cmd:"" help:"Send what is in fallback directories to Kafka."`
	Tail    tailCommand    `cmd:"" help:"Print the entries of a topic as they come."`
	Level   levelCommand   `cmd:"" help:"Show and change the levels of a running program."`
	Version versionCommand `cmd:"" help:"Say which version this is."`
}

const description = `The command line of zapkafka: looks after the directories in which the
library keeps log entries that Kafka did not take.`

// errSaid ends a command with exit code 1 when it has said why already.
var errSaid = errors.New("it was said")

// usageError is a call that could not be meant so.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func badUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program: it does what args say and returns the exit code.
func run(ctx context.Context, args []string, c *console) int {
	var helped bool
	parser, err := kong.New(&cli{},
		kong.Name("zapkafka"), kong.Description(description),
		kong.Writers(c.out, c.err),
		kong.Exit(func(int) { helped = true }), // after --help, and nowhere else
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(c),
	)
	if err != nil {
		panic(err) // the tags above are wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if helped || c.results.gone() {
		return c.end(nil)
	}
	if err != nil {
		return c.end(wrongCall(err))
	}
	return c.end(parsed.Run())
}

// wrongCall makes an error of the parser say where help is.
func wrongCall(err error) error {
	help := "zapkafka --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		help = "zapkafka " + parse.Context.Selected().Path() + " --help"
	}
	return badUsage("%w (%s shows how to call it)", err, help)
}

// end says what is wrong and returns the exit code.
func (c *console) end(err error) int {
	if failed := c.results.problem(); failed != nil {
		err = errors.Join(err, failed)
	} else if err != nil && c.results.gone() && !errors.Is(err, errSaid) {
		return exitNot // nobody reads; that is no trouble by itself
	}
	if err == nil {
		return exitWell
	}
	if text := saying(err); text != "" {
		c.note("zapkafka: %s", text)
	}
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitNot
}

// saying is the text of err without what was said already.
func saying(err error) string {
	var lines []string
	for _, line := range strings.Split(err.Error(), "\n") {
		if line != errSaid.Error() {
			lines = append(lines, strings.TrimPrefix(line, "zapkafka: "))
		}
	}
	return strings.Join(lines, "\n")
}
