package pipeline

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The engine's answer is a success also if it has refused some of the documents.
func TestBulk(t *testing.T) {
	var asked, answer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked = r.Method + " " + r.URL.Path + "\n" + string(body)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	defer client.CloseIdleConnections()
	x := Index{URL: server.URL, Name: "logs"}
	documents := []Document{{ID: "a-1", Source: []byte("{\"n\":1}\n")}, {Source: []byte(`{"n":2}`)}}

	answer = `{"items":[{"index":{"result":"updated"}},{"index":{"result":"created"}}]}`
	if replaced, err := x.Bulk(documents); replaced != 1 || err != nil {
		t.Errorf("%d replaced, %v; want 1, nil", replaced, err)
	}
	want := "POST /logs/_bulk\n" + `{"index":{"_id":"a-1"}}` + "\n" + `{"n":1}` + "\n" + `{"index":{}}` + "\n" + `{"n":2}` + "\n"
	if asked != want {
		t.Errorf("asked\n%swant\n%s", asked, want)
	}
	for _, c := range []struct{ answer, want string }{
		{`{"errors":true,"items":[{"index":{"result":"created"}},{"index":{"error":{"type":"mapper_parsing_exception"}}}]}`, "mapper_parsing_exception"},
		{`{"items":[{"index":{"result":"created"}}]}`, "1 of 2"},
		{`<html>`, "invalid character"},
	} {
		answer = c.answer
		if _, err := x.Bulk(documents); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.answer, err, c.want)
		}
	}
}
