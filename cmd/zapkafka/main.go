// Command zapkafka looks after the fallback directories of the library, and
// shows what it does.
//
//	zapkafka demo      logs to a Kafka inside the program, which goes away and comes back
//	zapkafka inspect   says what is in a fallback directory
//	zapkafka verify    reads all of it and names what is damaged
//	zapkafka replay    sends what is in it to Kafka
//	zapkafka tail      prints the entries of a topic
//	zapkafka level     shows and changes the levels of a running program
//	zapkafka version   says which version this is
//
// Each has a --help. The exit status is 0 if all is well, 1 if something is
// not, as each command's help says, and 2 if it was called in a wrong way.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	// Who reads our output may stop reading: a write then fails instead of
	// ending the process in the middle of its work.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(context.Background(), os.Args[1:], newConsole(console{
		out: os.Stdout, outTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		err: os.Stderr, errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	})))
}

// untilSignal is ctx, ended by Ctrl-C and SIGTERM too. A second one ends the
// program at once.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
