// Package compose holds docker-compose.yml to the Compose specification, with the
// loader that Docker Compose itself uses, and to what is promised of it.
package compose

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.."

// load reads the file as docker compose does with these profiles. It fails for what
// is against the schema, and for a service that depends on one which they leave out.
func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	// go test notices changes of what is read inside of the module only, if by a link.
	if _, err := os.ReadFile(filepath.Join("testdata", "docker-compose.yml")); err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatalf("profiles %q: %v", profiles, err)
	}
	return project
}

func TestProfiles(t *testing.T) {
	for profiles, want := range map[string]string{
		"":                  "kafka topic",
		"elk":               "elasticsearch kafka kibana kibana-view logstash service topic",
		"observability":     "grafana kafka prometheus service topic",
		"elk,observability": "elasticsearch grafana kafka kibana kibana-view logstash prometheus service topic",
	} {
		var chosen []string
		if profiles != "" {
			chosen = strings.Split(profiles, ",")
		}
		if got := strings.Join(slices.Sorted(maps.Keys(load(t, chosen...).Services)), " "); got != want {
			t.Errorf("profiles %q start %s, want %s", profiles, got, want)
		}
	}
}

var pinned = regexp.MustCompile(`^[a-z/-]+:v?\d+\.\d+\.\d+$`)

func TestServices(t *testing.T) {
	project := load(t, "*")
	for name, s := range project.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s: the image %s is not pinned to a version", name, s.Image)
		}
		if s.MemLimit <= 0 {
			t.Errorf("%s has no mem_limit", name)
		}
		once := s.Restart == "no"
		if healthy := s.HealthCheck != nil && len(s.HealthCheck.Test) > 1; healthy == once {
			t.Errorf("%s: a health check is there: %v; it is for those that do not end: %v", name, healthy, !once)
		}
		for on, how := range s.DependsOn {
			want := types.ServiceConditionHealthy
			if project.Services[on].Restart == "no" {
				want = types.ServiceConditionCompletedSuccessfully
			}
			if how.Condition != want {
				t.Errorf("%s waits for %s: %s, want %s", name, on, how.Condition, want)
			}
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: the port %s is published at %q, want 127.0.0.1", name, p.Published, p.HostIP)
			}
		}
	}
}

func TestMounts(t *testing.T) {
	project := load(t, "*")
	for name, s := range project.Services {
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeVolume:
				if _, ok := project.Volumes[v.Source]; !ok {
					t.Errorf("%s: the volume %q has no name of the project", name, v.Source)
				}
			case types.VolumeTypeBind:
				if !v.ReadOnly {
					t.Errorf("%s: %s is mounted for writing", name, v.Source)
				}
				// Docker would make a directory of a file that is not there.
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			default:
				t.Errorf("%s: %s is of the type %s", name, v.Source, v.Type)
			}
		}
	}
	service := project.Services["service"]
	if _, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
}

// The files that name services and topics name those which are there.
func TestNames(t *testing.T) {
	project := load(t, "*")
	service := project.Services["service"]
	command := strings.Join(service.Command, " ") + " "
	for _, argument := range []string{"-brokers kafka:29092 ", "-topic test "} {
		if !strings.Contains(command, argument) {
			t.Errorf("the service is started with %q, want %s", command, argument)
		}
	}
	if topic := strings.Join(project.Services["topic"].Command, " "); !strings.Contains(topic, "--topic test ") {
		t.Errorf("the topic is made with %q, want test", topic)
	}
	if listeners := *project.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"]; !strings.Contains(listeners, "INTERNAL://kafka:29092,") {
		t.Errorf("Kafka is found at %s, want kafka:29092", listeners)
	}
	pipeline := read(t, filepath.Join("testdata", "pipeline.conf"))
	for _, setting := range []string{`"kafka:29092"`, `topics => ["test"]`, `"http://elasticsearch:9200"`} {
		if !strings.Contains(pipeline, setting) {
			t.Errorf("there is no %s in Logstash's pipeline", setting)
		}
	}

	var prometheus struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join("testdata", "prometheus.yml"))), &prometheus); err != nil {
		t.Fatal(err)
	}
	for _, file := range prometheus.RuleFiles {
		mounted := func(v types.ServiceVolumeConfig) bool { return v.Target == file }
		if !slices.ContainsFunc(project.Services["prometheus"].Volumes, mounted) {
			t.Errorf("the rules %s are mounted nowhere", file)
		}
	}
	for _, c := range prometheus.ScrapeConfigs {
		for _, target := range c.StaticConfigs[0].Targets {
			host, port, _ := strings.Cut(target, ":")
			s, ok := project.Services[host]
			if !ok || len(s.Ports) != 1 || s.Ports[0].Published != port {
				t.Errorf("Prometheus asks %s, of which there is no service with that port", target)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
