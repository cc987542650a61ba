// Package rivals has the ways in which programs send their log to Kafka, or
// write it to a file, each set up as its own documentation shows it, and this
// sink beside them. What was chosen where the documentation leaves a choice is at
// each rival: acknowledgement by all in-sync replicas for all (as the sink has
// it), the client's own default for everything else, compression included, but for
// the 200,000 records that franz-raw may buffer.
package rivals

import (
	"context"
	"errors"
	"io"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// Setup is what a rival is opened with.
type Setup struct {
	Brokers []string
	Topic   string // exists
	Dir     string // empty directory for files
	// Disk, unless nil, is put around every file.
	Disk func(zapcore.WriteSyncer) zapcore.WriteSyncer
}

// disk returns the file as this set-up's disk makes it.
func (s Setup) disk(ws zapcore.WriteSyncer) zapcore.WriteSyncer {
	if s.Disk == nil {
		return ws
	}
	return s.Disk(ws)
}

// Rival is a way to log.
type Rival struct {
	Name string
	// Source says where the set-up is from, and what is special about it.
	Source string
	// Kafka: what is logged is meant to get there. File: it gets into files.
	Kafka, File bool
	Open        func(Setup) (Sink, error)
	// External is the program that this one is, from the directory of this module:
	// it is run in place of Open, with brokers, topic, goroutines, entries to warm
	// up with, and entries.
	External string
}

// Sink is a rival at work.
type Sink interface {
	// Write is what a zap core calls with an encoded entry. Write copies it where
	// the client would hold on to it: zap uses the memory again.
	zapcore.WriteSyncer

	// Drain waits until whatever was accepted has been delivered or given up, at
	// most until ctx is done. Nothing may be logged during and after it.
	Drain(ctx context.Context) error
	// Close ends the client in the way in which its documentation says that a
	// program ends. It may take longer than ctx: some clients know no deadline.
	Close(ctx context.Context) error
	// Count is what the rival knows by itself.
	Count() Count
}

// Pending is a Sink that does not hold its callers up by itself when its client
// does not keep up, and can be asked how many entries have no outcome yet.
type Pending interface {
	Pending() uint64
}

// Count is what a rival knows of the entries it was given. What a rival does not
// know is 0.
type Count struct {
	Acked    uint64 // acknowledged by Kafka
	Filed    uint64 // written to a file, for good or to be sent later
	Replayed uint64 // sent to Kafka from the file
	Failed   uint64 // given up after the call had returned
	Refused  uint64 // given up with an error of the call
	// Sheet is, for the sink, Balanced or what is wrong with its balance sheet,
	// and empty for all others, which have none.
	Sheet string `json:",omitempty"`
}

// Balanced is the Sheet of a sink whose counts agree.
const Balanced = "balanced"

// external are those that are no Go.
var external = []Rival{{
	Name: "logback", Kafka: true, External: "logback/run.sh",
	Source: "logback 1.2, logback-kafka-appender 0.2.0-RC2 (asynchronous, with a fallback appender), logstash-logback-encoder 7.3 and kafka-clients 4.3.1, " +
		"as their READMEs have it, in a JVM that has logged half a million entries before; without the caller, as all others",
	Open: func(Setup) (Sink, error) { return nil, errors.New("it is a program of its own") },
}}

// All returns the rivals, files first and this sink last.
func All() []Rival {
	return slices.Concat(files, published, saramas, kafkaGo, confluent, franzGo, external, sinks())
}

// Find returns the one of a name.
func Find(name string) (Rival, bool) {
	for _, r := range All() {
		if r.Name == name {
			return r, true
		}
	}
	return Rival{}, false
}

// Logger returns a logger on the sink with the encoding that the sink of this
// project has by default, the same for all. For that sink it is what its README
// shows. The caller is in the entries if options ask for it (zap.AddCaller):
// what zap takes to look it up is the same whatever it logs to.
func Logger(s Sink, options ...zap.Option) *zap.Logger {
	if own, ok := s.(*own); ok {
		return zapkafka.New(own.syncer, zapcore.InfoLevel, append([]zap.Option{zap.WithCaller(false)}, options...)...).Logger
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapkafka.NewEncoderConfig()), s, zapcore.InfoLevel)
	// Errors of Write are counted by the rival; zap would print each.
	return zap.New(core, append([]zap.Option{zap.ErrorOutput(zapcore.AddSync(io.Discard))}, options...)...)
}

// await runs a call that takes no deadline, and gives it up when ctx is done: its
// goroutine stays.
func await(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// value is a copy of an entry as a record has it, without the final newline.
func value(entry []byte) []byte {
	if n := len(entry); n > 0 && entry[n-1] == '\n' {
		entry = entry[:n-1]
	}
	return append([]byte(nil), entry...)
}
