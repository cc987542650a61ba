package adaptors

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka"
)

var update = flag.Bool("update", false, "write the checked table of docs/clients.md")

const (
	page  = "../../docs/clients.md"
	begin = "<!-- checked by integration/adaptors: go test ./adaptors -update -->\n"
	end   = "<!-- end -->\n"
)

// What the page says of the clients in its checked table is what they declare,
// and what the suite holds them to.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no block between %q and %q", page, begin, end)
	}
	want := checkedTable(t)
	if len(withCgo) == 0 {
		// The rows of clients that are not in this build stay unchecked.
		old = withoutRow(old, "confluent")
	}
	switch {
	case old == want:
	case *update && len(withCgo) > 0:
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s says\n%s\nbut it is\n%s\nIn integration/ (with a C compiler): go test ./adaptors -update", page, old, want)
	}
}

func withoutRow(table, name string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(table, "\n") {
		if !strings.HasPrefix(line, "| "+name+" ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func checkedTable(t *testing.T) string {
	wrapped, endWrapped := Wrapped()
	defer endWrapped()
	var b strings.Builder
	b.WriteString("| | Go | client | idempotent | overhead, bytes a record + share of the values | goroutines after Close | cases not supported |\n")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, a := range append(All(), wrapped) {
		module, _, _ := strings.Cut(a.Name, ".")
		toolchain, client := requirements(t, module)
		idempotent := "no"
		if a.Idempotent {
			idempotent = "yes"
		}
		overhead := "as ibmsarama"
		if a.Name != wrapped.Name { // which wants a Kafka to start
			o := overheadOf(t, a)
			overhead = fmt.Sprintf("%d + %d %%", o.RecordBytes, o.ValuePercent)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %d |\n", a.Name, toolchain, client, idempotent, overhead, a.GoroutinesLeft, len(a.Unsupported))
	}
	reasons := make(map[string][]string)
	for name, reason := range wrapped.Unsupported {
		reasons[reason] = append(reasons[reason], name)
	}
	var lines []string
	for reason, cases := range reasons {
		sort.Strings(cases)
		lines = append(lines, fmt.Sprintf("- %s: %s (%s).\n", wrapped.Name, reason, strings.Join(cases, ", ")))
	}
	sort.Strings(lines)
	for _, a := range All() {
		for name, reason := range a.Unsupported {
			t.Errorf("%s: case %s is not supported (%s): give it a line on the page", a.Name, name, reason)
		}
	}
	return b.String() + "\n" + strings.Join(lines, "")
}

func overheadOf(t *testing.T, a Adaptor) zapkafka.Overhead {
	p, err := a.New([]string{"127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.Start(zapkafka.Limits{Records: 1000, Bytes: 1 << 20, RecordBytes: 10_000, DeliveryTimeout: 5 * time.Second}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	return o
}

var (
	goLine     = regexp.MustCompile(`(?m)^go (\d+\.\d+)`)
	clientLine = regexp.MustCompile(`(?m)^\s*(?:require )?github\.com/(twmb/franz-go|segmentio/kafka-go|IBM/sarama|Shopify/sarama|confluentinc/confluent-kafka-go/v2) (v\S+)`)
)

// requirements reads the oldest Go and the version of the client from the
// adaptor's go.mod.
func requirements(t *testing.T, module string) (toolchain, client string) {
	text, err := os.ReadFile(filepath.Join("..", "..", "producer", module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	v, c := goLine.FindSubmatch(text), clientLine.FindSubmatch(text)
	if v == nil || c == nil {
		t.Fatalf("%s/go.mod: no go line or no client found", module)
	}
	return string(v[1]), fmt.Sprintf("%s %s", c[1], c[2])
}
