package rivals

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"
)

// bufferedBytes is the buffer of zap's BufferedWriteSyncer (its default is 256 KiB
// too).
const bufferedBytes = 256 << 10

var files = []Rival{
	{
		Name: "nothing", Source: "zapcore.AddSync(io.Discard): what encoding alone costs",
		Open: func(Setup) (Sink, error) { return discard{zapcore.AddSync(io.Discard)}, nil },
	},
	{
		Name: "lock-file", Source: "zapcore.Lock around an *os.File, as zap.Open makes it", File: true,
		Open: func(s Setup) (Sink, error) {
			f, err := os.Create(filepath.Join(s.Dir, "log"))
			if err != nil {
				return nil, err
			}
			return &file{WriteSyncer: zapcore.Lock(s.disk(f)), dir: s.Dir, close: f.Close}, nil
		},
	},
	{
		Name: "buffered-file", Source: "zapcore.BufferedWriteSyncer with its defaults (256 KiB, 30 s) around an *os.File", File: true,
		Open: func(s Setup) (Sink, error) {
			f, err := os.Create(filepath.Join(s.Dir, "log"))
			if err != nil {
				return nil, err
			}
			ws := &zapcore.BufferedWriteSyncer{WS: s.disk(f), Size: bufferedBytes}
			return &file{WriteSyncer: ws, dir: s.Dir, close: func() error { return errors.Join(ws.Stop(), f.Close()) }}, nil
		},
	},
	{
		Name: "lumberjack", Source: "lumberjack.Logger as zap's FAQ uses it (MaxSize 500 MB), which has a lock of its own", File: true,
		Open: func(s Setup) (Sink, error) {
			l := &lumberjack.Logger{Filename: filepath.Join(s.Dir, "log"), MaxSize: 500}
			return &file{WriteSyncer: s.disk(zapcore.AddSync(l)), dir: s.Dir, close: l.Close}, nil
		},
	},
}

// discard keeps nothing.
type discard struct{ zapcore.WriteSyncer }

func (discard) Drain(context.Context) error { return nil }
func (discard) Close(context.Context) error { return nil }
func (discard) Count() Count                { return Count{} }

// file is a writer to files in a directory. How many entries got there is found
// when it is closed.
type file struct {
	zapcore.WriteSyncer
	dir   string
	close func() error
	lines atomic.Uint64
}

// Drain flushes what is buffered: it then is with the operating system, as what
// Lock(file) writes. It does not wait for an fsync, which nobody does for a log.
func (f *file) Drain(ctx context.Context) error {
	if b, ok := f.WriteSyncer.(*zapcore.BufferedWriteSyncer); ok {
		return await(ctx, b.Sync)
	}
	return nil
}

func (f *file) Close(ctx context.Context) error {
	if err := await(ctx, f.close); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(f.dir, "log*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		n, err := countLines(name)
		if err != nil {
			return err
		}
		f.lines.Add(n)
	}
	return nil
}

func (f *file) Count() Count { return Count{Filed: f.lines.Load()} }

func countLines(name string) (uint64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, buffer := uint64(0), make([]byte, 1<<20)
	for {
		read, err := f.Read(buffer)
		n += uint64(bytes.Count(buffer[:read], []byte("\n")))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
