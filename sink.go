package zapkafka

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// SinkOptions is what the URLs of a [RegisterSink] have in common. A parameter
// of a URL wins over the field that it sets.
type SinkOptions struct {
	// Options are as for [NewKafkaSyncer], except that SyncTimeout is 250 ms by
	// default. OnStateChange, LastResort and ErrorHandler can be set here alone, and
	// are called for all sinks. They must not log to the logger that the sinks
	// belong to. FallbackLevel has no effect: zap tells an output no levels.
	Options Options
	// Fallback is as for [OpenFallback].
	Fallback FallbackOptions
}

// RegisterSink makes zap open URLs of the scheme, in the OutputPaths of a
// zap.Config or as arguments of zap.Open:
//
//	kafka://b1:9092,b2:9092/app-logs?fallback=/var/lib/app/kafka-fallback&buffer=128MiB&tls=true
//
// newProducer makes the client, once for each sink. It may be called from any
// goroutine, must not start anything, since NewKafkaSyncer does that, and must
// not open a sink itself. An adaptor has one ready, and
// a RegisterSink of its own around this one, e.g. franz.RegisterSink("kafka").
// nil options are the defaults. A scheme can be registered once in a process, and
// stays so: the error says if it is taken, if zap does not allow it, if
// newProducer is nil, or which field of the options is wrong.
//
// # The URL
//
// The brokers stand in front of the topic, or in the parameter brokers, which
// takes also what Go refuses there: several IPv6 addresses, or a list in which
// some have no port. The parameter fallback has to be there: a directory, or
// stderr (or stdout) for entries that need not survive. Every field of [Options],
// [ReplayOptions] and [FallbackOptions] but those which [SinkOptions] names has a
// parameter; the README has a table of them. An unknown parameter, one that is there twice, and
// a bad value are errors which name it. Values are encoded as in all URLs: a
// space is + or %20, a plus %2B, an & %26.
//
// # Credentials
//
// A URL with a user or a password in it is refused. As zap's error repeats a URL
// that could not be opened, they have been printed by then all the same: change
// them. With sasl=scram-sha-512&sasl_env=APP_KAFKA user and password are those of
// the environment variables APP_KAFKA_USER and APP_KAFKA_PASSWORD (KAFKA_USER and
// KAFKA_PASSWORD without sasl_env). Whatever else a client can do is said to the
// adaptor's RegisterSink, in the client's own options.
//
// # What zap does
//
// zap puts all outputs of a configuration behind one lock. While one of them is
// synced, which zap does by itself for each entry above Error, or is slow, every
// log call waits. Sync is therefore bounded by 250 ms here. Where that matters,
// and for keys, headers and the exact time of each record, use [NewCore] with a
// [KafkaSyncer] of one's own.
//
// Build of a zap.Config keeps nothing to close its outputs with; that is what the
// returned [Sinks] is for. What zap.Open returns to close them works too.
//
// One of the sinks may be among ErrorOutputPaths: what zap has to say of other
// outputs arrives as plain text, each line with a Sync. What it says of entries
// that the sinks lost does not go there, since it would be lost in turn:
// Options.ErrorHandler, LastResort and Stats tell.
func RegisterSink(scheme string, newProducer func(SinkURL) (Producer, error), options *SinkOptions) (*Sinks, error) {
	s := &Sinks{newProducer: newProducer}
	if options != nil {
		s.options = *options
	}
	if newProducer == nil {
		return nil, errors.New("zapkafka: register sink: newProducer is nil: pass an adaptor's, e.g. franz.SinkProducer()")
	}
	if _, err := s.options.Options.withDefaults(); err != nil {
		return nil, fmt.Errorf("zapkafka: register sink: %w", err)
	}
	if err := zap.RegisterSink(scheme, func(u *url.URL) (zap.Sink, error) { return s.open(u) }); err != nil {
		return nil, fmt.Errorf("zapkafka: register sink: %w", err)
	}
	registered.mu.Lock()
	defer registered.mu.Unlock()
	registered.all = append(registered.all, s)
	return s, nil
}

// Sinks are what zap has opened by the URLs of one [RegisterSink]. A URL that is
// opened again while it is open, in ErrorOutputPaths or by a second Build, is the
// same sink, which is closed when all that opened it have closed it. URLs are the
// same if they say the same, in whatever order. Two that differ are two sinks,
// and may not name the same fallback directory, whatever their schemes.
//
// All methods may be called concurrently.
type Sinks struct {
	// Immutable after RegisterSink.
	newProducer func(SinkURL) (Producer, error)
	options     SinkOptions

	sinks []*openSink // those that are open or being closed; guarded by registered.mu
}

// registered is all that was registered in the process, as long as that lives:
// so does zap's registry. Fallback directories are one place for all of them.
var registered struct {
	// opening is held by whoever opens a URL, so that of two who open the same
	// the second finds the sink of the first.
	opening sync.Mutex

	mu  sync.Mutex
	all []*Sinks // guarded by mu
}

// openSink is a sink, for everyone who opened it.
type openSink struct {
	// Immutable.
	config   *sinkConfig
	syncer   *KafkaSyncer
	fallback *Fallback // nil: standard error or standard output

	handles int  // guarded by registered.mu
	ending  bool // somebody closes it; guarded by registered.mu

	done chan struct{} // closed when it is closed
	err  error         // set before
}

// All returns the syncers of the sinks that are open, in the order in which they
// were opened, each once: for Stats and State.
func (s *Sinks) All() []*KafkaSyncer {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	var all []*KafkaSyncer
	for _, o := range s.sinks {
		if !o.ending {
			all = append(all, o.syncer)
		}
	}
	return all
}

// Fallbacks returns the directories of the sinks that are open and have one, in
// the order in which they were opened: for Stats.
func (s *Sinks) Fallbacks() []*Fallback {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	var all []*Fallback
	for _, o := range s.sinks {
		if !o.ending && o.fallback != nil {
			all = append(all, o.fallback)
		}
	}
	return all
}

// Shutdown shuts down all sinks that are open, at once, as
// [KafkaSyncer.Shutdown] does, and closes their fallbacks. It returns at the
// latest a second and a half after ctx is done. The error has those of all sinks,
// each with its topic.
//
// An entry that is logged later is lost, and the log call's error says so (if the
// fallback is standard error, it is written there). A URL that is opened later is
// a new sink.
func (s *Sinks) Shutdown(ctx context.Context) error {
	registered.mu.Lock()
	all := append([]*openSink(nil), s.sinks...)
	others := make([]<-chan struct{}, len(all)) // nil: ours, whose end keeps to ctx
	for i, o := range all {
		if o.ending {
			others[i] = ctx.Done()
			continue
		}
		o.ending = true
		go s.end(ctx, o)
	}
	registered.mu.Unlock()
	errs := make([]error, len(all))
	for i, o := range all {
		select {
		case <-o.done:
			errs[i] = o.err
		case <-others[i]:
			errs[i] = fmt.Errorf("zapkafka: sink for topic %s: another call is still closing it: %w", o.config.Topic, ctx.Err())
		}
	}
	return errors.Join(errs...)
}

// open is what zap calls for a URL.
func (s *Sinks) open(u *url.URL) (zap.Sink, error) {
	c, err := parseSinkURL(u, &s.options)
	if err != nil {
		return nil, err
	}
	registered.opening.Lock()
	defer registered.opening.Unlock()
	for {
		o, err := s.find(c)
		switch {
		case err != nil:
			return nil, err
		case o == nil:
			return s.create(c)
		}
		if h := s.share(o); h != nil {
			return h, nil
		}
		<-o.done // it is being closed, and has the directory until then
	}
}

// find returns the sink that is in the way of a new one: the same, or one that
// is being closed and has the same directory.
func (s *Sinks) find(c *sinkConfig) (*openSink, error) {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	for _, o := range s.sinks {
		if o.config.identity == c.identity {
			return o, nil
		}
	}
	if c.dir == "" {
		return nil, nil
	}
	for _, other := range registered.all {
		for _, o := range other.sinks {
			switch {
			case o.config.dir != c.dir:
			case o.ending:
				return o, nil
			default:
				return nil, fmt.Errorf("zapkafka: sink URL: parameter fallback names the directory of the sink for topic %s, which was opened by another URL: "+
					"give each a directory of its own, or both the same URL to make them one", o.config.Topic)
			}
		}
	}
	return nil, nil
}

// share returns one more handle of a sink that find has found; nil if it is being
// closed.
func (s *Sinks) share(o *openSink) zap.Sink {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	if o.ending {
		return nil
	}
	o.handles++
	return &sinkHandle{sinks: s, sink: o}
}

// create opens a sink. When it fails nothing is open.
func (s *Sinks) create(c *sinkConfig) (zap.Sink, error) {
	producer, err := s.newProducer(c.SinkURL)
	if err != nil {
		return nil, fmt.Errorf("zapkafka: sink URL: %w", err)
	}
	o := &openSink{config: c, handles: 1, done: make(chan struct{})}
	var fallback zapcore.WriteSyncer
	switch c.fallback {
	case "stderr":
		fallback = os.Stderr
	case "stdout":
		fallback = os.Stdout
	default:
		if o.fallback, err = OpenFallback(c.dir, &c.fallbackOptions); err != nil {
			return nil, err
		}
		fallback = o.fallback
	}
	if o.syncer, err = NewKafkaSyncer(producer, c.Topic, fallback, &c.options); err != nil {
		if o.fallback != nil {
			err = errors.Join(err, o.fallback.Close())
		}
		return nil, err
	}
	registered.mu.Lock()
	defer registered.mu.Unlock()
	s.sinks = append(s.sinks, o)
	return &sinkHandle{sinks: s, sink: o}, nil
}

// release gives one handle of a sink back, and closes the sink with the last.
func (s *Sinks) release(o *openSink) error {
	registered.mu.Lock()
	o.handles--
	last := o.handles == 0 && !o.ending
	if last {
		o.ending = true
	}
	registered.mu.Unlock()
	if !last {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.syncer.o.CloseTimeout)
	defer cancel()
	s.end(ctx, o)
	return o.err
}

// end closes a sink, for the one who has set ending.
func (s *Sinks) end(ctx context.Context, o *openSink) {
	err := o.syncer.Shutdown(ctx)
	if o.fallback != nil {
		err = errors.Join(err, closeFallback(o.fallback))
	}
	if err != nil {
		o.err = fmt.Errorf("zapkafka: sink for topic %s: %w", o.config.Topic, err)
	}
	registered.mu.Lock()
	for i := range s.sinks {
		if s.sinks[i] == o {
			s.sinks = append(s.sinks[:i:i], s.sinks[i+1:]...)
			break
		}
	}
	registered.mu.Unlock()
	close(o.done)
}

// closeFallback does not wait for a disk that hangs.
func closeFallback(f *Fallback) error {
	closed := make(chan error, 1)
	go func() { closed <- f.Close() }()
	t := time.NewTimer(closeAtMost)
	defer t.Stop()
	select {
	case err := <-closed:
		return err
	case <-t.C:
		return fmt.Errorf("the fallback %q has not closed: the disk does not answer", f.Dir())
	}
}
