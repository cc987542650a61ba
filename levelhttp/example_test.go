package levelhttp_test

import (
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/levelhttp"
)

// withToken lets in who has the token, which comes from a secret of the
// deployment and never from the code.
func withToken(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// The handler behind a token.
func ExampleHandler() {
	logger := zapkafka.New(io.Discard, zap.InfoLevel)
	mux := http.NewServeMux()
	mux.Handle("/log/level", withToken("s3cret", levelhttp.Handler(logger.Levels())))
	server := httptest.NewServer(mux)
	defer server.Close()

	put := func(token, body string) {
		r, err := http.NewRequest(http.MethodPut, server.URL+"/log/level", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		resp, err := server.Client().Do(r)
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, strings.TrimSpace(string(answer)))
	}
	put("guess", `{"level":"debug"}`)
	put("s3cret", `{"level":"warn"}`)
	put("s3cret", `{"level":"debug","logger":"db"}`)
	put("s3cret", `{"level":"debug","duration":"10m"}`)
	fmt.Println(logger.Levels())
	// Output:
	// 401 a token is needed
	// 200 {"level":"warn"}
	// 200 {"level":"warn","loggers":{"db":{"level":"debug"}}}
	// 400 {"error":"\"duration\" means nothing here: there are level, logger, for and reset"}
	// warn,db=debug
}
