//go:build race

package ibmsarama

const raceEnabled = true
