package zapkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

// How a child process ends is in endEnv, as "END/BROKER"; endDir is where its
// topic and its fallback are.
const (
	endEnv = "ZAPKAFKA_TEST_END"
	endDir = "ZAPKAFKA_TEST_END_DIR"
)

// endEntries is how many entries a child logs before the last one.
const endEntries = 5000

// fileTopic is a Kafka that outlives the process: a file. The broker may be
// healthy, frozen (it takes records and says nothing) or absent.
type fileTopic struct {
	fakeProducer
	broker string
	file   *os.File
}

func (p *fileTopic) Produce(ctx context.Context, records []*Record) {
	switch p.broker {
	case "frozen":
		p.hold(ctx, records)
	case "absent":
		refuse(ctx, records)
	default:
		for _, r := range records {
			_, err := p.file.Write(append(append([]byte(nil), r.Value...), '\n'))
			r.Done(err)
		}
	}
}

// endForParent is the child: it logs from several goroutines, and ends.
func endForParent(how string) {
	end, broker, _ := strings.Cut(how, "/")
	dir := os.Getenv(endDir)
	ended, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	file, err := os.OpenFile(filepath.Join(dir, "topic"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(err)
	fallback, err := OpenFallback(filepath.Join(dir, "fallback"), nil)
	check(err)
	syncer, err := NewKafkaSyncer(&fileTopic{broker: broker, file: file}, "test", fallback, &Options{
		SyncTimeout: 4 * time.Second, // a second is the default; the machine may be busy
	})
	check(err)
	logger := New(syncer, zap.InfoLevel)

	var wg sync.WaitGroup
	for g := 0; g < 10; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			for i := g; i < endEntries; i += 10 {
				logger.Info("working", zap.Int("n", i))
			}
		}(g)
	}
	wg.Wait()
	switch end {
	case "Fatal":
		logger.Fatal("the end")
	case "Panic":
		logger.Panic("the end")
	case "panic that is logged":
		go func() {
			defer func() {
				if r := recover(); r != nil {
					logger.Panic("the end", zap.Any("panic", r))
				}
			}()
			panic("elsewhere")
		}()
	case "panic with Sync deferred":
		go func() {
			defer logger.Sync()
			logger.Info("the end")
			panic("elsewhere")
		}()
	case "SIGTERM":
		fmt.Println("working")
		<-ended.Done()
		logger.Info("the end")
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		err := errors.Join(syncer.Shutdown(ctx), fallback.Close())
		cancel()
		check(err)
		os.Exit(0)
	}
	select {} // until the other goroutine ends the process
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(99)
	}
}

// However a process ends that zap or the user knows of, and whatever Kafka does at
// that moment, the last entry and all before it are in Kafka or on file, and it
// ends within the bound of a Sync.
func TestEndOfTheProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no SIGTERM")
	}
	for end, code := range map[string]int{
		"Fatal": 1, "Panic": 2, "panic that is logged": 2, "panic with Sync deferred": 2, "SIGTERM": 0,
	} {
		for _, broker := range []string{"healthy", "frozen", "absent"} {
			end, code, broker := end, code, broker
			t.Run(end+"/"+broker, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				runChild(t, end+"/"+broker, dir, code)
				found := map[string]bool{}
				topic, err := os.ReadFile(filepath.Join(dir, "topic"))
				if err != nil {
					t.Fatal(err)
				}
				if broker != "healthy" && len(topic) != 0 {
					t.Error("a broker that takes nothing has taken something")
				}
				values := strings.Split(string(topic), "\n")
				for _, value := range append(values, fallbackEntries(t, filepath.Join(dir, "fallback"))...) {
					if _, entry, ok := strings.Cut(value, `"msg":"`); ok {
						found[entry] = true
					}
				}
				missing := 0
				for i := 0; i < endEntries; i++ {
					if !found[fmt.Sprintf(`working","n":%d}`, i)] {
						missing++
					}
				}
				last := false
				for entry := range found {
					last = last || strings.HasPrefix(entry, "the end")
				}
				if missing > 0 || !last {
					t.Errorf("%d entries are missing; the last one is there: %v", missing, last)
				}
			})
		}
	}
}

// runChild runs the child, ends it if it is to be ended, and checks its exit code.
func runChild(t *testing.T, how, dir string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*waitTime)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), endEnv+"="+how, endDir+"="+dir)
	var said bytes.Buffer
	child.Stderr = &said
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(how, "SIGTERM") {
		if n, err := out.Read(make([]byte, 64)); n == 0 {
			t.Error("the child does not say that it works:", err)
		}
		if err := child.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	_ = child.Wait()
	if got := child.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d; it said\n%s", got, code, said.String())
	}
}
