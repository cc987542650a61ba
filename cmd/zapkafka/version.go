package main

import (
	"runtime"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// versions is what a report of trouble should name.
type versions struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Client   string `json:"franz_go,omitempty"`
}

func (v *versionCommand) Run(c *console) error {
	info, _ := debug.ReadBuildInfo() // nil in a binary that was built without modules
	found := readVersions(info)
	if v.JSON {
		return c.sayJSON(found)
	}
	text := "zapkafka " + found.Version
	if found.Revision != "" {
		text += " (" + found.Revision + ")"
	}
	text += ", " + found.Go + ", " + found.Platform
	if found.Client != "" {
		text += ", franz-go " + found.Client
	}
	c.say("%s", text)
	return nil
}

func readVersions(info *debug.BuildInfo) versions {
	v := versions{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/twmb/franz-go" {
			v.Client = d.Version
		}
	}
	return v
}
