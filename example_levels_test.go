package zapkafka_test

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka"
)

// short prints an entry without what changes from run to run.
func short() zapcore.Core {
	c := zapkafka.NewEncoderConfig()
	c.TimeKey, c.CallerKey = zapcore.OmitKey, zapcore.OmitKey
	return zapcore.NewCore(zapcore.NewJSONEncoder(c), os.Stdout, zap.DebugLevel)
}

func ExampleLogger_SetLevel() {
	logger := zapkafka.NewWithCore(short(), zap.InfoLevel)
	child := logger.Named("db")

	child.Debug("not logged")
	if err := logger.SetLevel(zap.DebugLevel); err != nil {
		panic(err)
	}
	child.Debug("logged: the level holds for loggers made from it, too")

	fmt.Println(logger.SetLevel(42))
	fmt.Println(logger.Level())
	// Output:
	// {"level":"info","msg":"log level changed","name":"","old":"info","new":"debug","by":"API"}
	// {"level":"debug","logger":"db","msg":"logged: the level holds for loggers made from it, too"}
	// zapkafka: 42 is not a level: use one from debug (-1) to fatal (5)
	// debug
}

// Levels by name, for any *zap.Logger. Its own level is the lowest that may be
// wanted.
func ExampleLevels() {
	levels := zapkafka.NewLevels(zap.WarnLevel)
	logger := zap.New(short(), levels.Option())
	db, http := logger.Named("db"), logger.Named("http")

	if err := levels.SetNamedLevel("db", zap.DebugLevel); err != nil {
		panic(err)
	}
	db.Named("pool").Debug("what is set for db goes for db.pool too")
	http.Info("not logged")

	fmt.Println(levels.For("db.pool"), levels.For("http"))
	// Output:
	// {"level":"info","msg":"log level changed","name":"db","old":"inherited","new":"debug","by":"API"}
	// {"level":"debug","logger":"db.pool","msg":"what is set for db goes for db.pool too"}
	// debug warn
}

// Nobody has to remember to set the level back.
func ExampleLevels_SetNamedLevelFor() {
	levels := zapkafka.NewLevels(zap.InfoLevel)
	if err := levels.SetNamedLevelFor("db", zap.DebugLevel, 10*time.Minute); err != nil {
		panic(err)
	}
	for _, s := range levels.All() {
		fmt.Printf("%q %v", s.Name, s.Level)
		if !s.Until.IsZero() {
			fmt.Printf(" for %v", time.Until(s.Until).Round(time.Minute))
		}
		fmt.Println()
	}
	// Output:
	// "" info
	// "db" debug for 10m0s
}

func ExampleLevels_SetFromEnv() {
	setenv := func(value string) {
		if err := os.Setenv("ZAPKAFKA_LEVEL", value); err != nil {
			panic(err)
		}
	}
	setenv("warn,db=debug,http=eror")
	levels := zapkafka.NewLevels(zap.InfoLevel)
	fmt.Println(levels.SetFromEnv())
	fmt.Println(levels)

	setenv("warn,db=debug,http=error")
	fmt.Println(levels.SetFromEnv())
	fmt.Println(levels)
	// Output:
	// environment variable ZAPKAFKA_LEVEL: zapkafka: levels: in "http=eror": "eror" is not a level: use debug, info, warn, error, dpanic, panic or fatal
	// info
	// <nil>
	// warn,db=debug,http=error
}
