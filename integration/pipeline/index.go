package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zapkafka/zapkafka/integration/ids"
)

// Index is an index of the search engine, by its HTTP API.
type Index struct {
	URL  string // of the engine
	Name string
}

// Document is an entry as it goes into the index. Without an ID the engine makes
// one, a new one each time.
type Document struct {
	ID     string
	Source []byte // one JSON object, without a newline in it
}

var client = &http.Client{Timeout: 60 * time.Second}

// do sends a request and decodes the answer.
func (x Index) do(method, path, contentType string, body io.Reader, answer any) error {
	request, err := http.NewRequest(method, x.URL+"/"+path, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %.500s", method, path, response.Status, text)
	}
	return json.Unmarshal(text, answer)
}

// Bulk puts the documents into the index. A document whose ID is there takes the
// place of that one; how many did is returned.
func (x Index) Bulk(documents []Document) (replaced int, err error) {
	var body bytes.Buffer
	for _, d := range documents {
		action := map[string]map[string]string{"index": {}}
		if d.ID != "" {
			action["index"]["_id"] = d.ID
		}
		line, err := json.Marshal(action)
		if err != nil {
			return 0, err
		}
		body.Write(line)
		body.WriteByte('\n')
		body.Write(bytes.TrimSuffix(d.Source, []byte("\n")))
		body.WriteByte('\n')
	}
	var answer struct {
		Items []struct {
			Index struct {
				ID     string          `json:"_id"`
				Result string          `json:"result"`
				Error  json.RawMessage `json:"error"`
			} `json:"index"`
		} `json:"items"`
	}
	if err := x.do(http.MethodPost, x.Name+"/_bulk", "application/x-ndjson", &body, &answer); err != nil {
		return 0, err
	}
	if len(answer.Items) != len(documents) {
		return 0, fmt.Errorf("the engine answers for %d of %d documents", len(answer.Items), len(documents))
	}
	for i, item := range answer.Items {
		switch item.Index.Result {
		case "created":
		case "updated":
			replaced++
		default: // the request as a whole succeeds all the same
			return replaced, fmt.Errorf("the engine refuses %s: %s", documents[i].Source, item.Index.Error)
		}
	}
	return replaced, nil
}

// Refresh makes what was put there so far visible to searches.
func (x Index) Refresh() error {
	var answer struct{}
	return x.do(http.MethodPost, x.Name+"/_refresh", "", nil, &answer)
}

// Count is the number of documents that the query finds.
func (x Index) Count(t testing.TB, query map[string]any) int {
	t.Helper()
	var answer struct{ Count int }
	x.ask(t, "_count", map[string]any{"query": query}, &answer)
	return answer.Count
}

// ask sends a request as JSON.
func (x Index) ask(t testing.TB, path string, request, answer any) {
	t.Helper()
	body, err := json.Marshal(request)
	if err == nil {
		err = x.do(http.MethodPost, x.Name+"/"+path, "application/json", bytes.NewReader(body), answer)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TypeOf is the type that the engine has given to the field: "" if it has none, and
// several with commas if that depends.
func (x Index) TypeOf(t testing.TB, field string) string {
	t.Helper()
	var answer struct {
		Fields map[string]map[string]json.RawMessage
	}
	if err := x.do(http.MethodGet, x.Name+"/_field_caps?fields="+field, "", nil, &answer); err != nil {
		t.Fatal(err)
	}
	return strings.Join(slices.Sorted(maps.Keys(answer.Fields[field])), ",")
}

// Times is how many documents there are of each entry that carries an ID.
func (x Index) Times(t testing.TB) map[ids.ID]int {
	t.Helper()
	times := map[ids.ID]int{}
	composite := map[string]any{"size": 5000, "sources": []any{
		map[string]any{"w": map[string]any{"terms": map[string]any{"field": "w"}}},
		map[string]any{"n": map[string]any{"terms": map[string]any{"field": "n"}}},
	}}
	for {
		var answer struct {
			Aggregations struct {
				Entries struct {
					AfterKey map[string]int `json:"after_key"`
					Buckets  []struct {
						Key   struct{ W, N int }
						Count int `json:"doc_count"`
					}
				}
			}
		}
		x.ask(t, "_search", map[string]any{"size": 0, "aggs": map[string]any{"entries": map[string]any{"composite": composite}}}, &answer)
		page := answer.Aggregations.Entries
		for _, b := range page.Buckets {
			times[ids.ID{Worker: b.Key.W, Seq: b.Key.N}] += b.Count
		}
		if len(page.Buckets) == 0 || page.AfterKey == nil {
			return times
		}
		composite["after"] = page.AfterKey
	}
}

// Slots is how many documents the query finds in each interval of the field, which
// has to be a date.
func (x Index) Slots(t testing.TB, field string, interval time.Duration, query map[string]any) []int {
	t.Helper()
	var answer struct {
		Aggregations struct {
			Slots struct {
				Buckets []struct {
					Count int `json:"doc_count"`
				}
			}
		}
	}
	x.ask(t, "_search", map[string]any{"size": 0, "query": query, "aggs": map[string]any{"slots": map[string]any{
		"date_histogram": map[string]any{"field": field, "fixed_interval": fmt.Sprintf("%dms", interval.Milliseconds())},
	}}}, &answer)
	var counts []int
	for _, b := range answer.Aggregations.Slots.Buckets {
		counts = append(counts, b.Count)
	}
	return counts
}
