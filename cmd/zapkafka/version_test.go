package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	want(t, exitWell, []string{"version"}, "zapkafka ", runtime.Version())
	var v versions
	out, _ := want(t, exitWell, []string{"version", "--json"})
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Go != runtime.Version() {
		t.Errorf("%v in %s", err, out)
	}
	got := readVersions(&debug.BuildInfo{
		Main:     debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}},
		Deps:     []*debug.Module{{Path: "github.com/twmb/franz-go", Version: "v1.22.2"}},
	})
	if got.Version != "v1.2.3" || got.Revision != "abc" || got.Client != "v1.22.2" {
		t.Errorf("%+v", got)
	}
	if got := readVersions(nil); got.Version != "(devel)" {
		t.Errorf("without build information: %+v", got)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}} {
		want(t, exitWell, args, "inspect", "verify", "replay", "tail", "demo", "level", "version")
	}
	for _, command := range []string{"inspect", "verify", "replay", "tail", "demo"} {
		want(t, exitWell, []string{command, "--help"}, "  zapkafka "+command, "exit status")
	}
}
