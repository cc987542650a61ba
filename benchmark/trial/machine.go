package trial

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// Machine is where something was measured.
type Machine struct {
	System string // operating system, architecture, and the first two numbers of the kernel's version
	CPU    string
	Cores  int
	Memory uint64 // bytes
}

// ThisMachine describes the machine, as far as Linux says it.
func ThisMachine() Machine {
	m := Machine{System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + kernel(string(release))
	}
	m.CPU = procLine("/proc/cpuinfo", "model name")
	if kib, err := strconv.ParseUint(strings.TrimSuffix(procLine("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kib << 10
	}
	return m
}

// kernel is a release without what its builder adds.
func kernel(release string) string { return twoNumbers.FindString(release) }

var twoNumbers = regexp.MustCompile(`^\d+\.\d+`)

// procLine is what the first line of that name says.
func procLine(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		before, after, ok := strings.Cut(string(line), ":")
		if ok && strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return ""
}

// loadAverage is that of the last minute; 0 where nobody says.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

// compared are the modules whose versions belong to a result.
var compared = []string{
	"github.com/IBM/sarama", "github.com/Shopify/sarama", "github.com/confluentinc/confluent-kafka-go/v2", "github.com/segmentio/kafka-go",
	"github.com/twmb/franz-go", "go.uber.org/zap", "gopkg.in/natefinch/lumberjack.v2",
}

// versions are those of this program.
func versions() map[string]string {
	all := map[string]string{"go": runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return all
	}
	for _, dependency := range info.Deps {
		for _, path := range compared {
			if dependency.Path == path {
				all[path] = dependency.Version
			}
		}
	}
	return all
}

// commit names the commit that is measured, with a + if there are changes to it
// beside results.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changes, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(exclude,glob,top)**/results/**", ":(exclude,glob,top)**/*.md", ":(exclude,glob,top)**/*.svg").Output()
	name := strings.TrimSpace(string(head))
	if err != nil || len(changes) > 0 {
		name += "+"
	}
	return name
}

// kafkaVersion is that of the Kafka which scripts/kafka.sh runs.
func kafkaVersion(script string) string {
	pom, err := os.ReadFile(filepath.Join(filepath.Dir(script), "kafka", "pom.xml"))
	if err != nil {
		return "unknown"
	}
	found := kafkaLine.FindSubmatch(pom)
	if found == nil {
		return "unknown"
	}
	return string(found[1])
}

var kafkaLine = regexp.MustCompile(`<kafka\.version>([^<]+)<`)
