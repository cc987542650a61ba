package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/zapkafka/zapkafka/integration/harness"
)

// What the stock program of examples/zapconfig prints is in the topic too, after the
// few changes that make it the other two.
func TestZapConfigOnKafka(t *testing.T) {
	k := harness.Need(t)
	bin := t.TempDir()
	topics := map[string]string{"core": k.Topic(t), "url": k.Topic(t)}
	buildZapConfig(t, bin, k.Brokers[0], topics)
	for program, topic := range topics {
		t.Run(program, func(t *testing.T) {
			// Sync, at the end of main, gives Kafka a second; what it has not acknowledged
			// by then is on file. On a busy machine the first time may be such a time.
			for range 5 {
				printed, onFile := runZapConfig(t, filepath.Join(bin, program))
				if onFile > 0 {
					t.Logf("%d entries are on file, once more", onFile)
					continue
				}
				got := map[string]int{}
				k.ReadRecords(t, topic, func(r *kgo.Record) { got[string(r.Value)+"\n"]++ })
				lines := slices.Collect(strings.Lines(printed))
				for _, line := range lines {
					if got[line] != 1 {
						t.Errorf("%d times in the topic, want once:\n%s", got[line], line)
					}
				}
				if len(lines) != 3 {
					t.Errorf("the program printed\n%swant 3 entries", printed)
				}
				return
			}
			t.Error("Kafka has not taken the entries within the second that Sync gives it, five times")
		})
	}
}

// runZapConfig runs a program with a fallback of its own, and returns what it printed and how
// many entries are on file then.
func runZapConfig(t *testing.T, program string) (printed string, onFile int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	segments, err := filepath.Glob(filepath.Join(cmd.Dir, "kafka-fallback", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range segments {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		onFile += bytes.Count(text, []byte("\n"))
	}
	return string(out), onFile
}

// buildZapConfig compiles the programs with another address and other topics than those that
// stand in them.
func buildZapConfig(t *testing.T, to, broker string, topics map[string]string) {
	t.Helper()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	args := []string{"build", "-o", to, "-overlay", filepath.Join(to, "overlay.json")}
	for program, topic := range topics {
		name, err := filepath.Abs(filepath.Join("..", "examples", "zapconfig", program, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code := strings.NewReplacer("localhost:9092", broker, `"test"`, `"`+topic+`"`, "/test?", "/"+topic+"?").Replace(string(text))
		overlay.Replace[name] = filepath.Join(to, program+".go")
		if err := os.WriteFile(overlay.Replace[name], []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "./zapconfig/"+program)
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "overlay.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join("..", "examples")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, said.Bytes())
	}
}
