//go:build cgo && race

package confluent

const raceEnabled = true
