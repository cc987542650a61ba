//go:build race

package zapkafka

const raceEnabled = true
