//go:build !race

package ibmsarama

const raceEnabled = false
