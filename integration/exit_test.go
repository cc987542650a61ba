package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// endsAfterSync names the fallback's directory for a process that logs, syncs
// and ends; see TestMain.
const endsAfterSync = "ZAPKAFKA_ENDS_AFTER_SYNC"

// child is the load of that process.
var child = load.Plan{Workers: 10, PerWorker: 1000}

// logAndEnd is a program which does no more about its end than most programs
// do.
func logAndEnd(dir, topic string) {
	producer, err := franz.New(strings.Split(os.Getenv("KAFKA_BROKERS"), ","))
	must(err)
	fallback, err := zapkafka.OpenFallback(dir, nil)
	must(err)
	syncer, err := zapkafka.NewKafkaSyncer(producer, topic, fallback, &zapkafka.Options{SyncTimeout: slowDisk})
	must(err)
	logger := zapkafka.New(syncer, zap.InfoLevel)
	defer func() { must(logger.Sync()) }()

	load.New(logger.Logger, child).Start().Wait()
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runAndEnd(t *testing.T, dir, topic string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), endsAfterSync+"="+dir, "ZAPKAFKA_TOPIC="+topic)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the program that logs and ends: %v\n%s", err, out)
	}
}

// checkFound checks that all entries of the child are in the topic or on file.
func checkFound(t *testing.T, scenario string, topic, files *harness.Tally) {
	t.Helper()
	sheet := &harness.Sheet{Topic: topic, Files: files}
	for range child.Workers {
		sheet.Counts = append(sheet.Counts, child.PerWorker)
	}
	missing, some := sheet.Absent()
	t.Logf("%s: accepted %d, in the topic %d, on file %d, missing %d", scenario, sheet.Accepted(), topic.Distinct(), files.Distinct(), missing)
	if missing != 0 {
		t.Errorf("%d entries are missing, such as %v", missing, some)
	}
	if n := topic.Repeated() + files.Repeated(); n != 0 {
		t.Errorf("%d entries are in the topic or on file more than once", n)
	}
}

// The process ends right after `defer logger.Sync()`.
func TestEndAfterSync(t *testing.T) {
	k := harness.Need(t)
	topic, dir := k.Topic(t), t.TempDir()
	runAndEnd(t, dir, topic)
	files, err := harness.ReadFallback(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkFound(t, "ended after sync", k.Read(t, topic), files)
}

// The same with a broker that is frozen from before the start to after the end.
func TestEndAfterSyncWhileFrozen(t *testing.T) {
	k := harness.NeedScript(t)
	topic, dir := k.Topic(t), t.TempDir()
	k.Pause(t)
	runAndEnd(t, dir, topic)
	files, err := harness.ReadFallback(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkFound(t, "ended after sync, frozen", &harness.Tally{}, files)
}
