package zapkafkaprom

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"

	"github.com/zapkafka/zapkafka/producertest"
)

var update = flag.Bool("update", false, "write the table of metrics in README.md")

// These files are checked here and are no part of the module.
const (
	readme    = "../README.md"
	rules     = "../examples/observability/alerts.yml"
	ruleTests = "../examples/observability/alerts_test.yml"
	dashboard = "../examples/observability/dashboard.json"
)

// repositoryFile reads one of them.
func repositoryFile(t *testing.T, path string) []byte {
	t.Helper()
	if _, err := os.Stat("../go.mod"); err != nil {
		t.Skipf("%s is in the repository, not in the module: %v", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// exported is what a collector says: of each metric the type, and the values of each
// of its labels.
type exported struct {
	*dto.MetricFamily
	labels map[string]map[string]bool
}

func allMetrics(t *testing.T) map[string]exported {
	t.Helper()
	s, f := newSink(t, producertest.NewProducer(), nil)
	r := prometheus.NewRegistry()
	r.MustRegister(mustCollect(t, Sink{"app-logs", s, f}))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]exported{}
	for _, f := range families {
		e := exported{f, map[string]map[string]bool{}}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if e.labels[l.GetName()] == nil {
					e.labels[l.GetName()] = map[string]bool{}
				}
				e.labels[l.GetName()][l.GetValue()] = true
			}
		}
		all[f.GetName()] = e
	}
	return all
}

var (
	// A name, and what it is asked for in braces.
	selectorRE = regexp.MustCompile(`\b(zapkafka_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	matcherRE  = regexp.MustCompile(`^\s*([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*$`)
	groupingRE = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	templateRE = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
)

// checkQuery holds the names, labels and values of a query against what is exported,
// and notes in seen which metrics it has. It is no parser: promtool is, see
// TestPromtool. It returns the labels that the series in the query have.
func checkQuery(t *testing.T, where, query string, all map[string]exported, seen map[string]bool) map[string]bool {
	t.Helper()
	labels := map[string]bool{"job": true, "instance": true} // Prometheus's own
	selectors := selectorRE.FindAllStringSubmatch(query, -1)
	if len(selectors) == 0 {
		t.Errorf("%s asks for no metric: %s", where, query)
	}
	for _, sel := range selectors {
		name, suffix := sel[1], ""
		e, there := all[name]
		for _, s := range []string{"_bucket", "_sum", "_count"} {
			if h, ok := all[strings.TrimSuffix(name, s)]; ok && !there && h.GetType() == dto.MetricType_HISTOGRAM && strings.HasSuffix(name, s) {
				e, there, suffix = h, true, s
			}
		}
		if !there || e.GetType() == dto.MetricType_HISTOGRAM && suffix == "" {
			t.Errorf("%s asks for %s, which there is not: %s", where, name, query)
			continue
		}
		seen[e.GetName()] = true
		own := map[string]bool{"job": true, "instance": true, "le": suffix == "_bucket"}
		for l := range e.labels {
			own[l] = true
		}
		for l := range own {
			labels[l] = labels[l] || own[l]
		}
		for _, m := range strings.Split(sel[2], ",") {
			if m == "" {
				continue
			}
			parts := matcherRE.FindStringSubmatch(m)
			switch {
			case parts == nil:
				t.Errorf("%s: %q is no matcher: %s", where, m, query)
			case !own[parts[1]]:
				t.Errorf("%s asks for label %s, which %s has not: %s", where, parts[1], name, query)
			case strings.HasSuffix(parts[2], "~"), e.labels[parts[1]] == nil:
			case !e.labels[parts[1]][parts[3]]:
				t.Errorf("%s asks for %s=%q, which %s never has: %s", where, parts[1], parts[3], name, query)
			}
		}
	}
	for _, g := range groupingRE.FindAllStringSubmatch(query, -1) {
		for _, l := range strings.Split(g[1], ",") {
			if l = strings.TrimSpace(l); !labels[l] {
				t.Errorf("%s groups by %s, which nothing in it has: %s", where, l, query)
			}
		}
	}
	return labels
}

// checkTemplate holds the labels that a text shows against those of its query.
func checkTemplate(t *testing.T, where, text string, labels map[string]bool) {
	t.Helper()
	for _, l := range templateRE.FindAllStringSubmatch(text, -1) {
		if !labels[l[1]] {
			t.Errorf("%s shows the label %s, which its query has not: %s", where, l[1], text)
		}
	}
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(repositoryFile(t, rules))))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	all, seen, names := allMetrics(t), map[string]bool{}, map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || names[r.Alert] {
				t.Errorf("an alert %q, which is no name or there twice", r.Alert)
			}
			names[r.Alert] = true
			labels := checkQuery(t, r.Alert, r.Expr, all, seen)
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s has no severity, summary or description", r.Alert)
			}
			for _, text := range r.Annotations {
				checkTemplate(t, r.Alert, text, labels)
			}
		}
	}
	for _, metric := range []string{ // what nobody may run without
		"zapkafka_state", "zapkafka_lost_entries_total", "zapkafka_fallback_rejected_entries_total", "zapkafka_entries_total",
		"zapkafka_fallback_used_bytes", "zapkafka_oldest_pending_age_seconds", "zapkafka_last_delivery_timestamp_seconds",
	} {
		if !seen[metric] {
			t.Errorf("no alert looks at %s", metric)
		}
	}
}

// board is what the test looks at of Grafana's JSON.
type board struct {
	SchemaVersion int
	Title, UID    string
	Templating    struct {
		List []struct {
			Name, Type, Definition string
			Query                  any
			Datasource             datasource
		}
	}
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Datasource  datasource
		Targets     []struct {
			RefID, Expr, LegendFormat string
			Datasource                datasource
		}
	}
}

type datasource struct{ Type, UID string }

func readBoard(t *testing.T) board {
	t.Helper()
	var b board
	if err := json.Unmarshal(repositoryFile(t, dashboard), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	b := readBoard(t)
	// 36 is Grafana 9, from which on a data source is an object; a Grafana takes what
	// is older than itself.
	if b.SchemaVersion < 36 || b.SchemaVersion > 39 || b.Title == "" || b.UID == "" {
		t.Errorf("schema version %d, title %q, uid %q", b.SchemaVersion, b.Title, b.UID)
	}
	all, seen := allMetrics(t), map[string]bool{}
	variables := map[string]bool{"__rate_interval": true, "__range": true}
	source := datasource{"prometheus", "${datasource}"}
	for _, v := range b.Templating.List {
		variables[v.Name] = true
		switch v.Type {
		case "datasource":
			if v.Name != "datasource" || v.Query != "prometheus" {
				t.Errorf("the data source is variable %q of type %v", v.Name, v.Query)
			}
		case "query":
			if v.Datasource != source {
				t.Errorf("variable %s has data source %v", v.Name, v.Datasource)
			}
		default:
			t.Errorf("variable %s is a %q", v.Name, v.Type)
		}
	}
	if !variables["datasource"] {
		t.Error("no variable for the data source")
	}
	ids := map[int]string{}
	taken := map[[2]int]string{}
	for _, p := range b.Panels {
		if other, twice := ids[p.ID]; twice || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %q has id %d, as %q", p.Title, p.ID, other)
		}
		ids[p.ID] = p.Title
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, twice := taken[[2]int{x, y}]; twice || x >= 24 {
					t.Errorf("panel %q lies over %q, or out of the 24 columns", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource != source || len(p.Targets) == 0 {
			t.Errorf("panel %q has data source %v and %d queries", p.Title, p.Datasource, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.Datasource != source || q.RefID == "" || refs[q.RefID] {
				t.Errorf("a query of panel %q has data source %v and id %q", p.Title, q.Datasource, q.RefID)
			}
			refs[q.RefID] = true
			labels := checkQuery(t, p.Title, q.Expr, all, seen)
			checkTemplate(t, p.Title, q.LegendFormat, labels)
			for _, v := range regexp.MustCompile(`\$([a-z_]+)`).FindAllStringSubmatch(q.Expr, -1) {
				if !variables[v[1]] {
					t.Errorf("panel %q uses $%s, which there is not: %s", p.Title, v[1], q.Expr)
				}
			}
			for _, sel := range selectorRE.FindAllStringSubmatch(q.Expr, -1) {
				for _, v := range []string{"job", "instance", "sink"} {
					if !strings.Contains(sel[2], v+`=~"$`+v+`"`) {
						t.Errorf("panel %q asks for %s of every %s: %s", p.Title, sel[1], v, q.Expr)
					}
				}
			}
		}
	}
	for name := range all {
		if !seen[name] {
			t.Errorf("%s is on no panel", name)
		}
	}
}

// Prometheus's own tool, where it is installed, reads the rules, tries them, and
// reads each query of the dashboard.
func TestPromtool(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skipf("the syntax of rules and queries is not checked, as there is no promtool (Debian's package prometheus has it): %v", err)
	}
	b := readBoard(t)
	replace := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", ".*", "$instance", ".*", "$sink", ".*")
	var queries strings.Builder
	queries.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			fmt.Fprintf(&queries, "  - record: panel_%d_%s\n    expr: %q\n", p.ID, q.RefID, replace.Replace(q.Expr))
		}
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, []byte(queries.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", rules, path}, {"test", "rules", ruleTests}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

const (
	tableBegin = "<!-- checked by prometheus: go test -run TestReadme -update -->\n"
	tableEnd   = "<!-- end -->\n"
)

// The table of metrics in the README is what there is.
func TestReadme(t *testing.T) {
	t.Parallel()
	text := string(repositoryFile(t, readme))
	before, rest, ok1 := strings.Cut(text, tableBegin)
	got, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no table between %q and %q", readme, tableBegin, tableEnd)
	}
	want := metricTable(allMetrics(t))
	switch {
	case got == want:
	case *update:
		if err := os.WriteFile(readme, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s says\n%s\nbut it is\n%s\nIn prometheus/: go test -run TestReadme -update", readme, got, want)
	}
}

func metricTable(all map[string]exported) string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("| metric | type | labels beside `sink` | |\n|---|---|---|---|\n")
	for _, name := range names {
		e := all[name]
		var labels []string
		for l, values := range e.labels {
			if l != "sink" {
				labels = append(labels, fmt.Sprintf("%#q: %s", l, strings.Join(sorted(values), ", ")))
			}
		}
		sort.Strings(labels)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(e.GetType().String()), strings.Join(labels, "; "), e.GetHelp())
	}
	return b.String()
}

func sorted(set map[string]bool) []string {
	var list []string
	for v := range set {
		list = append(list, v)
	}
	sort.Strings(list)
	return list
}
