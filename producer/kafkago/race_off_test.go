//go:build !race

package kafkago

const raceEnabled = false
