package zapkafka_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zapkafka/zapkafka"
)

func ExampleOpenFallback() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)

	fallback, err := zapkafka.OpenFallback(filepath.Join(parent, "kafka-fallback"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fallback.Close()
	fmt.Fprintln(fallback, `{"level":"info","msg":"Kafka is away"}`)
	fmt.Fprint(fallback, "an entry\nof two lines")

	files, err := filepath.Glob(filepath.Join(fallback.Dir(), "*.log"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Println(err)
			return
		}
		lines := strings.SplitAfter(string(text), "\n")
		fmt.Printf("%s begins with %s", filepath.Base(file), lines[0])
	}
	// Output:
	// 00000000000000000001.log begins with {"level":"info","msg":"Kafka is away"}
}
