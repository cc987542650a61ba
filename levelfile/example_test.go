package levelfile_test

import (
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/levelfile"
)

func ExampleWatch() {
	dir, err := os.MkdirTemp("", "levelfile")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "levels")
	if err := os.WriteFile(path, []byte("info\ndb=debug\n"), 0o600); err != nil {
		panic(err)
	}

	logger := zapkafka.New(os.Stderr, zap.WarnLevel) // a *KafkaSyncer, mostly
	levels := logger.Levels()
	watcher, err := levelfile.Watch(levels, path, nil)
	if err != nil {
		panic(err)
	}
	defer watcher.Close()
	fmt.Println(levels)
	// Output: info,db=debug
}
