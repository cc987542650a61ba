//go:build !race

package zapkafka

const raceEnabled = false
