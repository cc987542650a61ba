package zapkafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// schemes makes a scheme for each registration: zap keeps them for good.
var schemes atomic.Int64

// testSinks registers a scheme whose clients are in memory, and shuts down what
// is left of its sinks.
type testSinks struct {
	*Sinks
	scheme string

	mu        sync.Mutex
	producers []*fakeProducer
	urls      []SinkURL
}

func newTestSinks(t *testing.T, o *SinkOptions, set func(*fakeProducer)) *testSinks {
	t.Helper()
	if o == nil {
		o = &SinkOptions{Options: Options{ErrorHandler: func(error) {}, LastResort: io.Discard}}
	}
	s := &testSinks{scheme: fmt.Sprintf("kafka-%d", schemes.Add(1))}
	sinks, err := RegisterSink(s.scheme, func(u SinkURL) (Producer, error) {
		p := &fakeProducer{keep: true}
		if set != nil {
			set(p)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.producers = append(s.producers, p)
		s.urls = append(s.urls, u)
		return p, nil
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	s.Sinks = sinks
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *testSinks) producer(i int) *fakeProducer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.producers[i]
}

// realDir is a directory by the name that a sink gives it.
func realDir(t *testing.T) string {
	t.Helper()
	dir, err := resolved(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// url returns a URL of the scheme with a directory as its fallback.
func (s *testSinks) url(dir, topic, more string) string {
	return fmt.Sprintf("%s://b1:9092,b2:9092/%s?fallback=%s%s", s.scheme, topic, url.QueryEscape(dir), more)
}

func mustOpen(t *testing.T, paths ...string) (zapcore.WriteSyncer, func()) {
	t.Helper()
	ws, closeAll, err := zap.Open(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return ws, closeAll
}

// From JSON to the record, with a file beside Kafka.
func TestSinkConfigJSON(t *testing.T) {
	s := newTestSinks(t, nil, nil)
	dir := realDir(t)
	file := filepath.Join(dir, "app.log")
	text := fmt.Sprintf(`{"level": "info", "encoding": "json", "outputPaths": [%q, %q], "errorOutputPaths": ["stderr"],
		"encoderConfig": {"messageKey": "msg"}}`, filepath.ToSlash(file), s.url(filepath.Join(dir, "fallback"), "app-logs", "&buffer=8MiB"))
	var config zap.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	logger, err := config.Build()
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("hello")
	if err := logger.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.producer(0).acknowledged()); got != `[{"msg":"hello"}]` {
		t.Errorf("Kafka has %s", got)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "{\"msg\":\"hello\"}\n" {
		t.Errorf("the file has %q, %v", got, err)
	}
	if got := fmt.Sprint(s.urls[0].Brokers, s.urls[0].Topic, s.urls[0].TLS, s.urls[0].SASL); got != "[b1:9092 b2:9092]app-logs<nil> <nil>" {
		t.Errorf("the client was asked for %s", got)
	}
	all := s.All()
	if len(all) != 1 || all[0].Stats().Acked != 1 || all[0].o.SyncTimeout != 250*time.Millisecond || all[0].o.BufferBytes != 8<<20 {
		t.Errorf("%d sinks", len(all))
	}
	if f := s.Fallbacks(); len(f) != 1 || f[0].Dir() != filepath.Join(dir, "fallback") {
		t.Errorf("%d fallbacks", len(f))
	}
}

// The same URL is the same sink, which the last one closes who opened it.
func TestSinkShared(t *testing.T) {
	s := newTestSinks(t, nil, nil)
	dir := realDir(t)
	one := s.url(dir, "t", "&linger=1ms&max_wait=1s")
	other := fmt.Sprintf("%s:///t?max_wait=1s&linger=1ms&brokers=b1:9092,b2:9092&fallback=%s", s.scheme, url.QueryEscape(dir))
	first, closeFirst := mustOpen(t, one)
	second, closeSecond := mustOpen(t, other, one)
	if n := len(s.All()); n != 1 {
		t.Fatalf("%d sinks are open, want 1", n)
	}
	closeFirst()
	closeFirst() // changes nothing
	if n := len(s.All()); n != 1 {
		t.Fatalf("%d sinks are open after the first close, want 1", n)
	}
	if _, err := second.Write([]byte("still open\n")); err != nil {
		t.Error(err)
	}
	closeSecond()
	if n := len(s.All()); n != 0 {
		t.Fatalf("%d sinks are open after the last close, want 0", n)
	}
	// Twice, as there were two outputs.
	if got := fmt.Sprint(s.producer(0).acknowledged()); got != "[still open still open]" {
		t.Errorf("Kafka has %s", got)
	}
	if _, err := first.Write([]byte("too late\n")); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrFallbackClosed) {
		t.Errorf("Write after the end: %v", err)
	}

	// The directory is free again: no owner-0002.
	mustOpen(t, one)
	if f := s.Fallbacks(); len(f) != 1 || f[0].Dir() != dir {
		t.Errorf("the fallback is %v", f)
	}
}

// Many who open and close the same URL at once have one sink at any time.
func TestSinkSharedConcurrently(t *testing.T) {
	s := newTestSinks(t, nil, nil)
	one := s.url(t.TempDir(), "t", "")
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 5; j++ {
				ws, closeAll, err := zap.Open(one)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := ws.Write([]byte("x\n")); err != nil {
					t.Error(err)
				}
				for _, f := range s.Fallbacks() {
					if strings.Contains(f.Dir(), "owner-") {
						t.Errorf("a second owner: %s", f.Dir())
					}
				}
				closeAll()
			}
		}()
	}
	group.Wait()
	n := 0
	for _, p := range s.producers {
		n += len(p.acknowledged())
	}
	if n != 40 {
		t.Errorf("Kafka has %d entries of 40", n)
	}
}

func TestSinkTwoTopics(t *testing.T) {
	s := newTestSinks(t, nil, nil)
	dir := t.TempDir()
	mustOpen(t, s.url(filepath.Join(dir, "a"), "a", ""), s.url(filepath.Join(dir, "b"), "b", ""), s.url("stderr", "c", ""))
	if n, f := len(s.All()), len(s.Fallbacks()); n != 3 || f != 2 {
		t.Errorf("%d sinks and %d directories, want 3 and 2", n, f)
	}
	other := newTestSinks(t, nil, nil)
	for _, path := range []string{
		s.url(filepath.Join(dir, "a"), "b", ""),
		s.url(filepath.Join(dir, "a"), "a", "&linger=1ms"),
		other.url(filepath.Join(dir, "a"), "a", ""), // another client, or another cluster's options
	} {
		_, _, err := zap.Open(path)
		if err == nil || !strings.Contains(err.Error(), "parameter fallback names the directory of the sink for topic a, which was opened by another URL") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n := len(s.All()); n != 3 {
		t.Errorf("%d sinks after what failed, want 3", n)
	}
}

// Shutdown ends all at once, and a Close beside it waits for it.
func TestSinksShutdown(t *testing.T) {
	const n = 4
	var closing atomic.Int64
	all := make(chan struct{})
	s := newTestSinks(t, nil, nil)
	s.newProducer = func(SinkURL) (Producer, error) {
		return &slowToClose{close: func() {
			if closing.Add(1) == n {
				close(all)
			}
			<-all // one after the other would hang here
		}}, nil
	}
	dir := t.TempDir()
	paths := make([]string, n)
	for i := range paths {
		paths[i] = s.url(filepath.Join(dir, fmt.Sprint(i)), "t", "")
	}
	_, closeAll := mustOpen(t, paths...)
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if left := len(s.All()); left != 0 {
		t.Errorf("%d sinks are left", left)
	}
	closeAll()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("with nothing open: %v", err)
	}
}

// slowToClose is a producer whose Close takes its time.
type slowToClose struct {
	fakeProducer
	close func()
	err   error
}

func (p *slowToClose) Close(ctx context.Context) error {
	if p.close != nil {
		p.close()
	}
	return errors.Join(p.err, p.fakeProducer.Close(ctx))
}

func TestSinksShutdownErrors(t *testing.T) {
	s := newTestSinks(t, nil, nil)
	s.newProducer = func(u SinkURL) (Producer, error) {
		return &slowToClose{err: errors.New("broken " + u.Topic)}, nil
	}
	mustOpen(t, s.url("stderr", "a", ""), s.url("stderr", "b", ""))
	err := s.Shutdown(context.Background())
	for _, want := range []string{"zapkafka: sink for topic a: ", "broken a", "zapkafka: sink for topic b: ", "broken b"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not contain %q", err, want)
		}
	}
}

// A sink that could not be opened leaves nothing open, its directory included.
func TestSinkOpenFails(t *testing.T) {
	s := newTestSinks(t, nil, nil)
	dir := t.TempDir()
	s.newProducer = func(SinkURL) (Producer, error) { return &fakeProducer{startErr: errors.New("no such cipher")}, nil }
	if _, _, err := zap.Open(s.url(dir, "t", "")); err == nil || !strings.Contains(err.Error(), "no such cipher") {
		t.Errorf("got %v", err)
	}
	s.newProducer = func(SinkURL) (Producer, error) { return nil, errors.New("no such client") }
	if _, _, err := zap.Open(s.url(dir, "t", "")); err == nil || !strings.Contains(err.Error(), "zapkafka: sink URL: no such client") {
		t.Errorf("got %v", err)
	}
	if n := len(s.All()); n != 0 {
		t.Errorf("%d sinks are open", n)
	}
	if f := mustOpenFallback(t, dir, nil); f.Dir() != dir {
		t.Errorf("the directory is still held: %s", f.Dir())
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.newProducer = func(SinkURL) (Producer, error) { return &fakeProducer{}, nil }
	if _, _, err := zap.Open(s.url(file, "t", "")); err == nil || !strings.Contains(err.Error(), "zapkafka: open fallback") {
		t.Errorf("got %v", err)
	}
}

// A sink that is zap's error output too does not get what is said about its own
// losses, which would be lost in turn, and is not synced for it.
func TestSinkAsErrorOutput(t *testing.T) {
	s := newTestSinks(t, &SinkOptions{Options: Options{ErrorHandler: func(error) {}, LastResort: io.Discard}}, func(p *fakeProducer) { p.handle = p.hold })
	path := s.url(t.TempDir(), "t", "&buffer=4MiB&max_wait=off&fallback_max=1KiB") // which takes nothing
	config := zap.NewProductionConfig()
	config.Sampling = nil
	config.OutputPaths, config.ErrorOutputPaths = []string{path}, []string{path}
	logger, err := config.Build()
	if err != nil {
		t.Fatal(err)
	}
	syncer := s.All()[0]
	line := strings.Repeat("x", 1000)
	calls := uint64(0)
	for syncer.Stats().Lost.Total() < 100 {
		logger.Info(line)
		if calls++; calls > 100_000 {
			t.Fatal("the queue is never full")
		}
	}
	if st := syncer.Stats(); st.Accepted != calls {
		t.Errorf("%d log calls, but %d entries: zap's errors came back", calls, st.Accepted)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "are lost") {
		t.Errorf("Shutdown with nowhere to go: %v", err)
	}
}

// Lines of zap about something else are entries, and so is whatever an encoder
// makes.
func TestSinkOwnErrors(t *testing.T) {
	at := time.Now()
	for line, want := range map[string]bool{
		fmt.Sprintf("%v write error: %v\n", at, ErrQueueFull):                                true,
		fmt.Sprintf("%v write error: %v\n", at.UTC().Round(0), ErrClosed):                    true,
		fmt.Sprintf("%v write error: write stdout: broken; %v\n", at.Round(0), ErrQueueFull): true,
		fmt.Sprintf("%v write error: write stdout: broken\n", at):                            false,
		`{"msg":"` + at.String() + ` write error: zapkafka: x"}` + "\n":                      false,
		at.Format(time.RFC3339) + "\tinfo\ta write error: zapkafka: x\n":                     false,
		"": false,
	} {
		if got := isOwnError([]byte(line)); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

func TestRegisterSinkErrors(t *testing.T) {
	s := newTestSinks(t, nil, nil)
	producer := func(SinkURL) (Producer, error) { return &fakeProducer{}, nil }
	for _, c := range []struct {
		scheme   string
		producer func(SinkURL) (Producer, error)
		options  *SinkOptions
		want     string
	}{
		{s.scheme, producer, nil, "zapkafka: register sink: sink factory already registered for scheme"},
		{"", producer, nil, "zapkafka: register sink: can't register"},
		{"9", producer, nil, "is not a valid scheme"},
		{"unused", nil, nil, "zapkafka: register sink: newProducer is nil: pass an adaptor's"},
		{"unused", producer, &SinkOptions{Options: Options{Linger: time.Hour}}, "zapkafka: register sink: Linger is 1h0m0s"},
	} {
		if _, err := RegisterSink(c.scheme, c.producer, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want %s", c.scheme, err, c.want)
		}
	}
}

// Another URL with the directory of a sink that is being closed waits for that.
func TestSinkWaitsForDirectory(t *testing.T) {
	goOn, closing := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := newTestSinks(t, nil, nil)
	s.newProducer = func(SinkURL) (Producer, error) {
		return &slowToClose{close: func() {
			once.Do(func() {
				close(closing)
				<-goOn
			})
		}}, nil
	}
	dir := realDir(t)
	_, closeFirst := mustOpen(t, s.url(dir, "t", ""))
	var group sync.WaitGroup
	group.Add(2)
	go func() {
		defer group.Done()
		closeFirst()
	}()
	<-closing
	go func() {
		defer group.Done()
		if _, _, err := zap.Open(s.url(dir, "other", "")); err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "the second to wait", func() bool {
		if !registered.opening.TryLock() {
			return true
		}
		registered.opening.Unlock()
		return false
	})
	close(goOn)
	group.Wait()
	if f := s.Fallbacks(); len(f) != 1 || f[0].Dir() != dir {
		t.Errorf("the directory of the second is %v", f)
	}
}

// Shutdown waits for a Close that is under way no longer than it may itself.
func TestSinksShutdownBesideClose(t *testing.T) {
	goOn, closing := make(chan struct{}), make(chan struct{})
	s := newTestSinks(t, nil, nil)
	s.newProducer = func(SinkURL) (Producer, error) {
		return &slowToClose{close: func() {
			close(closing)
			<-goOn
		}}, nil
	}
	_, closeAll := mustOpen(t, s.url("stdout", "t", ""))
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		closeAll()
	}()
	<-closing
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "sink for topic t: another call is still closing it") {
		t.Errorf("Shutdown beside a Close that hangs: %v", err)
	}
	close(goOn)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown beside a Close that comes to its end: %v", err)
	}
	<-closed
}

// The Sync that zap has follow its lines is for those that were taken.
func TestSinkSyncAfterOwnError(t *testing.T) {
	s := newTestSinks(t, nil, func(p *fakeProducer) { p.handle = p.hold })
	ws, _ := mustOpen(t, s.url(t.TempDir(), "t", "&sync_timeout=50ms"))
	own := fmt.Sprintf("%v write error: %v\n", time.Now(), ErrQueueFull)
	fellBack := func() uint64 { return s.All()[0].Stats().FellBack.Sync }
	for i, line := range []string{"entry\n", own} {
		if _, err := ws.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		if err := ws.Sync(); err != nil || fellBack() != 0 {
			t.Errorf("Sync after zap's own line: %v, %d entries on file", err, fellBack())
		}
	}
	if _, err := ws.Write([]byte("entry\n")); err != nil {
		t.Fatal(err)
	}
	if err := ws.Sync(); err != nil {
		t.Logf("the disk was slow: %v", err)
	}
	eventually(t, "both entries to be on file", func() bool { return fellBack() == 2 })
}
