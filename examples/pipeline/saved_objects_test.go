package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/zapkafka/zapkafka"
)

type savedObject struct {
	Type       string
	ID         string
	Attributes struct {
		Title         string
		TimeFieldName string
		Columns       []string
		Meta          struct{ SearchSourceJSON string } `json:"kibanaSavedObjectMeta"`
	}
	References []struct{ ID, Name, Type string }
}

// What Kibana is given is whole, and its columns are fields of the entries.
func TestSavedObjects(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("kibana", "saved-objects.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	// Those of every entry, as Logstash passes them on, and what it adds.
	fields := []string{"level", "logger", "message", "replayed"}
	core, seen := observer.New(zap.DebugLevel)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	enough := zap.Hooks(func(zapcore.Entry) error {
		if seen.Len() >= 200 {
			stop()
		}
		return nil
	})
	work(ctx, zapkafka.NewWithCore(core, zap.DebugLevel, enough), 1000)
	for _, e := range seen.All() {
		for _, f := range e.Context {
			fields = append(fields, f.Key)
		}
	}

	views := map[string]bool{}
	searches := 0
	for line := range strings.Lines(string(text)) {
		var o savedObject
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		switch o.Type {
		case "index-pattern":
			views[o.ID] = true
			if o.Attributes.Title != "app-logs-*" || o.Attributes.TimeFieldName != "@timestamp" {
				t.Errorf("the data view is of %q by %q, want app-logs-* by @timestamp", o.Attributes.Title, o.Attributes.TimeFieldName)
			}
		case "search":
			searches++
			var source struct{ IndexRefName string }
			if err := json.Unmarshal([]byte(o.Attributes.Meta.SearchSourceJSON), &source); err != nil {
				t.Errorf("%s: %v", o.ID, err)
			}
			if len(o.References) != 1 || !views[o.References[0].ID] || o.References[0].Name != source.IndexRefName {
				t.Errorf("%s refers to %v, want to one of the data views %v as %s", o.ID, o.References, views, source.IndexRefName)
			}
			for _, column := range o.Attributes.Columns {
				if !slices.Contains(fields, column) {
					t.Errorf("%s has a column %s, which no entry has", o.ID, column)
				}
			}
		default:
			t.Errorf("%s is a %s", o.ID, o.Type)
		}
	}
	if len(views) != 1 || searches == 0 {
		t.Errorf("%d data views and %d searches, want one and some", len(views), searches)
	}
}
