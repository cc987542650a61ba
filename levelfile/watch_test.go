package levelfile

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const waitTime = 20 * time.Second

// within reports whether cond comes true in that time.
func within(d time.Duration, cond func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(d)
	defer end.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-end.C:
			return cond()
		}
	}
	return true
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	if !within(waitTime, cond) {
		t.Fatalf("waited %v in vain for: %s", waitTime, what)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// faults collects what the handler was told.
type faults struct {
	mu   sync.Mutex
	told []string
}

func (f *faults) handle(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, err.Error())
}

func (f *faults) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.told, "\n")
}

// start watches a file in a directory of its own. Polls are an hour apart: what is
// seen, the events have told.
func start(t *testing.T, content string) (*zapkafka.Levels, *faults, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "levels")
	if content != "" {
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
	levels, f := zapkafka.NewLevels(zap.InfoLevel), &faults{}
	watch(t, levels, path, &Options{ErrorHandler: f.handle, Settle: 20 * time.Millisecond, Poll: time.Hour})
	return levels, f, path
}

func watch(t *testing.T, levels *zapkafka.Levels, path string, o *Options) {
	t.Helper()
	w, err := Watch(levels, path, o)
	must(t, err)
	t.Cleanup(func() {
		must(t, w.Close())
		must(t, w.Close())
	})
}

func becomes(t *testing.T, levels *zapkafka.Levels, want string) {
	t.Helper()
	eventually(t, "levels "+want, func() bool { return levels.String() == want })
}

func TestTheFileIsFollowed(t *testing.T) {
	levels, f, path := start(t, "warn\ndb=debug\n")
	if got := levels.String(); got != "warn,db=debug" {
		t.Errorf("after Watch the levels are %s", got)
	}
	must(t, os.WriteFile(path, []byte("error,http=info"), 0o600))
	becomes(t, levels, "error,http=info")

	// As editors do it.
	next := path + ".swp"
	must(t, os.WriteFile(next, []byte("debug"), 0o600))
	must(t, os.Rename(next, path))
	becomes(t, levels, "debug")

	// What is wrong changes nothing, and is said.
	must(t, os.WriteFile(path, []byte("info,db=loud"), 0o600))
	eventually(t, "an error", func() bool { return f.String() != "" })
	if got := f.String(); !strings.Contains(got, `"loud" is not a level`) || !strings.Contains(got, path) {
		t.Errorf("told %q", got)
	}
	if got := levels.String(); got != "debug" {
		t.Errorf("a bad file changed the levels to %s", got)
	}

	// A file that goes leaves them, one that comes back is taken.
	must(t, os.Remove(path))
	must(t, os.WriteFile(path+"x", nil, 0o600))
	must(t, os.WriteFile(path, []byte("info"), 0o600))
	becomes(t, levels, "info")
}

func TestAFileThatComesLate(t *testing.T) {
	levels, _, path := start(t, "")
	if got := levels.String(); got != "info" {
		t.Errorf("without a file the levels are %s", got)
	}
	must(t, os.WriteFile(path, []byte("db=debug"), 0o600))
	becomes(t, levels, "info,db=debug")
}

// How the kubelet mounts and changes a ConfigMap: the file is a link into ..data,
// which is a link that is replaced by renaming.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(name, content string) {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name, "levels"), []byte(content), 0o600))
		must(t, os.Symlink(name, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("..2026_01_01", "warn")
	must(t, os.Symlink(filepath.Join("..data", "levels"), filepath.Join(dir, "levels")))

	levels := zapkafka.NewLevels(zap.InfoLevel)
	watch(t, levels, filepath.Join(dir, "levels"), &Options{Poll: time.Hour})
	if got := levels.String(); got != "warn" {
		t.Errorf("at first the levels are %s", got)
	}
	version("..2026_01_02", "warn,db=debug")
	must(t, os.RemoveAll(filepath.Join(dir, "..2026_01_01")))
	becomes(t, levels, "warn,db=debug")
	version("..2026_01_03", "error")
	must(t, os.RemoveAll(filepath.Join(dir, "..2026_01_02")))
	becomes(t, levels, "error")
}

// What no event tells of is found by looking: here the file is a link to another
// directory, and the directory itself goes and comes back.
func TestPolling(t *testing.T) {
	dir, elsewhere := filepath.Join(t.TempDir(), "etc"), t.TempDir()
	target, path := filepath.Join(elsewhere, "levels"), filepath.Join(dir, "levels")
	must(t, os.WriteFile(target, []byte("warn"), 0o600))
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Symlink(target, path))
	levels := zapkafka.NewLevels(zap.InfoLevel)
	watch(t, levels, path, &Options{Settle: 5 * time.Millisecond, Poll: 10 * time.Millisecond})
	must(t, os.WriteFile(target, []byte("error"), 0o600))
	becomes(t, levels, "error")

	must(t, os.RemoveAll(dir))
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.WriteFile(path, []byte("debug"), 0o600))
	becomes(t, levels, "debug")
}

// Other files of the directory change all the time.
func TestABusyDirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "levels")
	levels := zapkafka.NewLevels(zap.InfoLevel)
	watch(t, levels, path, &Options{Settle: 50 * time.Millisecond, Poll: time.Hour})
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Add(1)
	go func() {
		defer busy.Done()
		f, err := os.Create(filepath.Join(dir, "app.log"))
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = f.WriteString("line\n")
			}
		}
	}()
	must(t, os.WriteFile(path, []byte("debug"), 0o600))
	becomes(t, levels, "debug")
	close(stop)
	busy.Wait()
}

// Polls that come faster than a file settles do not keep it from being taken.
func TestFastPolls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levels")
	levels, f := zapkafka.NewLevels(zap.InfoLevel), &faults{}
	watch(t, levels, path, &Options{ErrorHandler: f.handle, Settle: 50 * time.Millisecond, Poll: 5 * time.Millisecond})
	must(t, os.WriteFile(path, []byte("debug"), 0o600))
	becomes(t, levels, "debug")
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o700))
	eventually(t, "a fault", func() bool { return strings.Contains(f.String(), "is a directory") })
}

// A file that is emptied, or written in two steps, is not taken in between.
func TestHalfWrittenFiles(t *testing.T) {
	levels, f, path := start(t, "warn,db=debug")
	must(t, os.Truncate(path, 0))
	eventually(t, "a fault", func() bool { return strings.Contains(f.String(), "has no level in it") })
	if got := levels.String(); got != "warn,db=debug" {
		t.Errorf("an empty file changed the levels to %s", got)
	}
	must(t, os.WriteFile(path, []byte("warn,db=debug"), 0o600))
	must(t, levels.SetLevel(zap.FatalLevel))
	must(t, os.WriteFile(path, []byte("error"), 0o600))
	becomes(t, levels, "error")
}

// A file that comes back with what it had is taken again.
func TestAFileThatComesBack(t *testing.T) {
	levels, _, path := start(t, "warn")
	must(t, levels.SetLevel(zap.DebugLevel))
	must(t, os.Remove(path))
	// That it was seen to be gone, nothing tells.
	eventually(t, "it is taken", func() bool {
		must(t, os.WriteFile(path, []byte("warn"), 0o600))
		if within(200*time.Millisecond, func() bool { return levels.String() == "warn" }) {
			return true
		}
		must(t, os.Remove(path))
		return within(200*time.Millisecond, func() bool { return false }) // time to be seen gone
	})
}

// A pipe has nobody wait for it.
func TestAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levels")
	if err := makePipe(path); err != nil {
		t.Skipf("no pipe can be made here: %v", err)
	}
	if _, err := Watch(zapkafka.NewLevels(zap.InfoLevel), path, nil); err == nil || !strings.Contains(err.Error(), "not an ordinary file") {
		t.Errorf("%v", err)
	}
}

// Levels set by other means hold until the file changes.
func TestOtherChanges(t *testing.T) {
	levels, _, path := start(t, "warn")
	must(t, levels.SetNamedLevel("db", zap.DebugLevel))
	must(t, levels.SetNamedLevelFor("http", zap.DebugLevel, time.Hour))
	if got := levels.String(); got != "warn,db=debug,http=debug" {
		t.Errorf("the levels are %s", got)
	}
	must(t, os.WriteFile(path, []byte("error"), 0o600))
	becomes(t, levels, "error,http=debug")
}

func TestBadFilesAtTheStart(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, content, 0o600))
		return path
	}
	levels := zapkafka.NewLevels(zap.InfoLevel)
	for want, try := range map[string]func() (*Watcher, error){
		"levels are nil":    func() (*Watcher, error) { return Watch(nil, "x", nil) },
		"path of the file":  func() (*Watcher, error) { return Watch(levels, "", nil) },
		`"loud" is not`:     func() (*Watcher, error) { return Watch(levels, file("a", []byte("loud")), nil) },
		"is a directory":    func() (*Watcher, error) { return Watch(levels, dir, nil) },
		"over 65536 bytes":  func() (*Watcher, error) { return Watch(levels, file("b", make([]byte, 70_000)), nil) },
		"neither can be":    func() (*Watcher, error) { return Watch(levels, "x", &Options{Settle: -1}) },
		"(0 is the default": func() (*Watcher, error) { return Watch(levels, "x", &Options{Poll: -1}) },
	} {
		w, err := try()
		if err == nil || w != nil || !strings.HasPrefix(err.Error(), "levelfile: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	if got := levels.String(); got != "info" {
		t.Errorf("the levels are %s", got)
	}
}

// A fault that stays is said once.
func TestAFaultIsSaidOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "levels")
	must(t, os.WriteFile(path, []byte("info"), 0o600))
	levels, f := zapkafka.NewLevels(zap.WarnLevel), &faults{}
	watch(t, levels, path, &Options{ErrorHandler: f.handle, Settle: time.Millisecond, Poll: 5 * time.Millisecond})
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o700))
	eventually(t, "an error", func() bool { return f.String() != "" })
	must(t, os.Remove(path))
	must(t, os.WriteFile(path, []byte("debug"), 0o600))
	becomes(t, levels, "debug")
	if got := f.String(); strings.Count(got, "\n") > 1 || !strings.Contains(got, "a directory") {
		t.Errorf("told\n%s", got)
	}
}
